/** Joining without anyone: every bootstrap node is dead, from the start or from one moment to the next. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { TestContext } from 'node:test'
import { makeListKey, newPeerList, signPeerList } from '../../src/peer-list-tool.ts'
import { befriend, PASSPHRASE, pause, startNetwork, Testbed, until } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'

/** Nobody listens there. */
const DEAD = [1, 2, 3].map(
  (port) => `/ip4/127.0.0.1/tcp/${port}/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA`,
)
const beds: Testbed[] = []
after(() => Promise.all(beds.map((bed) => bed.close())))

function testbed(): Testbed {
  const bed = new Testbed()
  beds.push(bed)
  return bed
}

/** An account of a daemon that is all alone: its cards go out when somebody comes. */
async function alone(bed: Testbed, name: string): Promise<Daemon> {
  const daemon = bed.daemon(name, { bootstrap: DEAD })
  await daemon.start()
  await daemon.api('POST', '/identity', { passphrase: PASSPHRASE })
  return daemon
}

async function talk(from: Daemon, to: Daemon, text: string): Promise<void> {
  const sent = await from.send(await to.accountId(), text)
  await from.reaches(sent.id, 'delivered')
  await to.receives(await from.accountId(), text)
}

async function linkOf(daemon: Daemon): Promise<string> {
  return (await daemon.api<{ link: string }>('GET', '/invite?token=true')).link
}

test('SE-10 OP-01 every bootstrap node dead from the start: who is invited joins by the addresses in the invite', async (t) => {
  const bed = testbed()
  const alice = await alone(bed, 'alice')
  const bob = await alone(bed, 'bob')
  await pause(1_000)
  assert.deepEqual([(await alice.status()).peers, (await bob.status()).peers], [0, 0])
  await befriend(bob, alice, 'invite')
  await talk(alice, bob, 'we need nobody')

  await t.test('OP-06 OP-26 and comes back by the cache, the best peers first', async (t) => {
    await bob.stop()
    await bob.start()
    const begun = Date.now()
    await until('bob is back', async () => (await bob.status()).peers >= 1)
    t.diagnostic(`joined ${Date.now() - begun} ms after the API answered`)
    await talk(bob, alice, 'I remembered you')
  })
})

test('SE-10 an invite accepted while its maker is away: a neighbour named in it lets the guest in', async () => {
  const bed = testbed()
  const [alice] = await startNetwork(bed, 5, ['alice'])
  assert.ok(alice !== undefined)
  const link = await linkOf(alice)
  const { accountId } = await alice.api<{ accountId: string }>('GET', '/identity')
  await alice.stop()
  const guest = await alone(bed, 'guest')
  await guest.api('POST', '/contacts', { target: link, name: 'alice' })
  assert.ok((await guest.status()).peers >= 1)
  await alice.start()
  await until(
    'alice is asked',
    async () => {
      return (await alice.contact(await guest.accountId())).state === 'incoming'
    },
    60_000,
  )
  await alice.api('POST', `/contacts/${await guest.accountId()}/accept`, { name: 'guest' })
  await until('the guest is accepted', async () => (await guest.contact(accountId)).state === 'accepted', 60_000)
})

test('SE-10 nobody answers: the invite stays among the ways in, over a restart too', async () => {
  const bed = testbed()
  const alice = await alone(bed, 'alice')
  const bob = await alone(bed, 'bob')
  const link = await linkOf(alice)
  await alice.kill()
  await assert.rejects(bob.api('POST', '/contacts', { target: link, name: 'alice' }))
  assert.equal((await bob.status()).peers, 0)
  await alice.start()
  await until('bob goes on trying', async () => (await bob.status()).peers >= 1)
  await alice.kill()
  await bob.stop()
  await bob.start()
  await alice.start()
  await until('bob remembers over a restart', async () => (await bob.status()).peers >= 1)
})

