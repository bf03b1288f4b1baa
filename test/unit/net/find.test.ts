import { test } from 'node:test'
import assert from 'node:assert/strict'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { VirtualClock, systemClock } from '../../../src/lib/clock.ts'
import { NetworkError } from '../../../src/lib/errors.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { LOCAL, MAIN } from '../../../src/lib/network-profile.ts'
import { randomBelow, seededRng } from '../../../src/lib/rng.ts'
import { CANDIDATES_MAX, LIVE_FOR_MS, LiveTable } from '../../../src/net/find/live-table.ts'
import { compareDistance } from '../../../src/protocol/replicas.ts'
import { positions } from '../../../src/net/peer-id.ts'
import type { HolderLink } from '../../../src/net/ports.ts'
import { PeerRouting } from '../../../src/net/routing.ts'
import { HOLDER_VERB } from '../../../src/wire/holder.ts'
import type { PeerRecord } from '../../../src/wire/peer.ts'
import { until } from './hosts.ts'

const SEED = 20_261_121
const ADDRESS = ['/ip4/8.8.8.8/tcp/1']
const positionOf = positions((bytes) => nativeProvider.sha256(bytes))

async function ids(count: number): Promise<string[]> {
  const rng = seededRng(SEED)
  const keys = Array.from({ length: count }, async () => generateKeyPairFromSeed('Ed25519', rng.bytes(32)))
  return (await Promise.all(keys)).map((key) => peerIdFromPrivateKey(key).toString())
}

const place = (id: string): Uint8Array => positionOf(id) ?? assert.fail(id)
const sorted = (all: readonly string[], target: Uint8Array): string[] =>
  [...all].sort((a, b) => compareDistance(target, place(a), place(b)))

/** A network where every peer knows its 20 nearest and 20 at random. */
class Net {
  readonly all: string[]
  readonly dead = new Set<string>()
  readonly known = new Map<string, string[]>()
  readonly evicted: string[] = []
  asked = 0

  constructor(all: string[]) {
    const rng = seededRng(SEED)
    this.all = all
    for (const id of all) {
      const others = all.filter((other) => other !== id)
      const random = Array.from({ length: 20 }, () => others[randomBelow(rng, others.length)] ?? assert.fail())
      this.known.set(id, [...new Set([...sorted(others, place(id)).slice(0, 20), ...random])])
    }
  }

  /** What this peer would answer; a test may lie instead. */
  answer(id: string, target: Uint8Array): readonly PeerRecord[] {
    return sorted(this.known.get(id) ?? [], target)
      .slice(0, 20)
      .map((near) => ({ id: near, addresses: ADDRESS }))
  }

  async link(peer: PeerRecord): Promise<HolderLink> {
    this.asked++
    if (this.dead.has(peer.id) || !this.known.has(peer.id)) throw new NetworkError('refused')
    return {
      peerId: peer.id,
      challenge: new Uint8Array(32),
      alive: true,
      request: async (request) => {
        assert.equal(request.kind, HOLDER_VERB.find)
        await new Promise((resolve) => setImmediate(resolve))
        const target = request.kind === HOLDER_VERB.find ? request.body.target : new Uint8Array(32)
        return { status: 0, answer: { kind: 0, body: {} }, closer: this.answer(peer.id, target) }
      },
    }
  }

  routing(selfId: string, profile = LOCAL): { routing: PeerRouting; table: LiveTable } {
    const table = new LiveTable(selfId, positionOf, systemClock)
    const link = async (peer: PeerRecord): Promise<HolderLink> => this.link(peer)
    const deps = {
      selfId,
      selfAddresses: () => [],
      table,
      positionOf,
      profile,
      clock: systemClock,
      log: silentLogger,
      link,
      onEvicted: (id: string) => void this.evicted.push(id),
    }
    return { routing: new PeerRouting(deps), table }
  }
}

