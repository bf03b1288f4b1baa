import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { SIZE_CLASSES_BYTES } from '../../src/wire/padding.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const [, threats = ''] = README.split('## What Sotto does not protect against')
const [section = ''] = threats.split('\n## ')
const row = (who: RegExp): string => section.split('\n').find((line) => who.test(line)) ?? assert.fail(String(who))

test('SE-08 SE-02 the README says that a device that was taken over is out of scope, and what wiping cannot promise', () => {
  const device = row(/has your device/)
  assert.match(device, /taken over is out of scope/)
  assert.match(device, /JavaScript .* may have copied/)
  assert.match(section, /not been audited/)
})

test('SE-09 the README says what traffic analysis sees, with numbers', () => {
  const watcher = row(/traffic analysis/)
  for (const word of ['IP address', 'which peers', 'when', 'how much', 'no cover traffic', 'not anonymous'])
    assert.ok(watcher.includes(word), word)
  const [least, most] = [Math.min(...SIZE_CLASSES_BYTES), Math.max(...SIZE_CLASSES_BYTES)]
  const holders = row(/holders of your mail/)
  assert.equal(SIZE_CLASSES_BYTES.length, 5)
  assert.ok(holders.includes(`five classes of ${least / 1_024} to ${most / 1_024} KiB`))
  const bits = Number(/at most ([\d.]+) bits/.exec(holders)?.[1])
  assert.ok(bits >= Math.log2(SIZE_CLASSES_BYTES.length) && bits < Math.log2(SIZE_CLASSES_BYTES.length) + 0.1)
  for (const who of [/relays and bootstrap/, /a contact/, /Sybils/, /quantum/])
    assert.match(row(who), /\| .{20,} \| .+ \|/)
})

test('what the section names as proof is there', () => {
  const tests = globSync('test/**/*.test.ts', { cwd: ROOT })
  const named = [...section.matchAll(/`([\w-]+\.test\.ts)`/g)].map(([, name = '']) => name)
  assert.ok(named.length >= 4)
  for (const name of named)
    assert.ok(
      tests.some((path) => path.endsWith(`/${name}`)),
      name,
    )
})
