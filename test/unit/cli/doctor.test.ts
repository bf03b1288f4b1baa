import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { StatusView } from '../../../src/api/application/account.ts'
import type { NetView } from '../../../src/api/application/network.ts'
import type { Check } from '../../../src/cli/doctor/check.ts'
import * as daemon from '../../../src/cli/doctor/daemon.ts'
import * as machine from '../../../src/cli/doctor/machine.ts'
import { figures } from '../../../src/cli/metrics.ts'
import { Redactor } from '../../../src/cli/redact.ts'
import { NetworkError } from '../../../src/lib/errors.ts'
import { ALICE, BOB, contactView, fakeApplication, hexId, messageView } from '../api/fake-application.ts'
import { tempHome } from '../api/harness.ts'
import { sotto, start } from './world.ts'

const MIB = 1_048_576
const NOW = Date.parse('2026-11-21T13:20:00.000Z')
const at = (ms: number): string => new Date(NOW + ms).toISOString()
const results = (checks: readonly Check[]): readonly string[] => checks.map(({ result }) => result)

test('CL-14 doctor, this machine: each finding, and what to do about what is not well', () => {
  assert.deepEqual(results(['24.7.0', '25.0.0', '24.6.9', '22.18.0'].map(machine.nodeCheck)), [
    'ok',
    'ok',
    'fail',
    'fail',
  ])
  const home = (mode: number | undefined, own = true, loose: string[] = []): Check =>
    machine.homeCheck({ mode, own, loose })
  const homes = [
    home(0o40700),
    home(undefined),
    home(0o40700, false),
    home(0o40777),
    home(0o40755),
    home(0o40700, true, ['vault']),
  ]
  assert.deepEqual(results(homes), ['ok', 'warn', 'fail', 'fail', 'warn', 'warn'])
  const disk = [5_000 * MIB, 500 * MIB, 50 * MIB, undefined].map(machine.diskCheck)
  assert.deepEqual(results(disk), ['ok', 'warn', 'fail', 'warn'])
  const config = [{ warnings: [] }, { warnings: ['x'] }, { fault: 'x', warnings: [] }].map(machine.configCheck)
  assert.deepEqual(results(config), ['ok', 'warn', 'fail'])
  assert.deepEqual(results([0o140600, 0o140666, undefined].map(machine.socketCheck)), ['ok', 'warn', 'fail'])
  for (const { result, advice } of [...homes, ...disk, ...config]) assert.equal(advice === '', result === 'ok')
})

test('CL-14 doctor, the daemon: each finding', async () => {
  const fake = fakeApplication()
  const status = await fake.status()
  const states = (['ready', 'joining', 'locked', 'empty'] as const).map((state): StatusView => ({ ...status, state }))
  assert.deepEqual(results(states.map(daemon.accountCheck)), ['ok', 'warn', 'warn', 'warn'])
  assert.deepEqual(results([daemon.versionCheck('1.0.0', '1.0.0'), daemon.versionCheck('1.0.0', '1.0.1')]), [
    'ok',
    'warn',
  ])
  const net = await fake.net()
  const peers = { connected: 3, holders: 3, relayed: 0 }
  const nets: NetView[] = [
    { ...net, peers, reachability: 'public' },
    { ...net, peers, reachability: 'behind-nat', relays: [] },
    { ...net, peers, reachability: 'behind-nat', relays: [{ peerId: 'x', expiresAt: at(0) }] },
    { ...net, peers, reachability: 'unknown' },
    { ...net, peers: { ...peers, connected: 0 }, hints: [] },
  ]
  assert.deepEqual(results(nets.map(daemon.reachCheck)), ['ok', 'warn', 'ok', 'ok', 'fail'])
  const mailbox = { ...(await fake.mailbox()), complete: true, waiting: 0 }
  const boxes = [at(-60_000), at(-7_200_000), null].map((lastSweepAt) =>
    daemon.mailboxCheck({ ...mailbox, lastSweepAt }, NOW),
  )
  const partly = daemon.mailboxCheck({ ...mailbox, lastSweepAt: at(-1_000), complete: false }, NOW)
  assert.deepEqual(results([...boxes, partly]), ['ok', 'warn', 'warn', 'warn'])
  const identity = await fake.identity()
  const day = 86_400_000
  const cards = [30 * day, 3 * day, -day].map((ms) => {
    const devices = [{ deviceId: hexId(1), expiresAt: at(ms), self: true }]
    return daemon.cardCheck({ ...identity, devices }, NOW)
  })
  assert.deepEqual(results([...cards, daemon.cardCheck({ ...identity, devices: [] }, NOW)]), [
    'ok',
    'warn',
    'fail',
    'fail',
  ])
  const prekeys = await fake.prekeys()
  const pools = [100, 9].map((total) => daemon.prekeysCheck({ ...prekeys, total, target: 100 }))
  assert.deepEqual(results(pools), ['ok', 'warn'])
})