const names = (records: readonly PeerRecord[]): string[] => records.map((record) => record.id)
const soon = (): AbortSignal => AbortSignal.timeout(10_000)

test('find: from three known peers of 300 to the true 20 nearest, with few queries', async () => {
  const net = new Net(await ids(300))
  const selfId = net.all[0] ?? assert.fail()
  const { routing, table } = net.routing(selfId)
  for (const id of net.all.slice(10, 13)) table.seen(id, ADDRESS, true)
  const rng = seededRng(SEED)
  for (let i = 0; i < 5; i++) {
    const target = rng.bytes(32)
    net.asked = 0
    const found = await routing.closest(target, 20, soon())
    assert.deepEqual(
      names(found),
      sorted(
        net.all.filter((id) => id !== selfId),
        target,
      ).slice(0, 20),
      `seed ${SEED}`,
    )
    assert.ok(net.asked <= 60, `${net.asked} queries`)
    for (const record of found) table.seen(record.id, record.addresses, true)
  }
})

test('find: with half of the peers dead, all that is found is alive and nearest, and the dead are evicted', async () => {
  const net = new Net(await ids(120))
  const [selfId = '', ...others] = net.all
  const { routing, table } = net.routing(selfId)
  for (const id of others) table.seen(id, ADDRESS, true)
  for (const [index, id] of others.entries()) if (index % 2 === 0) net.dead.add(id)
  for (const id of net.dead) table.disconnected(id)
  const target = seededRng(3).bytes(32)
  const found = names(await routing.closest(target, 8, soon()))
  const alive = sorted(
    others.filter((id) => !net.dead.has(id)),
    target,
  )
  assert.deepEqual(found, alive.slice(0, 8))
  net.asked = 0
  await routing.closest(target, 8, soon())
  assert.ok(net.asked <= 12, `a second find meets no dead peer: ${net.asked} queries`)
})

test('find: peers that a liar invents are tried, never returned, and do not keep it going for ever', async () => {
  const all = await ids(200)
  const net = new Net(all.slice(0, 50))
  const invented = all.slice(50)
  const liar = net.all[5] ?? assert.fail()
  const honest = net.answer.bind(net)
  net.answer = (id, target) =>
    id === liar
      ? sorted(invented, target)
          .slice(0, 20)
          .map((fake) => ({ id: fake, addresses: ADDRESS }))
      : honest(id, target)
  const { routing, table } = net.routing(net.all[0] ?? assert.fail())
  for (const id of net.all.slice(1, 12)) table.seen(id, ADDRESS, true)
  const found = names(await routing.closest(place(liar), 8, soon()))
  assert.ok(found.length >= 8 && found.every((id) => net.known.has(id)))
  assert.ok(net.asked <= 64)
  net.asked = 0
  await routing.closest(place(liar), 8, soon())
  assert.ok(net.asked <= 12, `the invented ones are remembered as failed: ${net.asked} queries`)
})

test('find ends with what it has when its caller gives up, and blames nobody', async () => {
  const net = new Net(await ids(40))
  const { routing, table } = net.routing(net.all[0] ?? assert.fail())
  for (const id of net.all.slice(1)) table.seen(id, ADDRESS, true)
  net.link = async () => new Promise(() => {})
  const aborter = new AbortController()
  setTimeout(() => {
    aborter.abort()
  }, 30)
  assert.equal((await routing.closest(new Uint8Array(32), 8, aborter.signal)).length, 8)
  assert.equal(table.size, 39)
})

test('a slow peer does not hold up the others', async () => {
  const net = new Net(await ids(40))
  const { routing, table } = net.routing(net.all[0] ?? assert.fail())
  for (const id of net.all.slice(1)) table.seen(id, ADDRESS, true)
  const target = new Uint8Array(32)
  const slow = new Set(sorted(net.all.slice(1), target).slice(0, 4))
  const link = net.link.bind(net)
  net.link = async (peer) => {
    if (slow.has(peer.id)) await new Promise((resolve) => setTimeout(resolve, 600))
    return link(peer)
  }
  const start = performance.now()
  assert.equal((await routing.closest(target, 8, soon())).length, 8)
  assert.ok(performance.now() - start < 1_500, 'four slow ones cost little more than one')
})

