import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { resolveHome } from '../../src/api/paths.ts'
import { loadSettings, migrate, parseConfig, socketPathFor } from '../../src/config.ts'
import { ROLE_NAMES } from '../../src/lib/roles.ts'
import { createLogger, readable } from '../../src/logger.ts'
import { tempHome } from './api/harness.ts'

async function withFile(t: TestContext, config: unknown): Promise<string> {
  const home = await tempHome(t)
  await writeFile(join(home, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config))
  return home
}

test('ID-08 defaults < file < environment < flags, setting by setting', async (t) => {
  const home = await withFile(t, {
    version: 1,
    network: 'file',
    bootstrap: ['/ip4/1.1.1.1/tcp/1'],
    api: { port: 1 },
    holder: { diskMaxBytes: 2_000_000 },
  })
  const env = {
    SOTTO_NETWORK: 'env',
    SOTTO_API_PORT: '2',
    SOTTO_BOOTSTRAP: '/ip4/2.2.2.2/tcp/2, /dns4/b.example/tcp/3',
  }
  const plain = await loadSettings({ home: join(home, 'other'), env: {} })
  assert.deepEqual([plain.network, plain.api.port, plain.bootstrap, plain.log.level], ['main', 0, [], 'info'])
  const file = await loadSettings({ home, env: {} })
  assert.deepEqual([file.network, file.api.port, file.bootstrap], ['file', 1, ['/ip4/1.1.1.1/tcp/1']])
  assert.deepEqual(file.holder, { enabled: true, diskMaxBytes: 2_000_000 })
  const environment = await loadSettings({ home, env })
  assert.deepEqual([environment.network, environment.api.port], ['env', 2])
  assert.deepEqual(environment.bootstrap, ['/ip4/2.2.2.2/tcp/2', '/dns4/b.example/tcp/3'])
  const flags = { network: 'flag', apiPort: '3', bootstrap: ['/ip4/3.3.3.3/tcp/3'], holder: false }
  const flagged = await loadSettings({ home, env, flags })
  assert.deepEqual([flagged.network, flagged.api.port, flagged.bootstrap], ['flag', 3, ['/ip4/3.3.3.3/tcp/3']])
  assert.equal(flagged.holder.enabled, false)
})

test('ID-08 a bad bootstrap address is skipped with a warning', async (t) => {
  const home = await tempHome(t)
  const flags = { bootstrap: ['nonsense', '/ip4/127.0.0.1/tcp/4001', 'http://evil.example'] }
  const settings = await loadSettings({ home, env: {}, flags })
  assert.deepEqual(settings.bootstrap, ['/ip4/127.0.0.1/tcp/4001'])
  assert.equal(settings.warnings.length, 2)
  assert.match(settings.warnings[0] ?? '', /address 1 of 3/)
})

test('every fault is reported at once, by name and rule, without the value', async (t) => {
  const home = await withFile(t, {
    netwrok: 'x',
    log: { level: 'C4N4RY' },
    listen: ['C4N4RY'],
    holder: { enabled: 'C4N4RY' },
  })
  const env = { SOTTO_API_PORT: '70000', SOTTO_CRYPTO: 'C4N4RY', SOTTO_HOLDER: 'perhaps' }
  await assert.rejects(loadSettings({ home, env }), (error: Error) => {
    assert.equal(error.name, 'UsageError')
    for (const fault of ['netwrok', 'log.level', 'listen.0', 'holder.enabled', 'api.port', 'crypto', '6 fault']) {
      assert.ok(error.message.includes(fault), fault)
    }
    assert.ok(!error.message.includes('C4N4RY') && !error.message.includes('perhaps'))
    return true
  })
})

test('a file that is no JSON object is refused', async (t) => {
  for (const text of ['', '{', '[]', 'null', '3']) {
    const home = await withFile(t, text)
    await assert.rejects(loadSettings({ home, env: {} }), { name: 'UsageError' }, text)
  }
  const home = await tempHome(t)
  await mkdir(join(home, 'config.json'))
  await assert.rejects(loadSettings({ home, env: {} }), Error)
})

test('migrations run in order from the version of the file; a newer file is refused', () => {
  const steps = [
    {
      from: 1,
      apply: (config: Record<string, unknown>) => ({ ...config, seen: [...((config['seen'] ?? []) as number[]), 1] }),
    },
    {
      from: 2,
      apply: (config: Record<string, unknown>) => ({ ...config, seen: [...((config['seen'] ?? []) as number[]), 2] }),
    },
  ]
  assert.deepEqual(migrate({ version: 1 }, steps), { version: 3, seen: [1, 2] })
  assert.deepEqual(migrate({ version: 2 }, steps), { version: 3, seen: [2] })
  assert.deepEqual(migrate({ version: 3 }, steps), { version: 3 })
  assert.throws(() => migrate({ version: 4 }, steps), { name: 'UsageError', message: /newer/ })
  assert.throws(() => parseConfig(migrate({ version: 'one' }, steps)), { name: 'UsageError' })
})

