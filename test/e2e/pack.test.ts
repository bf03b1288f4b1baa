/** The package: made by npm pack, installed into an empty folder without a network, and used from there. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ROLE_NAMES } from '../../src/lib/roles.ts'
import { befriend, PASSPHRASE, startNetwork, Testbed, until } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'
import { install, pack } from '../support/package.ts'
import type { Packed } from '../support/package.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const SIZE_MAX_BYTES = 4 * 1_048_576
const bed = new Testbed()
const folder = join(bed.root, 'empty')
let packed: Packed
let alice: Daemon

before(() => {
  packed = pack(join(bed.root, 'checkout'))
  mkdirSync(folder)
  install(folder, packed)
  bed.main = join(folder, 'node_modules', 'sotto', 'dist', 'cli', 'main.js')
})
after(() => bed.close())

const installed = (path: string): string => join(folder, 'node_modules', 'sotto', path)

test('CL-04 the package is the program as JavaScript, page, manual and completions; no source, no test, no secret', () => {
  const wanted = ['package.json', 'LICENSE', 'README.md', 'dist/cli/main.js', 'dist/library.js', 'dist/sotto.1']
  for (const path of [...wanted, 'dist/web/index.html', 'dist/completions/sotto.bash'])
    assert.ok(packed.files.includes(path), path)
  const strange = packed.files.filter((path) => !/^dist\/|^(package\.json|LICENSE|README\.md)$/.test(path))
  assert.deepEqual(strange, [])
  assert.deepEqual(
    packed.files.filter((path) => /\.tsx?$/.test(path) && !path.endsWith('.d.ts')),
    [],
  )
  assert.ok(packed.size < SIZE_MAX_BYTES, `${packed.size} bytes`)
  // Whatever is imported or started by its path is there under the name that it has now.
  for (const path of globSync('dist/**/*.js', { cwd: installed('.') })) {
    const text = readFileSync(installed(path), 'utf8')
    assert.doesNotMatch(text, /(from|import\()\s*['"]\.[^'"]*\.tsx?['"]/, path)
  }
})

test('CL-04 CL-05 npm put it on the path: --version, --help and completions answer', async () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  const direct = spawnSync(join(folder, 'node_modules', '.bin', 'sotto'), ['--version'], { encoding: 'utf8' })
  assert.deepEqual([direct.stdout, direct.status], [`sotto ${version}\n`, 0], direct.stderr)
  assert.match((await bed.run(['--help'])).stdout, /Usage: sotto/)
  const { stdout } = await bed.run(['completion', 'bash'])
  assert.equal(stdout, readFileSync(installed('dist/completions/sotto.bash'), 'utf8'))
  assert.equal((await bed.run(['openapi'])).code, 0)
})

test('CL-05 AP-35 two installed daemons start, serve the page, and bring a message over', async () => {
  const people = await startNetwork(bed, 3, ['alice', 'bob'])
  alice = people[0] ?? assert.fail()
  const bob = people[1] ?? assert.fail()
  const page = await get(alice, '/')
  assert.equal(page.status, 200)
  assert.match(page.headers.get('content-type') ?? '', /text\/html/)
  const html = await page.text()
  for (const [, path = ''] of html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g))
    assert.equal((await get(alice, path)).status, 200, path)
  assert.match(html, /\/assets\/[^"]+\.js"/)
  await befriend(alice, bob)
  const { id } = await alice.verb<{ id: string }>('send', 'bob', 'from the package')
  await alice.verb('wait', `--for=delivered=${id}`)
  const doctor = await alice.cli(['doctor'])
  const { items } = JSON.parse(doctor.stdout) as { items: { name: string; result: string }[] }
  assert.deepEqual(
    items.filter(({ result }) => result === 'fail'),
    [],
  )
})

test('CL-01 import from sotto gives the typed client to JavaScript and TypeScript alike', async () => {
  const program = `import { connect, NotFoundError } from 'sotto'
const client = await connect(process.argv[2] ?? '')
const { state } = await client.status()
const missing = await client.message('0'.repeat(32)).catch((error: unknown) => error instanceof NotFoundError)
console.log(state satisfies string, missing)
client.close()
`
  writeFileSync(join(folder, 'bot.mts'), program)
  const ran = spawnSync(process.execPath, ['bot.mts', alice.home], { cwd: folder, encoding: 'utf8' })
  assert.deepEqual([ran.stdout, ran.status], ['ready true\n', 0], ran.stderr)
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2024',
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules', '@types')],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['bot.mts'] }))
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc')
  const checked = spawnSync(tsc, ['-p', '.'], { cwd: folder, encoding: 'utf8' })
  assert.deepEqual([checked.stdout, checked.status], ['', 0])
  writeFileSync(join(folder, 'bot.mts'), program.replace('satisfies string', 'satisfies number'))
  assert.notEqual(spawnSync(tsc, ['-p', '.'], { cwd: folder }).status, 0, 'its types are looked at')
})

test('CL-06 a daemon in each role starts and says that it is healthy', async () => {
  for (const role of ROLE_NAMES) {
    const daemon = bed.daemon(`role-${role}`, { flags: ['--role', role], passphrase: null })
    await daemon.start()
    assert.equal((await get(daemon, '/healthz')).status, 200, role)
    assert.equal((await daemon.api<{ role: string }>('GET', '/net')).role, role)
    await daemon.stop()
  }
})

test('CL-07 NO_NATIVE=1: the daemon does without native cryptography, and reads a home that was made with it', async () => {
  const before = await alice.accountId()
  await alice.stop()
  const env = { NO_NATIVE: '1', SOTTO_PASSPHRASE: PASSPHRASE }
  const logFile = join(bed.root, 'logs', 'noble.log')
  const child = bed.launch(['daemon', '--home', alice.home, ...alice.flags, '--log-level', 'debug'], { logFile, env })
  await until('it answers', async () => (await alice.api<{ state: string }>('GET', '/status')).state !== 'locked')
  assert.equal(await alice.accountId(), before)
  const config = await bed.run(['config', 'get', 'crypto', '--home', alice.home], { env })
  assert.equal(config.stdout, 'noble\n')
  child.kill('SIGTERM')
  await new Promise((resolve) => child.once('exit', resolve))
})

async function get(daemon: Daemon, path: string): Promise<Response> {
  const { host, port } = JSON.parse(readFileSync(join(daemon.home, 'api.json'), 'utf8')) as {
    host: string
    port: number
  }
  return fetch(`http://${host}:${port}${path}`)
}
