/** Repair's parts one by one; the whole is in test/integration/repair.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { utf8 } from '../../../src/lib/bytes.ts'
import { eachBounded } from '../../../src/lib/bounded.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { NetworkError, StorageError } from '../../../src/lib/errors.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { HOUR_MS } from '../../../src/lib/time.ts'
import { placement, rungPlacement } from '../../../src/protocol/replicas.ts'
import { Distrust, DISTRUST_MS, DISTRUSTED_MAX } from '../../../src/services/distrust/distrust.ts'
import type { EvidenceStore } from '../../../src/services/distrust/distrust.ts'
import { Ages } from '../../../src/services/repair/ages.ts'
import { Budget, COPY_BYTES_PER_SECOND } from '../../../src/services/repair/budget.ts'
import { Neighbours, REQUESTS_MAX } from '../../../src/services/repair/neighbours.ts'
import type { RepairCounters } from '../../../src/services/repair/ports.ts'
import { zoneAt } from '../../../src/services/repair/zones.ts'
import { EVIDENCE_BYTES_MAX, SIGHTINGS_MAX } from '../../../src/store/peer-notes.ts'
import type { Evidence } from '../../../src/store/peer-notes.ts'
import type { HolderRequest, HolderResponse } from '../../../src/wire/holder.ts'
import type { PeerRecord } from '../../../src/wire/peer.ts'

const never = new AbortController().signal

test('MB-17 a peer is as old as we have seen it, whatever short gaps there were', async () => {
  const clock = new VirtualClock()
  const ages = new Ages(clock, HOUR_MS)
  ages.seen('a')
  for (let i = 0; i < 10; i++) {
    await clock.advance(0.9 * HOUR_MS)
    ages.seen('a')
  }
  assert.equal(ages.of('a'), 9 * HOUR_MS)
  await clock.advance(1.1 * HOUR_MS)
  assert.equal(ages.of('a'), 0, 'away for too long')
  ages.seen('a')
  await clock.advance(1_000)
  assert.equal(ages.of('a'), 1_000)
  assert.equal(ages.of('stranger'), 0)
})

test('MB-17 a peer that stays connected is seen all the while', async () => {
  const clock = new VirtualClock()
  const ages = new Ages(clock, HOUR_MS)
  ages.connected('a', true)
  await clock.advance(20 * HOUR_MS)
  assert.equal(ages.of('a'), 20 * HOUR_MS)
  assert.ok(ages.isConnected('a'))
  ages.connected('a', false)
  await clock.advance(HOUR_MS / 2)
  assert.equal(ages.of('a'), 20.5 * HOUR_MS)
  await clock.advance(HOUR_MS)
  assert.equal(ages.of('a'), 0)
})

test('MB-17 ages outlive the process; while nobody looks no time passes', async () => {
  const clock = new VirtualClock()
  const before = new Ages(clock, HOUR_MS)
  before.connected('a', true)
  before.seen('a')
  await clock.advance(5 * HOUR_MS)
  before.seen('b')
  const saved = before.list()
  await clock.advance(100 * HOUR_MS)
  const after = new Ages(clock, HOUR_MS)
  after.restore(saved)
  assert.equal(after.of('a'), 5 * HOUR_MS)
  assert.equal(after.of('b'), 0)
  await clock.advance(2 * HOUR_MS)
  assert.equal(after.of('a'), 0, 'it did not show itself')
})

test('MB-26 who only connects may be a person: nothing of it outlives the process', () => {
  const ages = new Ages(new VirtualClock(), HOUR_MS)
  ages.connected('a person', true)
  ages.connected('a holder', true)
  ages.seen('a holder')
  ages.connected('a holder', false)
  ages.connected('a person', false)
  assert.deepEqual(
    ages.list().map(({ peerId }) => peerId),
    ['a holder'],
  )
})

test('the table of ages is bounded; who was seen the longest ago goes first', () => {
  const ages = new Ages(new VirtualClock(), HOUR_MS)
  for (let i = 0; i <= SIGHTINGS_MAX; i++) ages.seen(`peer-${i}`)
  const names = ages.list().map(({ peerId }) => peerId)
  assert.equal(names.length, SIGHTINGS_MAX)
  assert.ok(!names.includes('peer-0'))
})

test('the byte budget lets a second through at once and then as much a second', async () => {
  const clock = new VirtualClock()
  const budget = new Budget(clock)
  let sent = 0
  const work = eachBounded(
    Array.from({ length: 100 }, () => 66_000),
    8,
    async (bytes) => {
      await budget.take(bytes, never)
      sent += bytes
    },
  )
  await clock.advance(0)
  assert.ok(sent > 0 && sent <= COPY_BYTES_PER_SECOND)
  await clock.advance(2_000)
  assert.ok(sent > 2 * COPY_BYTES_PER_SECOND && sent <= 3 * COPY_BYTES_PER_SECOND)
  await clock.advance(10_000)
  await work
  assert.equal(sent, 6_600_000)
})

const REQUEST: HolderRequest = { kind: 14, body: {} }
const answer = (status: HolderResponse['status']): HolderResponse => {
  return { status, answer: { kind: 0, body: {} }, closer: [] }
}

function neighboursWith(reply: (peerId: string) => Promise<HolderResponse>, patient = true) {
  const clock = new VirtualClock()
  const counters: RepairCounters = { rounds: 0, audited: 0, copies: 0, copiedBytes: 0, tombstones: 0, failures: 0 }
  const evicted: string[] = []
  let asked = 0
  const link = async (peer: PeerRecord) => {
    const request = async (_: HolderRequest, signal: AbortSignal): Promise<HolderResponse> => {
      asked++
      signal.throwIfAborted()
      return Promise.race([
        reply(peer.id),
        new Promise<never>((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(signal.reason as Error)
          })
        }),
      ])
    }
    return { peerId: peer.id, challenge: new Uint8Array(32), alive: true, request }
  }
  const routing = {
    self: () => ({ id: 'self', addresses: [] }),
    closest: async () => [],
    known: () => [],
    learn() {},
    evict: (peerId: string) => void evicted.push(peerId),
  }
  const deps = { clock, network: { link, onPeerChange: () => () => {} }, routing }
  const ages = new Ages(clock, HOUR_MS)
  const neighbours = new Neighbours({ deps, ages, counters, signal: never, patient })
  return { clock, counters, evicted, neighbours, ages, asked: () => asked }
}

const PEER: PeerRecord = { id: 'a', addresses: [] }

test('a peer that hangs costs a round one deadline; then it is out, and out of the table', async () => {
  const { clock, neighbours, evicted, counters, asked } = neighboursWith(async () => new Promise<never>(() => {}))
  const first = neighbours.ask(PEER, REQUEST)
  await clock.advance(5_000)
  assert.equal(await first, undefined)
  for (let i = 0; i < 10; i++) assert.equal(await neighbours.ask(PEER, REQUEST), undefined)
  assert.deepEqual(evicted, ['a'])
  assert.equal(asked(), 1)
  assert.equal(counters.failures, 1)
  assert.ok(neighbours.isOut('a'))
})

test('who says that we ask too much is asked again later; whoever leaves has no time for that', async () => {
  let busy = 2
  const patient = neighboursWith(async () => answer(busy-- > 0 ? 3 : 0))
  const asked = patient.neighbours.ask(PEER, REQUEST)
  for (const pauseMs of [0, 1_000, 2_000]) await patient.clock.advance(pauseMs)
  assert.equal((await asked)?.status, 0)
  assert.equal(patient.asked(), 3)
  const leaving = neighboursWith(async () => answer(3), false)
  assert.equal(await leaving.neighbours.ask(PEER, REQUEST), undefined)
  assert.ok(leaving.neighbours.isOut('a'))
  assert.deepEqual(leaving.evicted, [], 'it is there, only busy')
})

test('an answer is a sighting; a fault of ours is no failure of the peer', async () => {
  const fine = neighboursWith(async () => answer(0))
  await fine.neighbours.ask(PEER, REQUEST)
  await fine.clock.advance(1_000)
  assert.equal(fine.ages.of('a'), 1_000)
  const broken = neighboursWith(async () => {
    throw new TypeError('ours')
  })
  await assert.rejects(broken.neighbours.ask(PEER, REQUEST), TypeError)
  assert.ok(!broken.neighbours.isOut('a'))
  const down = neighboursWith(async () => {
    throw new NetworkError('gone')
  })
  assert.equal(await down.neighbours.ask(PEER, REQUEST), undefined)
})

test('a peer is asked so much in a round and no more, whatever its answers call for', async () => {
  const { neighbours, asked } = neighboursWith(async () => answer(0))
  for (let i = 0; i < REQUESTS_MAX + 10; i++) await neighbours.ask(PEER, REQUEST)
  assert.equal(asked(), REQUESTS_MAX)
})

const positionOf = (peerId: string): Uint8Array => crypto.sha256(utf8(peerId))

function zoneDeps(peers: readonly PeerRecord[], serving: boolean, onSearch = () => {}) {
  const nearest = (target: Uint8Array, count: number): PeerRecord[] =>
    peers.toSorted((a, b) => (distance(target, a.id) < distance(target, b.id) ? -1 : 1)).slice(0, count)
  const distance = (target: Uint8Array, peerId: string): string =>
    Buffer.from(positionOf(peerId).map((byte, i) => byte ^ (target[i] ?? 0))).toString('hex')
  const routing = {
    self: () => ({ id: 'self', addresses: [] }),
    known: nearest,
    closest: async (target: Uint8Array, count: number) => {
      onSearch()
      return nearest(target, count)
    },
    learn() {},
    evict() {},
  }
  const facts = { publicKey: () => undefined, position: positionOf }
  return {
    crypto,
    routing,
    peers: facts,
    serving: () => serving,
    profile: { repairIntervalMs: HOUR_MS, diversity: true },
  }
}

test('a zone is the twenty nearest with oneself among them if near enough, and a search is made only from afar', async () => {
  const peers = Array.from({ length: 60 }, (_, i) => ({ id: `peer-${i}`, addresses: [] }))
  let [searches, inside] = [0, 0]
  for (let i = 0; i < 40; i++) {
    const address = crypto.sha256(utf8(`address-${i}`))
    const before = searches
    const zone = await zoneAt(
      zoneDeps(peers, true, () => searches++),
      address,
      0,
      () => false,
      never,
    )
    assert.equal(zone.members.length, zone.hasSelf ? 19 : 20)
    assert.equal(searches - before, zone.hasSelf ? 0 : 1)
    if (zone.hasSelf) inside++
    const notServing = await zoneAt(zoneDeps(peers, false), address, 0, () => false, never)
    assert.equal(notServing.hasSelf, false)
  }
  assert.ok(inside > 3 && inside < 37)
})

test('rungs have zones of their own, and who said good-bye is in none', async () => {
  const peers = Array.from({ length: 60 }, (_, i) => ({ id: `peer-${i}`, addresses: [] }))
  const address = crypto.sha256(utf8('some address'))
  assert.deepEqual(rungPlacement(crypto, address, 0), placement(crypto, address))
  const [first, second] = await Promise.all(
    ([0, 1] as const).map(async (rung) => zoneAt(zoneDeps(peers, true), address, rung, () => false, never)),
  )
  assert.notDeepEqual(first?.members, second?.members)
  const gone = first?.members[0]?.id ?? ''
  const without = await zoneAt(zoneDeps(peers, true), address, 0, (peerId) => peerId === gone, never)
  assert.ok(!without.members.some(({ id }) => id === gone))
})

class MemoryEvidence implements EvidenceStore {
  readonly map = new Map<string, Evidence>()
  fails = false
  async all(): Promise<readonly Evidence[]> {
    if (this.fails) throw new StorageError('broken')
    return [...this.map.values()]
  }
  async save(evidence: Evidence): Promise<void> {
    if (this.fails) throw new StorageError('broken')
    this.map.set(evidence.peerId, evidence)
  }
  async remove(peerIds: readonly string[]): Promise<void> {
    for (const peerId of peerIds) this.map.delete(peerId)
  }
}

test('MB-20 AS-03 a liar is left out for a week, with what it was caught by, across a restart', async () => {
  const clock = new VirtualClock()
  const store = new MemoryEvidence()
  const distrust = new Distrust({ clock, log: silentLogger, store })
  await distrust.start()
  distrust.note('liar', 'possession', new Uint8Array(10_000))
  await distrust.stop()
  const again = new Distrust({ clock, log: silentLogger, store })
  await again.start()
  assert.ok(again.has('liar') && !again.has('honest'))
  const [evidence] = again.list()
  assert.deepEqual(
    [evidence?.kind, evidence?.bytes.length, evidence?.at],
    ['possession', EVIDENCE_BYTES_MAX, clock.now()],
  )
  await clock.advance(DISTRUST_MS)
  assert.ok(!again.has('liar'))
  assert.deepEqual(again.list(), [])
  await again.stop()
  assert.equal(store.map.size, 0)
})

test('MB-20 the book of liars is bounded, and a disk that fails takes nothing from it', async () => {
  const store = new MemoryEvidence()
  store.fails = true
  const distrust = new Distrust({ clock: new VirtualClock(), log: silentLogger, store })
  await distrust.start()
  for (let i = 0; i <= DISTRUSTED_MAX; i++) distrust.note(`liar-${i}`, 'receipt', new Uint8Array(1))
  assert.equal(distrust.list().length, DISTRUSTED_MAX)
  assert.ok(!distrust.has('liar-0') && distrust.has('liar-1'))
  await distrust.stop()
})
