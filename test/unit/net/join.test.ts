import { test } from 'node:test'
import assert from 'node:assert/strict'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { LOCAL, MAIN } from '../../../src/lib/network-profile.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { Bootstrap } from '../../../src/net/join/bootstrap.ts'
import { fingerprint, isNextDoor } from '../../../src/net/join/interfaces.ts'
import { inviteAddresses, invitedPeers } from '../../../src/net/join/invite-peers.ts'
import { heard } from '../../../src/net/join/lan.ts'
import { LiveTable } from '../../../src/net/find/live-table.ts'
import { positions } from '../../../src/net/peer-id.ts'
import { nativeProvider } from '../../../src/crypto/native.ts'
import type { PeerRecord } from '../../../src/wire/peer.ts'

const ID = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA'
const OTHER = '12D3KooWRRqAo5f41sQmc9BpsfqarZgd7PWUiX14Mz1htXDEc7Gp'
const THIRD = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'

async function pass(clock: VirtualClock, forMs: number): Promise<void> {
  for (let ms = 0; ms < forMs; ms += 100) await clock.advance(100)
}

const seed = (n: number): string => `/ip4/8.8.8.${n}/tcp/4001/p2p/${ID}`
const cachedPeer = (n: number): PeerRecord => ({ id: `cached${n}`, addresses: [`/ip4/9.9.9.${n}/tcp/1`] })

/** A joiner in virtual time; `alive` names who answers: the address of a seed, or the id of a peer. */
function joiner(
  alive: ReadonlySet<string>,
  known: { cached?: readonly PeerRecord[]; invited?: readonly PeerRecord[] },
) {
  const clock = new VirtualClock()
  const state = { connected: 0, tries: [] as { who: string; at: number }[] }
  const answer = async (who: string): Promise<string> => {
    state.tries.push({ who, at: clock.now() })
    if (!alive.has(who)) throw new Error('nobody there')
    state.connected = 1
    return ID
  }
  const bootstrap = new Bootstrap({
    entries: [seed(1), seed(2), seed(3)],
    clock,
    rng: seededRng(7),
    log: silentLogger,
    cached: () => known.cached ?? [],
    invited: () => known.invited ?? [],
    connections: () => state.connected,
    isConnected: () => state.connected > 0,
    dial: async (address) => answer(address.toString()),
    connect: async (peer) => answer(peer.id),
  })
  return { clock, state, bootstrap }
}

test('OP-01 joined within a second by one seed of three, by a cached peer, or by one of an invite', async () => {
  const cached = Array.from({ length: 10 }, (_, i) => cachedPeer(i))
  const invited = [{ id: OTHER, addresses: ['/ip4/7.7.7.7/tcp/1'] }]
  for (const way of [seed(2), 'cached3', OTHER]) {
    const { clock, state, bootstrap } = joiner(new Set([way]), { cached, invited })
    bootstrap.start()
    await pass(clock, 1_000)
    assert.equal(state.connected, 1, way)
    await bootstrap.stop()
  }
})

test('SE-10 all ways are tried side by side, a moment apart, and those of an invite in every whole round', async () => {
  const invited = [{ id: OTHER, addresses: ['/ip4/7.7.7.7/tcp/1'] }]
  const { clock, state, bootstrap } = joiner(new Set(), { cached: [cachedPeer(1)], invited })
  const start = clock.now()
  bootstrap.start()
  await pass(clock, 300)
  assert.deepEqual(state.tries.map(({ who }) => who).sort(), [OTHER, 'cached1', seed(1), seed(2), seed(3)].sort())
  assert.ok(state.tries.every(({ at }) => at - start <= 200))
  await pass(clock, 300_000)
  const own = state.tries.filter(({ who }) => who === OTHER)
  assert.ok(own.length >= 300_000 / 24_000, `${own.length} times`)
  await bootstrap.stop()
})

test('OP-26 of many cached peers the four best are always tried, and eight others at random', async () => {
  const cached = Array.from({ length: 100 }, (_, i) => cachedPeer(i))
  const { clock, state, bootstrap } = joiner(new Set(), { cached })
  bootstrap.start()
  await pass(clock, 400)
  const tried = state.tries.map(({ who }) => who).filter((who) => who.startsWith('cached'))
  assert.equal(tried.length, 12)
  assert.ok([0, 1, 2, 3].every((n) => tried.includes(`cached${n}`)))
  await pass(clock, 600_000)
  const all = new Set(state.tries.map(({ who }) => who))
  assert.ok(all.size > 95, `${all.size} of 103 were tried in ten minutes`)
  await bootstrap.stop()
})

test('DT-15 a network that comes back after an hour is noticed within five seconds', async () => {
  const alive = new Set<string>()
  const { clock, state, bootstrap } = joiner(alive, { cached: Array.from({ length: 50 }, (_, i) => cachedPeer(i)) })
  bootstrap.start()
  await pass(clock, 3_600_000)
  const perMinute = state.tries.length / 60
  assert.ok(perMinute < 200, `${perMinute} dials a minute while alone`)
  for (const way of [seed(1), seed(2), seed(3)]) alive.add(way)
  for (let i = 0; i < 50; i++) alive.add(`cached${i}`)
  await pass(clock, 5_000)
  assert.equal(state.connected, 1)
  await bootstrap.stop()
})

test('AS-08 somebody who lets us in and throws us out at once is dialled twice a second at most', async () => {
  const { clock, state, bootstrap } = joiner(new Set([seed(1)]), {})
  bootstrap.start()
  for (let i = 0; i < 100; i++) {
    await pass(clock, 100)
    state.connected = 0
    bootstrap.nudge()
  }
  const times = state.tries.filter(({ who }) => who === seed(1)).length
  assert.ok(times >= 5 && times <= 21, `${times} in ten seconds`)
  await bootstrap.stop()
})

