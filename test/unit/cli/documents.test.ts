/** The manual, the completions and the API's document are made from the verbs, and programs that read them can. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { completion, SHELLS } from '../../../src/cli/completion.ts'
import { manPage } from '../../../src/cli/man.ts'
import { program } from '../../../src/cli/run.ts'
import { everyVerb, leaves, verbTree } from '../../../src/cli/tree.ts'
import { SOURCES } from '../../../src/config.ts'
import { tempHome } from '../api/harness.ts'
import { sotto } from './world.ts'

const TREE = verbTree(program())
const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined

function file(t: TestContext, name: string, text: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'sotto-test-'))
  t.after(() => {
    rmSync(dir, { recursive: true, force: true })
  })
  writeFileSync(join(dir, name), text)
  return join(dir, name)
}

test('CL-14 completion: every verb and option is in every shell’s, and the verb prints it', async (t) => {
  const home = await tempHome(t)
  for (const shell of SHELLS) {
    const { code, out } = await sotto(home, ['completion', shell])
    assert.equal(code, 0)
    assert.equal(out, completion(shell, TREE))
    for (const { name, options } of everyVerb(TREE)) {
      assert.ok(out.includes(name), `${shell}: ${name}`)
      for (const { names } of options)
        for (const each of names)
          assert.ok(out.includes(shell === 'fish' ? each.replace(/^-+/, '') : each), `${shell}: ${each}`)
    }
  }
  assert.equal((await sotto(home, ['completion', 'tcsh'])).code, 1)
})

/** What bash offers behind these words. */
function offered(script: string, words: readonly string[]): readonly string[] {
  const quoted = words.map((word) => `'${word}'`).join(' ')
  const body = `source '${script}'; COMP_WORDS=(sotto ${quoted}); COMP_CWORD=${words.length}; _sotto; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '--noprofile', '-c', body], { encoding: 'utf8' })
  assert.deepEqual([status, stderr], [0, ''])
  return stdout.split('\n').filter((line) => line !== '')
}

test('CL-14 bash offers what can stand there: verbs, options, choices, files', (t) => {
  if (!has('bash')) {
    assert.equal(process.platform === 'win32', true, 'no bash on a system that has one')
    return
  }
  const script = file(t, 'sotto.bash', completion('bash', TREE))
  assert.deepEqual(offered(script, ['con']), ['contact', 'conversation', 'consumer', 'config'])
  assert.deepEqual(offered(script, ['contact', 'a']), ['add', 'accept'])
  assert.deepEqual(offered(script, ['--home', '/x', 'contact', 'ver']), ['verify'])
  assert.deepEqual(offered(script, ['token', 'create', 'bot', '--scope', '']), ['read', 'send', 'admin'])
  assert.deepEqual(offered(script, ['completion', 'z']), ['zsh'])
  assert.deepEqual(offered(script, ['contact', 'verify', 'bob', '--acc']), ['--accept-change'])
  assert.deepEqual(offered(script, ['daemon', '--passphrase-file', script]), [script])
  assert.deepEqual(offered(script, ['backup', 'restore', script.slice(0, -1)]), [script])
  assert.deepEqual(offered(script, ['daemon', '--role', 'boot']), ['bootstrap'])
})

test('CL-14 the scripts of the other shells are taken by them, where they are installed', (t) => {
  for (const [shell, flag] of [
    ['zsh', '-n'],
    ['fish', '--no-execute'],
  ] as const) {
    const text = completion(shell, TREE)
    assert.ok(text.split('\n').length > 20)
    if (!has(shell)) continue
    const { status, stderr } = spawnSync(shell, [flag, file(t, `sotto.${shell}`, text)], { encoding: 'utf8' })
    assert.deepEqual([status, stderr], [0, ''], shell)
  }
})

const PAGE = manPage(TREE, {
  version: '1.2.3',
  date: '2026-11-21',
  environment: SOURCES.map(({ env, path }) => [env, path.join('.')] as const),
})

test('CL-14 the page of the manual has every verb, option, exit code and variable', () => {
  const plain = PAGE.replaceAll('\\-', '-')
  for (const { path, options } of leaves(TREE)) {
    assert.ok(plain.includes(`sotto ${path}`), path)
    for (const { names } of options) for (const name of names) assert.ok(plain.includes(name), name)
  }
  for (const section of [
    'NAME',
    'SYNOPSIS',
    'DESCRIPTION',
    'OPTIONS',
    'VERBS',
    'EXIT STATUS',
    'ENVIRONMENT',
    'FILES',
    'EXAMPLES',
  ])
    assert.ok(plain.includes(`.SH ${section}\n`), section)
  for (const { env } of SOURCES) assert.ok(plain.includes(env), env)
  // Each line is a request of the man macros or text; RS and RE come in pairs.
  const requests = PAGE.split('\n').filter((line) => /^[.']/.test(line))
  for (const line of requests) assert.match(line, /^\.(TH|SH|TP|PP|RS|RE|B|I|BR)( |$)/, line)
  assert.equal(requests.filter((line) => line === '.RS').length, requests.filter((line) => line === '.RE').length)
})

test('CL-14 groff sets the page without a warning, where it is installed', (t) => {
  const path = file(t, 'sotto.1', PAGE)
  if (!has('groff')) return
  const { status, stdout, stderr } = spawnSync('groff', ['-man', '-Tutf8', '-ww', path], { encoding: 'utf8' })
  assert.deepEqual([status, stderr], [0, ''])
  // oxlint-disable-next-line no-control-regex
  const text = stdout.replaceAll(/\u001b\[[0-9;]*m|.\u0008/g, '')
  for (const part of ['sotto contact verify <who>', 'EXIT STATUS', '--accept-change', 'stopped with Ctrl-C'])
    assert.ok(text.replaceAll(/[‐−]/g, '-').includes(part), part)
})

test('AP-01 openapi prints the document of the API without a daemon', async (t) => {
  const home = await tempHome(t)
  const { code, out } = await sotto(home, ['openapi'])
  assert.equal(code, 0)
  const document = JSON.parse(out) as { openapi: string; paths: Record<string, unknown> }
  assert.match(document.openapi, /^3\.1\./)
  assert.ok(Object.keys(document.paths).length > 30)
})