test('CL-14 doctor: a clock that is off shows in what comes from the future over a direct connection', () => {
  const message = (sentMs: number, more = {}) =>
    messageView(hexId(1), BOB, { outgoing: false, path: 'direct', sentAt: at(sentMs), committedAt: at(0), ...more })
  assert.equal(daemon.clockCheck([]).result, 'ok')
  assert.equal(daemon.clockCheck([message(-1_000), message(-86_400_000), message(60_000)]).result, 'ok')
  assert.equal(daemon.clockCheck([message(-1_000), message(600_000)]).result, 'warn')
  assert.equal(daemon.clockCheck([message(600_000, { outgoing: true })]).result, 'ok')
})

test('CL-14 doctor without a daemon: what can be seen is said, exit code 6; with a fault of its own 1', async (t) => {
  const home = await tempHome(t)
  await chmod(home, 0o700)
  const down = await sotto(home, ['doctor', '--json'])
  const items = down.json['items'] as Check[]
  assert.equal(down.code, 6)
  assert.deepEqual(
    items.map(({ name }) => name),
    ['node', 'config', 'home', 'disk', 'daemon'],
  )
  await writeFile(join(home, 'config.json'), '{"moon":1}', { mode: 0o600 })
  const both = await sotto(home, ['doctor'])
  assert.equal(both.code, 1)
  assert.match(both.out, /fail {2}config +.*unknown setting moon\n +→ mend it/)
  const nowhere = join(home, 'not', 'there')
  assert.match((await sotto(nowhere, ['doctor'])).out, /warn {2}home[^]*sotto init/)
})

test('CL-14 doctor with a daemon: every check, one line each, and in JSON', async (t) => {
  const { home, application } = await start(t)
  await chmod(home, 0o700)
  const { out, code } = await sotto(home, ['doctor'], { terminal: { stdout: true }, env: { NO_COLOR: '1' } })
  assert.equal(code, out.includes('fail') ? 1 : 0)
  for (const name of ['node', 'config', 'home', 'disk', 'daemon', 'socket', 'version', 'account', 'network', 'mailbox'])
    assert.match(out, new RegExp(`^(ok  |warn|fail)  ${name} `, 'm'))
  application.state = 'locked'
  const locked = (await sotto(home, ['doctor', '--json'])).json['items'] as Check[]
  assert.equal(locked.find(({ name }) => name === 'account')?.result, 'warn')
  assert.ok(!locked.some(({ name }) => name === 'mailbox'))
  const loose = join(home, 'vault')
  await writeFile(loose, '')
  await chmod(loose, 0o644)
  const found = (await sotto(home, ['doctor', '--json'])).json['items'] as Check[]
  assert.match(found.find(({ name }) => name === 'home')?.detail ?? '', /vault/)
})

const PEER = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'
const OTHER_PEER = '12D3KooWLJtG8fd2hkQzTn96MrLvThmnNQjTUFZwGEsLRz5EmSzc'
const CANARIES = [
  'C4N4RYNAME',
  'c4n4ry-home',
  '203.0.113.77',
  'c4n4ry.example',
  PEER,
  OTHER_PEER,
  ALICE,
  BOB,
  hexId(0xc4),
  'C4N4RYLOG',
]