test('the table believes no stranger: named peers are candidates, live ones keep their own addresses', async () => {
  const [selfId = '', a = '', b = ''] = await ids(3)
  const clock = new VirtualClock()
  const table = new LiveTable(selfId, positionOf, clock)
  const deps = { selfId, selfAddresses: () => [], table, positionOf, clock, log: silentLogger }
  const routing = new PeerRouting({
    ...deps,
    profile: MAIN,
    link: async () => Promise.reject(new NetworkError('no')),
    onEvicted() {},
  })
  table.seen(a, ADDRESS, true)
  routing.learn(a, [
    { id: a, addresses: ['/ip4/1.1.1.1/tcp/1'] },
    { id: b, addresses: ['/ip4/10.0.0.1/tcp/1', '/ip4/9.9.9.9/tcp/1'] },
    { id: selfId, addresses: ADDRESS },
    { id: 'nobody', addresses: ADDRESS },
  ])
  assert.deepEqual(names(routing.known(new Uint8Array(32), 9)), [a])
  assert.deepEqual(table.record(a)?.addresses, ADDRESS)
  assert.deepEqual(table.record(b)?.addresses, [`/ip4/9.9.9.9/tcp/1/p2p/${b}`], 'the private address is dropped')
  routing.evict(b)
  routing.learn(a, [{ id: b, addresses: ADDRESS }])
  assert.equal(table.record(b), undefined, 'it failed a moment ago')
  table.disconnected(a)
  await clock.advance(LIVE_FOR_MS + 1)
  assert.deepEqual(routing.known(new Uint8Array(32), 9), [])
  table.seen(b, [], true)
  assert.deepEqual(routing.known(new Uint8Array(32), 9), [], 'nobody could dial it')
})

test('AS-03 OP-27 a live peer that fails is benched, tried again once, and then forgotten', async () => {
  const [selfId = '', a = ''] = await ids(2)
  const clock = new VirtualClock()
  const table = new LiveTable(selfId, positionOf, clock)
  table.seen(a, ADDRESS, true)
  table.evict(a)
  assert.deepEqual([table.isLive(a), table.hasNearCandidates(20)], [false, false])
  await clock.advance(20_001)
  assert.equal(table.hasNearCandidates(20), true)
  assert.deepEqual(names(table.nearestCandidates(table.selfPosition, 5).map((contact) => contact.record)), [a])
  table.evict(a)
  await clock.advance(20_001)
  assert.equal(table.record(a), undefined)
  table.seen(a, ADDRESS, true)
  table.remove(a)
  assert.equal(table.record(a), undefined)
})

test('F22 OP-27 a dead peer is not brought back by those who name it, each time for longer; who shows itself is in at once', async () => {
  const [selfId = '', a = ''] = await ids(2)
  const clock = new VirtualClock()
  const table = new LiveTable(selfId, positionOf, clock)
  const record = { id: a, addresses: ADDRESS }
  const believed = async (afterMs: number): Promise<boolean> => {
    await clock.advance(afterMs)
    table.learn(record)
    return table.record(a) !== undefined
  }
  table.seen(a, ADDRESS, true)
  assert.equal(table.evict(a), true)
  assert.equal(table.evict(a), false, 'one failure, noticed twice')
  await clock.advance(20_000)
  table.evict(a) // the one more try
  for (const forMs of [40_000, 80_000, 160_000, 320_000, 600_000, 600_000]) {
    assert.equal(await believed(forMs - 1), false, `${forMs} ms`)
    assert.equal(await believed(1), true)
    table.evict(a)
  }
  table.seen(a, [], true)
  assert.ok(table.isLive(a))
  table.seen(a, ADDRESS, true)
  table.evict(a)
  assert.equal(await believed(20_000), true, 'forgiven')
})

