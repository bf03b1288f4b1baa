/** What volunteers are told to do (bootstrap/): the unit, the guide's commands, signs of life, the signed list. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ROLES } from '../../src/lib/roles.ts'
import { CONNECTIONS_PER_NETWORK_MAX } from '../../src/net/protocols.ts'
import { callApi } from '../support/local-api.ts'
import { Testbed, until } from '../support/daemons.ts'
import type { StatusView } from '../../src/api/application/account.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const guide = readFileSync(join(ROOT, 'bootstrap', 'README.md'), 'utf8')
const unit = readFileSync(join(ROOT, 'bootstrap', 'sotto@.service'), 'utf8')
const bed = new Testbed()
after(() => bed.close())

const has = (tool: string): boolean => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0

/** All values of a setting, in order. */
function setting(name: string): readonly string[] {
  const lines = unit.split('\n').filter((line) => line.startsWith(`${name}=`))
  return lines.map((line) => line.slice(name.length + 1))
}

/** The commands of the guide's `sh` blocks, line by line. */
const commands = [...guide.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'))
const those = (tool: string): readonly string[] => commands.filter((line) => line.split(' ')[0] === tool)

test('CL-09 OP-17 the unit waits for the daemon, restarts it, and lets it do what it has to and no more', () => {
  const wanted: Readonly<Record<string, string>> = {
    Type: 'notify',
    NotifyAccess: 'all',
    WatchdogSec: '2min',
    Restart: 'always',
    DynamicUser: 'yes',
    StateDirectoryMode: '0700',
    UMask: '0077',
    NoNewPrivileges: 'yes',
    CapabilityBoundingSet: '',
    AmbientCapabilities: '',
    ProtectSystem: 'strict',
    ProtectHome: 'yes',
    PrivateTmp: 'yes',
    PrivateDevices: 'yes',
    PrivateUsers: 'yes',
    ProtectKernelTunables: 'yes',
    ProtectKernelModules: 'yes',
    ProtectKernelLogs: 'yes',
    ProtectControlGroups: 'yes',
    RestrictNamespaces: 'yes',
    RestrictSUIDSGID: 'yes',
    LockPersonality: 'yes',
    SystemCallArchitectures: 'native',
    LimitCORE: '0',
    After: 'network-online.target',
    WantedBy: 'multi-user.target',
  }
  for (const [name, value] of Object.entries(wanted)) assert.deepEqual(setting(name), [value], name)
  for (const name of ['MemoryMax', 'TasksMax', 'LimitNOFILE', 'SystemCallFilter'])
    assert.ok(setting(name).length > 0, name)
  // It compiles at run time, and lists the network interfaces over netlink.
  assert.deepEqual(setting('MemoryDenyWriteExecute'), [])
  assert.match(setting('RestrictAddressFamilies').join(), /\bAF_NETLINK\b/)
  assert.ok(Number(setting('LimitNOFILE')[0]) > 2 * ROLES.relay.connectionsMax)
})

if (has('systemd-analyze')) {
  test('CL-09 OP-17 systemd takes the unit as it is, and rates its exposure below 2 of 10', (t) => {
    const file = join(bed.root, 'sotto@4001.service')
    writeFileSync(file, unit.replace('/usr/local/bin/sotto daemon', '/bin/true'))
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' })
    assert.deepEqual([verified.status, verified.stderr], [0, ''])
    const rated = spawnSync('systemd-analyze', ['security', '--offline=true', file], { encoding: 'utf8' })
    const [, exposure = ''] = /Overall exposure level[^:]*: ([0-9.]+)/.exec(rated.stdout) ?? []
    t.diagnostic(`exposure ${exposure}`)
    assert.ok(Number(exposure) > 0 && Number(exposure) < 2, rated.stdout.slice(-200) + rated.stderr)
  })
}

test('OP-17 every command of the guide is of a kind that is checked, and names files that are there', () => {
  const kinds = ['cd', 'chmod', 'ln', 'install', 'systemctl', 'journalctl', 'docker', 'nft', 'sotto']
  assert.ok(commands.length > 15)
  for (const line of commands) assert.ok(kinds.includes(line.split(' ')[0] ?? ''), line)
  const named = commands.flatMap((line) => line.match(/\/opt\/sotto\/[\w./@-]+/g) ?? [])
  assert.ok(named.length >= 3)
  for (const path of named) assert.ok(existsSync(path.replace('/opt/sotto', ROOT)), path)
  for (const line of commands) assert.equal(spawnSync('sh', ['-n', '-c', line]).status, 0, line)
})

test('OP-17 the limits in the guide are those of the roles', () => {
  const row = (name: string): string => new RegExp(`^\\| role \`${name}\` \\|(.*)$`, 'm').exec(guide)?.[1] ?? ''
  for (const name of ['bootstrap', 'relay'] as const) {
    const { connectionsMax, relay } = ROLES[name]
    assert.ok(relay !== undefined)
    for (const number of [connectionsMax, relay.reservationsMax, relay.circuitsMax])
      assert.ok(row(name).includes(number.toLocaleString('en')), `${name}: ${number}`)
    assert.ok(row(name).includes(`${relay.circuitBytesMax / 1_048_576} MiB`))
    assert.ok(row(name).includes(`${relay.circuitsPerPeerMax} a peer`))
  }
  assert.match(guide, new RegExp(`\\| ${CONNECTIONS_PER_NETWORK_MAX} connections in \\|`))
})

// Rules are checked by the kernel, in a network of their own.
if (has('nft') && spawnSync('unshare', ['-n', 'nft', 'list', 'tables']).status === 0) {
  test('OP-17 the firewall rules of the guide are taken by the kernel', () => {
    const script = those('nft').join(' && ')
    const done = spawnSync('unshare', ['-n', 'sh', '-c', `${script} && nft list table inet sotto`], {
      encoding: 'utf8',
    })
    assert.equal(done.status, 0, done.stderr)
    assert.match(done.stdout, /dport 4001 accept/)
  })
}

test('OP-17 CL-09 the daemon says when it is ready, that it lives, and that it stops', async () => {
  const [bin, said] = [join(bed.root, 'bin'), join(bed.root, 'said')]
  mkdirSync(bin)
  writeFileSync(join(bin, 'systemd-notify'), `#!/bin/sh\necho "$NOTIFY_SOCKET" "$@" >> ${said}\nenv >> ${said}.env\n`, {
    mode: 0o755,
  })
  const home = join(bed.root, 'supervised')
  mkdirSync(home, { mode: 0o700 })
  const env = {
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    NOTIFY_SOCKET: '/run/systemd/notify',
    WATCHDOG_USEC: '900000',
    SOTTO_ROLE: 'bootstrap',
    SOTTO_NETWORK: 'local',
    SOTTO_HOME: home,
    SOTTO_LISTEN: '/ip4/127.0.0.1/tcp/0',
    SOTTO_PASSPHRASE: 'hidden from children',
  }
  const child = bed.launch(['daemon'], { logFile: join(bed.root, 'logs', 'supervised.log'), env })
  const lines = (): readonly string[] => (existsSync(said) ? readFileSync(said, 'utf8').trim().split('\n') : [])
  await until('signs of life', async () => lines().filter((line) => line.endsWith('WATCHDOG=1')).length >= 3)
  assert.match(lines()[0] ?? '', /^\/run\/systemd\/notify READY=1 STATUS=empty/)
  const status = await callApi<StatusView>(home, 'GET', '/status')
  assert.deepEqual([status.state, status.holder.serving], ['empty', false])
  child.kill('SIGTERM')
  await until('it has stopped', async () => child.exitCode !== null)
  assert.equal(child.exitCode, 0)
  assert.ok(lines().some((line) => line.endsWith('STOPPING=1')))
  assert.ok(!readFileSync(`${said}.env`, 'utf8').includes('hidden from children'))
})

test('OP-17 OP-02 the sotto commands of the guide do what it says', async () => {
  const run = async (args: readonly string[]) => bed.run(args, { env: { SOTTO_NETWORK: 'local' } })
  const peer = bed.daemon('4001', { passphrase: null, flags: ['--role', 'bootstrap'] })
  await peer.start()
  const others = [1, 2, 3].map((n) => bed.daemon(`other${n}`, { passphrase: null, bootstrap: [peer.address] }))
  await Promise.all(others.map((other) => other.start()))
  const key = join(bed.root, 'keeper1.key')
  const made = await run(['peer-list', 'key', key, '--json'])
  const { publicKey } = JSON.parse(made.stdout) as { publicKey: string }
  bed.file('example.json', JSON.stringify({ name: 'example', listKeys: [publicKey] }))
  const done = new Set<string>()
  for (const line of those('sotto')) {
    const args = line.split(' ').slice(1)
    if (args[1] === 'key') continue
    const home = /^\/var\/lib\/sotto\/400[12]$/
    const real = args.map((arg) => {
      if (home.test(arg)) return peer.home
      return /^(peers\.json|keeper1\.key|example\.json)$/.test(arg) ? join(bed.root, arg) : arg
    })
    const outcome = await run(real)
    assert.equal(outcome.code, 0, `${line}: ${outcome.stderr}`)
    done.add(`${args[0] ?? ''} ${args[0] === 'peer-list' ? (args[1] ?? '') : ''}`.trim())
  }
  assert.deepEqual([...done].sort(), [
    'net',
    'peer-list check',
    'peer-list new',
    'peer-list sign',
    'peers',
    'status',
    'wait',
  ])
})