test('CL-14 bugreport: nobody is in it, and the same thing has the same name in all of it', async (t) => {
  const { home: base, application } = await start(t)
  application.contactList.push(contactView(ALICE, 'C4N4RYNAME', { note: 'C4N4RYNAME' }))
  application.receive(BOB, 'C4N4RYNAME')
  const address = `/ip4/203.0.113.77/tcp/4001/p2p/${PEER}`
  const [status, net] = await Promise.all([application.status(), application.net()])
  application.status = async () => ({
    ...status,
    network: 'C4N4RYNAME',
    accountId: ALICE,
    deviceId: hexId(0xc4),
    peerId: PEER,
    addresses: [address, `/dns4/c4n4ry.example/tcp/443/tls/ws/p2p/${OTHER_PEER}/p2p-circuit`],
  })
  application.net = async () => ({
    ...net,
    summary: address,
    hints: [address],
    addresses: [address],
    observed: address,
  })
  application.peers = async () => [
    { peerId: PEER, address, direction: 'inbound', roundTripMs: 3, streams: 1, holder: true, encryption: 'noise' },
  ]
  const config = {
    bootstrap: [address],
    passphraseFile: '/c4n4ry-home/pass',
    hooks: { onMessage: ['C4N4RYNAME'] },
    log: { level: 'warn' },
  }
  await writeFile(join(base, 'config.json'), JSON.stringify(config))
  const line = (fields: object): string => JSON.stringify({ time: at(0), level: 40, component: 'api', ...fields })
  const log = [
    line({ security: true, msg: 'a request without a valid token', times: 3 }),
    line({ security: true, msg: 'C4N4RYLOG', peer: PEER, times: 1 }),
    line({ msg: 'C4N4RYLOG' }),
    'C4N4RYLOG "security":true',
  ].join('\n')
  const file = join(base, 'report.json')
  const env = { SOTTO_NETWORK: 'C4N4RYNAME' }
  const made = await sotto(base, ['bugreport', file, '--log', '-'], { input: log, env })
  assert.equal(made.code, 0, made.err)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  const text = await readFile(file, 'utf8')
  for (const canary of [...CANARIES, base]) assert.ok(!text.includes(canary), canary)
  const report = JSON.parse(text) as Report
  const [first, second] = report.security
  const event = 'a request without a valid token'
  assert.deepEqual(first, { at: at(0), level: 40, component: 'api', event, times: 3 })
  assert.deepEqual(report.security.length, 2)
  assert.match(second?.event ?? '', /^text#\d+$/)
  const { status: told, peers, net: network } = report.daemon
  assert.match(told.addresses[0] ?? '', /^\/ip4\/ip#\d+\/tcp\/4001\/p2p\/peer#\d+$/)
  assert.match(told.addresses[1] ?? '', /^\/dns4\/ip#\d+\/tcp\/443\/tls\/ws\/p2p\/peer#\d+\/p2p-circuit$/)
  assert.equal(told.addresses[0]?.split('/').at(-1), peers[0]?.peerId)
  assert.equal(told.peerId, peers[0]?.peerId)
  assert.equal(network.hints, 1)
  assert.deepEqual([told.state, told.version, peers[0]?.encryption], ['ready', '0.1.0', 'noise'])
  assert.equal(report.config.log.level, 'warn')
})

interface Report {
  readonly security: readonly { readonly event: string }[]
  readonly config: { readonly log: { readonly level: string } }
  readonly daemon: {
    readonly status: {
      readonly addresses: readonly string[]
      readonly peerId: string
      readonly state: string
      readonly version: string
    }
    readonly peers: readonly { readonly peerId: string; readonly encryption: string }[]
    readonly net: { readonly hints: number }
  }
}

test('CL-14 bugreport is made where no daemon answers, or one that answers half', async (t) => {
  const { home, application } = await start(t)
  application.net = async () => {
    throw new NetworkError(`no way to ${PEER}`)
  }
  const half = JSON.parse((await sotto(home, ['bugreport'])).out) as { daemon: Record<string, { error?: string }> }
  assert.equal(half.daemon['net']?.error, 'NetworkError')
  assert.equal(half.daemon['status']?.error, undefined)
  const other = await tempHome(t)
  await mkdir(join(other, 'x'))
  const down = JSON.parse((await sotto(join(other, 'x'), ['bugreport'])).out) as typeof half
  assert.equal(down.daemon['status']?.error, 'DaemonError')
})

test('CL-14 whatever a view grows, a text that is not known to be harmless is replaced', () => {
  const redactor = new Redactor()
  const found = redactor.value({
    state: PEER,
    role: 'Bob Smith',
    version: 'my secret',
    somethingNew: 'bob',
    [BOB]: 1,
    list: ['bob', 'carol'],
    at: '2026-11-21T13:20:00.000Z',
    number: 3,
    nothing: null,
    yes: true,
  })
  assert.deepEqual(found, {
    state: 'peer#1',
    role: 'text#1',
    version: 'text#2',
    somethingNew: 'text#3',
    'key#1': 1,
    list: ['text#3', 'text#4'],
    at: '2026-11-21T13:20:00.000Z',
    number: 3,
    nothing: null,
    yes: true,
  })
})

test('figures are added up over what they are broken down by; buckets are left out', () => {
  const text =
    '# HELP a x\n# TYPE a counter\na{route="/x y",s="{}"} 2\na{route="/y"} 3\nb 1.5\nc_bucket{le="1"} 4\nnonsense\n'
  assert.deepEqual(figures(text), [
    { metric: 'a', value: 5 },
    { metric: 'b', value: 1.5 },
  ])
})