test('the home: flag, SOTTO_HOME, XDG_DATA_HOME, ~/.local/share', () => {
  const env = { SOTTO_HOME: '/b', XDG_DATA_HOME: '/c', HOME: '/d' }
  assert.equal(resolveHome('/a', env), '/a')
  assert.equal(resolveHome(undefined, env), '/b')
  assert.equal(resolveHome(undefined, { ...env, SOTTO_HOME: '' }), '/c/sotto')
  assert.equal(resolveHome(undefined, { HOME: '/d' }), '/d/.local/share/sotto')
  assert.ok(resolveHome('relative', env).startsWith('/'))
})

test('the path of the socket always fits in 100 bytes, and differs for different homes', () => {
  assert.equal(socketPathFor('/home/a', {}), '/home/a/api.sock')
  const long = `/home/${'x'.repeat(120)}`
  assert.match(
    socketPathFor(long, { XDG_RUNTIME_DIR: '/run/user/1000' }),
    /^\/run\/user\/1000\/sotto-\d+-[0-9a-f]{16}\/api.sock$/,
  )
  const home = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 120 })
    .map((text) => `/${text.replaceAll('\0', '')}`)
  fc.assert(
    fc.property(home, fc.option(fc.string({ maxLength: 200 }), { nil: undefined }), (path, runtime) => {
      assert.ok(Buffer.byteLength(socketPathFor(path, { XDG_RUNTIME_DIR: runtime })) <= 100)
      assert.notEqual(socketPathFor(`${path}${'x'.repeat(100)}`, {}), socketPathFor(`${path}${'y'.repeat(100)}`, {}))
    }),
    { numRuns: 30 },
  )
})

test('the log keeps to its level, names its part and hides what a field’s name gives away', () => {
  const lines: string[] = []
  const log = createLogger('info', { write: (line) => lines.push(line) })
  log.debug('hidden')
  log
    .child('outbox')
    .info('sent', { count: 3, apiToken: 'C4N4RY', recovery_phrase: 'C4N4RY', text: 'C4N4RY', context: 'fine' })
  log.warn('late')
  log.error('failed', { error: 'TypeError' })
  assert.equal(lines.length, 3)
  const first = JSON.parse(lines[0] ?? '') as Record<string, unknown>
  assert.deepEqual([first['component'], first['msg'], first['count'], first['context']], ['outbox', 'sent', 3, 'fine'])
  assert.ok(!lines.join('').includes('C4N4RY'))
  assert.match(readable(lines[0] ?? ''), /^\d\d:\d\d:\d\d info outbox: sent count=3 apiToken="\[redacted\]"/)
  assert.match(readable(lines[2] ?? ''), /ERROR failed error="TypeError"\n$/)
})

test('OP-05 NA-06 the role says whether mail of others is held, and the settings have the last word', () => {
  assert.deepEqual(
    ROLE_NAMES.map((role) => parseConfig({ role }).holder.enabled),
    [true, false, false, false],
  )
  assert.equal(parseConfig({ role: 'bootstrap', holder: { enabled: true } }).holder.enabled, true)
  assert.equal(parseConfig({ holder: { enabled: false } }).holder.enabled, false)
  assert.throws(() => parseConfig({ role: 'supernode' }), /role/)
})

test('NA-09 contacts may learn our address unless the settings say never', async (t) => {
  const home = await tempHome(t)
  assert.equal((await loadSettings({ home, env: {} })).direct, 'always')
  assert.equal((await loadSettings({ home, env: { SOTTO_DIRECT: 'never' } })).direct, 'never')
  assert.equal((await loadSettings({ home, env: {}, flags: { direct: 'never' } })).direct, 'never')
  assert.throws(() => parseConfig({ direct: 'sometimes' }), /direct/)
})

test('OP-06 OP-02 the local network is looked at unless the settings say no; a peer list may lie anywhere', async (t) => {
  const home = await tempHome(t)
  const plain = await loadSettings({ home, env: {} })
  assert.deepEqual([plain.mdns, plain.peerList], [true, undefined])
  const told = await loadSettings({ home, env: { SOTTO_MDNS: 'false', SOTTO_PEER_LIST: '/etc/sotto/peers.json' } })
  assert.deepEqual([told.mdns, told.peerList], [false, '/etc/sotto/peers.json'])
  const flagged = await loadSettings({
    home,
    env: { SOTTO_MDNS: 'true' },
    flags: { mdns: false, peerList: 'here.json' },
  })
  assert.deepEqual([flagged.mdns, flagged.peerList], [false, 'here.json'])
})
