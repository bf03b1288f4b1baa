/** What the documents say lies where it is said to lie. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { moduleBeside, packageFile } from '../../src/lib/own-files.ts'
import * as library from '../../src/library.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const DOCUMENTS = globSync(['*.md', '{src,test,docker,bootstrap,.github}/**/*.md'], { cwd: ROOT })

test('CL-11 every path that a document links to is there', () => {
  assert.ok(DOCUMENTS.length > 30, `${DOCUMENTS.length} documents`)
  const missing: string[] = []
  for (const document of DOCUMENTS) {
    for (const [, target = ''] of read(document).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:|^#/.test(target)) continue
      const [path = ''] = target.split('#')
      if (!existsSync(join(ROOT, dirname(document), path))) missing.push(`${document}: ${target}`)
    }
  }
  assert.deepEqual(missing, [])
})

test('CL-11 the README’s layout is the one that is there, and every room has its README', () => {
  const readme = read('README.md')
  for (const [folder, rooms] of [
    ['src', ['lib', 'wire', 'crypto', 'protocol', 'store', 'net', 'services', 'api', 'daemon', 'cli']],
    ['bootstrap', []],
    ['test', []],
  ] as const) {
    assert.ok(readme.includes(`${folder}/`), folder)
    for (const room of rooms) assert.match(readme, new RegExp(`src/.*\\b${room}\\b`), room)
    for (const room of rooms) assert.ok(existsSync(join(ROOT, folder, room, 'README.md')), room)
  }
  // Verbs that the README tells people to type are verbs.
  const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts
  for (const [, script = ''] of readme.matchAll(/npm run ([\w:]+)/g)) assert.ok(script in scripts, script)
})

test('CL-13 licence and how to contribute are there', () => {
  assert.match(read('LICENSE'), /Apache License\s+Version 2\.0/)
  assert.equal((JSON.parse(read('package.json')) as { license: string }).license, 'Apache-2.0')
  assert.ok(read('.github/CONTRIBUTING.md').length > 500)
})

/** The parts that the first design had in one file each, and where they are; each has a test of its own name or of its room. */
const PARTS: readonly (readonly [part: string, source: string, tests: string])[] = [
  ['engine', 'src/protocol/session.ts', 'test/unit/protocol/session*.test.ts'],
  ['key manager', 'src/protocol/prekey-pool.ts', 'test/unit/protocol/prekey-pool.test.ts'],
  ['ratchet', 'src/protocol/ratchet.ts', 'test/unit/protocol/session*.test.ts'],
  ['key agreement', 'src/protocol/pqxdh.ts', 'test/unit/protocol/session*.test.ts'],
  ['service', 'src/services/sessions/sessions.ts', 'test/{unit,integration}/**/*session*.test.ts'],
  ['routes', 'src/api/route.ts', 'test/unit/api/routes.test.ts'],
  ['auth', 'src/api/auth.ts', 'test/unit/api/tokens.test.ts'],
  ['rate limiter', 'src/api/limits.ts', 'test/unit/api/limits.test.ts'],
  ['schema', 'src/wire/codec.ts', 'test/unit/wire/codec*.test.ts'],
]

test('CL-16 engine, keys, ratchet, agreement, service, routes, auth, limits and schemas are modules with tests', () => {
  for (const [part, source, tests] of PARTS) {
    assert.ok(existsSync(join(ROOT, source)), `${part}: ${source}`)
    assert.ok(globSync(tests, { cwd: ROOT }).length > 0, `${part}: ${tests}`)
  }
})

test('own files are found from the source as from the package', () => {
  assert.equal(packageFile('package.json').pathname, join(ROOT, 'package.json'))
  assert.equal(moduleBeside('helper-main', 'file:///a/src/net/helper.ts').pathname, '/a/src/net/helper-main.ts')
  assert.equal(moduleBeside('helper-main', 'file:///a/dist/net/helper.js').pathname, '/a/dist/net/helper-main.js')
})

test('CL-01 the library is the typed client, the home, and every error that it throws', () => {
  const errors = Object.keys(library).filter((name) => name.endsWith('Error'))
  assert.ok(errors.includes('NotFoundError') && errors.includes('DaemonError') && errors.length > 10)
  for (const call of [library.connect, library.openClient, library.resolveHome]) assert.equal(typeof call, 'function')
})