test('MB-20 who is refused is nothing, whatever it and others say', async () => {
  const [selfId = '', a = ''] = await ids(2)
  const clock = new VirtualClock()
  const table = new LiveTable(selfId, positionOf, clock)
  const record = { id: a, addresses: ADDRESS }
  table.introduce(record)
  assert.equal(table.isLive(a), false)
  assert.deepEqual(names(table.nearestCandidates(table.selfPosition, 5).map((contact) => contact.record)), [a])
  table.refuse(a)
  table.seen(a, ADDRESS, true)
  table.introduce(record)
  table.learn(record)
  assert.equal(table.record(a), undefined)
  await clock.advance(600_001)
  table.seen(a, ADDRESS, true)
  assert.ok(table.isLive(a), 'after ten minutes it is looked at again')
})

test('find: who is silent is waited for a second, is not in the result, and is judged when its time is over', async () => {
  const net = new Net(await ids(40))
  const { routing, table } = net.routing(net.all[0] ?? assert.fail())
  for (const id of net.all.slice(1)) table.seen(id, ADDRESS, true)
  const target = new Uint8Array(32)
  const frozen = new Set(sorted(net.all.slice(1), target).slice(0, 3))
  const link = net.link.bind(net)
  net.link = async (peer) => {
    if (!frozen.has(peer.id)) return link(peer)
    await new Promise((resolve) => setTimeout(resolve, 1_600))
    throw new NetworkError('it said nothing')
  }
  const found = names(await routing.closest(target, 8, soon()))
  assert.deepEqual(
    found,
    sorted(net.all.slice(1), target)
      .filter((id) => !frozen.has(id))
      .slice(0, 8),
  )
  assert.deepEqual(net.evicted, [], 'not yet')
  await until(() => net.evicted.length === frozen.size)
  assert.deepEqual(new Set(net.evicted), frozen)
})

test('the table is bounded against floods of names', async () => {
  const clock = new VirtualClock()
  const rng = seededRng(SEED)
  const fake = (): Uint8Array => rng.bytes(32)
  const table = new LiveTable('self', fake, clock)
  for (let i = 0; i < 3 * CANDIDATES_MAX; i++) table.learn({ id: `c${i}`, addresses: ADDRESS })
  assert.equal(table.nearestCandidates(fake(), 10_000).length, CANDIDATES_MAX)
  for (let i = 0; i < 1_200; i++) table.seen(`l${i}`, ADDRESS, i < 10)
  assert.equal(table.size, 1_000)
  assert.ok(table.isLive('l0'), 'connected ones stay')
})

test('a failure at addresses that others gave does not evict a peer whose own were not tried', async () => {
  const [selfId = '', a = '', b = ''] = await ids(3)
  const table = new LiveTable(selfId, positionOf, new VirtualClock())
  const lie = { id: a, addresses: ['/ip4/1.1.1.1/tcp/1'] }
  table.seen(a, ADDRESS, false)
  table.unreachable(lie)
  assert.ok(table.isLive(a))
  assert.deepEqual(table.withKnown(lie).addresses, [...ADDRESS, ...lie.addresses], 'its own word first')
  table.unreachable(table.withKnown(lie))
  assert.ok(!table.isLive(a))
  assert.deepEqual(table.withKnown(lie).addresses, [...ADDRESS, ...lie.addresses], 'remembered on the bench')
  table.unreachable(lie)
  assert.deepEqual(table.record(a)?.addresses, ADDRESS)
  table.learn({ id: b, addresses: ['/ip4/9.9.9.9/tcp/1'] })
  const granted = { id: b, addresses: ADDRESS }
  assert.deepEqual(table.withKnown(granted).addresses, [...ADDRESS, '/ip4/9.9.9.9/tcp/1'], 'hearsay comes last')
  table.unreachable(granted)
  assert.equal(table.record(b), undefined, 'hearsay is not defended')
})