test('VI-01 OP-06 five peers, and every bootstrap node is killed: they talk on, come back, and let new ones in', async () => {
  const bed = testbed()
  const [alice, bob] = await startNetwork(bed, 4, ['alice', 'bob'])
  assert.ok(alice !== undefined && bob !== undefined)
  const [bootstrap] = bed.daemons
  assert.ok(bootstrap !== undefined)
  await befriend(alice, bob)
  await bootstrap.kill()
  rmSync(join(bootstrap.home, 'node.key'))
  await talk(alice, bob, 'nobody is missed')
  const bobId = await bob.accountId()
  await bob.stop()
  const { id } = await alice.send(bobId, 'while you were away')
  await alice.reaches(id, 'stored', 60_000)
  await bob.start()
  await bob.receives(await alice.accountId(), 'while you were away', 60_000)
  const carol = await alone(bed, 'carol')
  await befriend(carol, bob)
  await talk(bob, carol, 'welcome')
})

/** A network of its own, so that nobody else on this machine's network hears of it. */
function network(bed: Testbed, privateAddresses: boolean, listKeys: readonly string[] = []): string {
  const name = `t${randomBytes(6).toString('hex')}`
  const rest = { puzzleBits: 0, stampBits: 1, holderUptimeMs: 0, collectIntervalMs: 15_000, inboundPerSecond: 1_000 }
  return bed.file(`${name}.json`, JSON.stringify({ name, privateAddresses, listKeys, ...rest }))
}

test('OP-02 OP-01 a daemon joins by the signed list in its home: one of three peers lives', async () => {
  const bed = testbed()
  const key = join(bed.root, 'keeper.key')
  bed.network = network(bed, true, [await makeListKey(key)])
  const seed = bed.daemon('seed', { bootstrap: [], passphrase: null })
  await seed.start()
  const guest = bed.daemon('guest', { bootstrap: [], passphrase: null })
  const { name } = JSON.parse(readFileSync(bed.network, 'utf8')) as { name: string }
  const file = join(guest.home, 'peers.json')
  writeFileSync(file, await newPeerList({ network: name, peers: [...DEAD.slice(1), seed.address], days: 30 }))
  await guest.start()
  assert.match(guest.log, /the peer list was not accepted/)
  await guest.stop()
  writeFileSync(file, await signPeerList(file, key))
  await guest.start()
  await until('the guest has joined', async () => (await guest.status()).peers >= 1)
})

const ON_ALL = ['--listen', '/ip4/0.0.0.0/tcp/0']

async function onLan(bed: Testbed, name: string, flags: readonly string[] = []): Promise<Daemon> {
  const daemon = bed.daemon(name, { bootstrap: [], flags: [...ON_ALL, ...flags] })
  await daemon.start()
  return daemon
}

test('OP-06 two daemons on one local network find each other by mDNS, become contacts and talk', async () => {
  const bed = testbed()
  bed.network = network(bed, true)
  const alice = await onLan(bed, 'alice')
  const bob = await onLan(bed, 'bob')
  const hidden = await onLan(bed, 'hidden', ['--no-mdns'])
  const server = await onLan(bed, 'server', ['--role', 'bootstrap'])
  bed.network = network(bed, true)
  const foreign = await onLan(bed, 'foreign')
  for (const daemon of [alice, bob])
    await until(`${daemon.name} is found`, async () => (await daemon.status()).peers >= 1)
  await Promise.all([alice.createIdentity(1), bob.createIdentity(1)])
  await befriend(alice, bob, 'account')
  await talk(alice, bob, 'next door')
  for (const daemon of [hidden, server, foreign]) assert.equal((await daemon.status()).peers, 0, daemon.name)
})

test('OP-06 a public network dials private addresses for mDNS only, and passes none of them on', async (t: TestContext) => {
  const bed = testbed()
  bed.network = network(bed, false)
  const alice = await onLan(bed, 'alice')
  const bob = await onLan(bed, 'bob')
  await until('they are connected', async () => (await alice.status()).peers >= 1 && (await bob.status()).peers >= 1)
  const [peer] = await bob.peers()
  t.diagnostic(`connected over ${peer?.address ?? ''}`)
  assert.ok(peer !== undefined && !peer.address.includes('/127.0.0.1/'))
  assert.deepEqual([(await alice.status()).addresses, (await bob.status()).addresses], [[], []])
})