test('SE-10 an invite names at most four addresses of ours and three neighbours, one address each, over no relay', () => {
  const own = Array.from({ length: 6 }, (_, i) => `/ip4/8.8.8.8/tcp/${i + 1}/p2p/${ID}`)
  const near: PeerRecord[] = [OTHER, THIRD, ID].flatMap((id) => [
    { id, addresses: [`/ip4/1.1.1.1/tcp/5/p2p/${ID}/p2p-circuit/p2p/${id}`] },
    { id, addresses: [`/ip4/1.1.1.1/tcp/5/p2p/${ID}/p2p-circuit/p2p/${id}`, `/ip4/9.9.9.9/tcp/9/p2p/${id}`] },
    { id, addresses: [] },
  ])
  const named = inviteAddresses(own, [...near, ...near], seededRng(3))
  assert.deepEqual(named.slice(0, 4), own.slice(0, 4))
  assert.equal(named.length, 7)
  assert.ok(named.slice(4).every((text) => text.startsWith('/ip4/9.9.9.9/tcp/9/p2p/12D3')))
  assert.deepEqual(inviteAddresses([], [], seededRng(3)), [])
})

test('SE-10 of an invite only what may be dialled in this network is kept, by peer', () => {
  const texts = [
    `/ip4/8.8.8.8/tcp/1/p2p/${ID}`,
    `/ip4/8.8.4.4/tcp/2/p2p/${ID}`,
    `/ip4/10.0.0.1/tcp/1/p2p/${OTHER}`,
    `/dns4/inside.example/tcp/1/p2p/${OTHER}`,
    '/ip4/8.8.8.8/tcp/1/p2p/nobody',
    '/ip4/8.8.8.8/tcp/1',
    'rubbish',
  ]
  assert.deepEqual(invitedPeers(texts, MAIN), [{ id: ID, addresses: [texts[0], texts[1]] }])
  assert.deepEqual(
    invitedPeers(texts, LOCAL).map(({ id }) => id),
    [ID, OTHER],
  )
  const many = Array.from({ length: 100 }, (_, i) => `/ip4/8.8.8.8/tcp/${i + 1}/p2p/${ID}`)
  assert.equal(invitedPeers(many, MAIN)[0]?.addresses.length, 8)
})

const HOME = [{ address: '192.168.1.7', cidr: '192.168.1.7/24' }]

test('OP-06 an mDNS answer speaks only for the host next door that it came from', () => {
  const of = (source: string, ...texts: string[]) => heard(ID, texts, source, HOME)
  const [honest, printer] = [4001, 631].map((port) => `/ip4/192.168.1.9/tcp/${port}/p2p/${ID}`)
  assert.ok(honest !== undefined && printer !== undefined)
  assert.deepEqual(of('192.168.1.9', honest), { id: ID, addresses: [honest] })
  assert.equal(of('192.168.2.9', '/ip4/192.168.2.9/tcp/4001'), undefined, 'not our network')
  assert.equal(of('8.8.8.8', honest), undefined, 'from the internet')
  assert.equal(of('192.168.1.66', honest), undefined, 'an address of somebody else’s')
  assert.deepEqual(of('192.168.1.9', '/ip4/192.168.1.1/tcp/80', honest)?.addresses, [honest])
  for (const bad of [
    printer,
    `/ip4/192.168.1.9/tcp/4001/p2p/${OTHER}`,
    '/ip4/192.168.1.9/udp/4001/quic-v1',
    '/dns4/router.local/tcp/80',
    '/ip4/192.168.1.9/tcp/1/ws',
    'x',
  ])
    assert.equal(of('192.168.1.9', bad), undefined, bad)
  assert.equal(heard('nobody', [honest], '192.168.1.9', HOME), undefined)
  const many = Array.from({ length: 20 }, (_, i) => `/ip4/192.168.1.9/tcp/${i + 2_000}`)
  assert.equal(of('192.168.1.9', ...many)?.addresses.length, 4)
  assert.equal(heard(ID, [honest], '192.168.1.9', [{ address: '192.168.1.7', cidr: '0.0.0.0/0' }]), undefined)
})

test('OP-06 which addresses are next door', () => {
  assert.ok(isNextDoor('192.168.1.255', HOME))
  assert.ok(!isNextDoor('192.168.0.255', HOME))
  assert.ok(!isNextDoor('fd00::1', [{ address: 'fd00::2', cidr: 'fd00::2/64' }]))
  assert.ok(!isNextDoor('', HOME) && !isNextDoor('192.168.1', HOME))
  assert.equal(fingerprint([...HOME, { address: '10.0.0.1', cidr: '10.0.0.1/8' }]), '10.0.0.1/8 192.168.1.7/24')
  assert.equal(fingerprint([]), '')
})

test('DT-15 after an outage nobody is on the bench for not having answered', () => {
  const clock = new VirtualClock()
  const table = new LiveTable(
    ID,
    positions((bytes) => nativeProvider.sha256(bytes)),
    clock,
  )
  table.seen(OTHER, ['/ip4/8.8.8.8/tcp/1'], false)
  table.evict(OTHER)
  table.evict(OTHER)
  assert.ok(table.hasFailed(OTHER) && table.failedLately(OTHER))
  table.forgive()
  assert.ok(!table.hasFailed(OTHER) && !table.failedLately(OTHER))
})
