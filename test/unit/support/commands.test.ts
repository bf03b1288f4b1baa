/** The commands that people run: that one of them runs every test, and that each has what it is said to have. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> }

test('TE-10 npm test runs the types, the linters and every test file that there is, but for the storms of test:long', () => {
  const parts = ['check', 'test:rooms', 'test:integration', 'test:e2e', 'test:simulation']
  assert.match(scripts['test'] ?? '', new RegExp(parts.map((part) => `run --silent ${part}\\b`).join('.*')))
  for (const part of ['types', 'lint', 'unused', 'test:fast', 'test:web'])
    assert.match(scripts['check'] ?? '', new RegExp(part))
  const patterns = [
    ...[read('test/fast.ts'), read('test/e2e.ts'), scripts['test:integration'], scripts['test:long']]
      .join(' ')
      .matchAll(/test\/[\w*/.()!|-]+\.test\.ts/g),
  ]
  const run = new Set(patterns.flatMap(([pattern]) => globSync(pattern, { cwd: ROOT })))
  // vitest's files are named in its own configuration.
  const [, components = ''] = /include: \['([^']+)'\]/.exec(read('vitest.config.ts')) ?? []
  for (const file of globSync(components.replace('{ts,tsx}', '*'), { cwd: ROOT })) run.add(file)
  const left = globSync('{test,src}/**/*.test.{ts,tsx}', { cwd: ROOT }).filter((file) => !run.has(file))
  assert.deepEqual(left, [])
})

test('TE-09 TE-14 every command of package.json is there, and npm run bench needs no argument for its whole table', () => {
  for (const [name, command] of Object.entries(scripts)) {
    const [, file] = /node ((?:src|test)\/\S+\.ts)/.exec(command) ?? []
    if (file !== undefined) assert.ok(existsSync(join(ROOT, file)), `${name}: ${file}`)
  }
  const main = read('test/bench/main.ts')
  const [, quick = ''] = /const QUICK: readonly Bench\[\] = \[([^\]]*)\]/.exec(main) ?? []
  for (const bench of ['session', 'store', 'direct', 'put', 'read', 'push']) assert.ok(quick.includes(bench), bench)
  assert.match(main, /positionals\.length === 0 \? QUICK/)
  assert.match(scripts['verify:blind'] ?? '', /test\/verify\/blind\.ts/)
})
