/** What a relay gives, and to whom: places, circuits, shares of its rate. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import fc from 'fast-check'
import { concat } from '../../../src/lib/bytes.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { ROLES } from '../../../src/lib/roles.ts'
import { MINUTE_MS } from '../../../src/lib/time.ts'
import { Circuits } from '../../../src/net/reach/circuits.ts'
import { FairRate } from '../../../src/net/reach/fair-rate.ts'
import { HOP_STATUS, delimited, hopStatus } from '../../../src/net/reach/hop.ts'
import { Reservations } from '../../../src/net/reach/reservations.ts'
import { Waiting } from '../../../src/net/reach/waiting.ts'

function carrying(circuitsMax: number, circuitsPerPeerMax: number) {
  const clock = new VirtualClock()
  const circuits = new Circuits({ circuitsMax, circuitsPerPeerMax }, clock)
  const cut: string[] = []
  const holds = new Map<string, number>()
  const take = (id: string, destination: string, network?: string) =>
    circuits.take({ id, network }, destination, {
      cut: () => void cut.push(`${id}>${destination}`),
      held: () => holds.get(id) ?? 0,
    })
  return { circuits, clock, cut, holds, take }
}

test('OP-16 circuits are bounded, over all and for either end', () => {
  const { circuits, cut, take } = carrying(3, 2)
  const first = take('a', 'x')
  assert.ok(take('a', 'y'))
  assert.equal(take('a', 'z'), undefined, 'the third from one peer')
  assert.ok(take('b', 'x'))
  assert.equal(take('b', 'z'), undefined, 'the fourth of all')
  first?.end()
  first?.end()
  assert.ok(take('c', 'x'))
  assert.equal(circuits.size, 3)
  assert.deepEqual(cut, [])
  circuits.cutAll()
  assert.deepEqual([cut.length, circuits.size], [3, 0])
})

test('AS-08 one stranger, or one network of free ids, keeps nobody from reaching a peer over its relay', () => {
  const { cut, take } = carrying(32, 4)
  for (let id = 0; id < 4; id++) assert.ok(take(`liar-${id}`, 'victim', '4/6.6.6'))
  assert.ok(take('friend', 'victim', '4/1.1.1'))
  assert.deepEqual(cut, ['liar-0>victim'])
  assert.equal(take('liar-0', 'victim', '4/6.6.6'), undefined, 'at once it gets nothing back')
  assert.ok(take('another', 'victim', '4/2.2.2'))
  assert.ok(take('a third', 'victim', '4/3.3.3'))
  assert.deepEqual(cut, ['liar-0>victim', 'liar-1>victim', 'liar-2>victim'], 'no friend was cut')
  assert.ok(take('victim', 'victim', '4/6.6.6'), 'it can always see whether its place is good')
  assert.equal(cut.length, 3)
})

test('AS-08 a relay that is full of one network’s circuits still carries others, and cuts no one of those who have little', () => {
  const { circuits, cut, take } = carrying(32, 4)
  assert.ok(take('early friend', 'x', '4/1.1.1'))
  for (let at = 0; at < 31; at++) assert.ok(take(`liar-${at}`, `liars-${at % 16}`, '4/6.6.6'))
  for (let at = 0; at < 10; at++) assert.ok(take(`friend-${at}`, 'y'.repeat((at % 5) + 1), `4/2.2.${at}`))
  assert.equal(circuits.size, 32)
  assert.equal(cut.length, 10)
  assert.ok(cut.every((text) => text.startsWith('liar')))
})

test('AS-08 where everybody has one circuit, the longest silent goes, but not in its first minute', async () => {
  const { clock, cut, take } = carrying(4, 4)
  const places = ['a', 'b', 'c', 'd'].map((id, at) => take(id, 'x', `4/1.1.${at}`))
  assert.equal(take('late', 'x', '4/9.9.9'), undefined)
  await clock.advance(MINUTE_MS)
  for (const place of [places[0], places[1], places[3]]) place?.moved()
  assert.ok(take('late', 'x', '4/9.9.9'))
  assert.deepEqual(cut, ['c>x'])
  await clock.advance(MINUTE_MS)
  assert.equal(take('b', 'y', '4/1.1.1'), undefined, 'who has one already is not helped against those who have one')
})

test('AS-08 who makes its circuits anew before their minute is over is no newcomer each time', async () => {
  const { clock, cut, take } = carrying(32, 4)
  const networks = [0, 1, 2, 3]
  let held = networks.map((at) => take(`liar-${at}`, 'victim', `4/6.${at}`))
  let ids = 0
  for (let round = 0; round < 5; round++) {
    await clock.advance(50_000)
    for (const place of held) place?.end()
    held = networks.map((at) => take(`liar-${at}-${ids++}`, 'victim', `4/6.${at}`))
  }
  for (const at of [0, 1, 2]) assert.ok(take(`friend-${at}`, 'victim', `4/1.${at}`), `friend ${at}`)
  assert.equal(cut.length, 3)
  assert.ok(cut.every((text) => text.startsWith('liar')))
  for (const at of networks) take(`liar-${at}-again`, 'victim', `4/6.${at}`)
  assert.ok(
    cut.every((text) => text.startsWith('liar')),
    'and friends have their first minute',
  )
  await clock.advance(3 * MINUTE_MS)
  assert.ok(take('friend-4', 'victim', '4/1.4'), 'and who stays has it no more')
})

test('AS-08 after a pause of a minute a circuit is new again', async () => {
  const { clock, cut, take } = carrying(32, 1)
  take('a', 'x', '4/1.1')?.end()
  await clock.advance(MINUTE_MS)
  assert.ok(take('a', 'x', '4/1.1'))
  assert.equal(take('b', 'x', '4/2.2'), undefined)
  await clock.advance(MINUTE_MS)
  assert.ok(take('b', 'x', '4/2.2'))
  assert.deepEqual(cut, ['a>x'])
})

test('NA-02 to see whether its place is one costs a peer none of its circuits', () => {
  const { cut, take } = carrying(32, 2)
  for (const to of ['x', 'y']) assert.ok(take('a', to))
  for (let at = 0; at < 4; at++) assert.ok(take('a', 'a'), 'full, and tried')
  assert.equal(take('a', 'z'), undefined)
  assert.ok(take('b', 'b'))
  for (const to of ['x', 'y']) assert.ok(take('b', to), 'tried, and none is missing')
  for (const by of ['c', 'd']) assert.ok(take(by, 'b'), 'nor one to it')
  assert.deepEqual(cut, ['a>a', 'a>a'])
})

test('AS-08 within one network ids share, and between two peers the last two circuits stay', async () => {
  const { circuits, cut, take } = carrying(4, 3)
  for (let at = 0; at < 3; at++) assert.ok(take('busy', `x${at}`, '4/1.1.1'))
  assert.ok(take('other', 'y', '4/1.1.1'))
  assert.ok(take('neighbour', 'y', '4/1.1.1'))
  assert.deepEqual(cut, ['busy>x0'])
  const two = carrying(4, 4)
  const first = two.take('a', 'x')
  await two.clock.advance(1_000)
  assert.ok(two.take('a', 'x'))
  await two.clock.advance(1_000)
  first?.moved()
  assert.ok(two.take('a', 'x'))
  assert.deepEqual([two.cut, two.circuits.size], [['a>x'], 2])
  first?.end()
  assert.equal(two.circuits.size, 1, 'the one that had moved was kept')
  assert.equal(circuits.size, 4)
})

test('AS-08 where circuits hold too much together, those that hold most are cut', () => {
  const { circuits, cut, holds, take } = carrying(8, 8)
  for (const [id, bytes] of Object.entries({ a: 10, b: 1_000, c: 0, d: 500, e: 990 })) {
    holds.set(id, bytes)
    assert.ok(take(id, 'x'))
  }
  circuits.relieve(2_500)
  assert.deepEqual(cut, [])
  circuits.relieve(600)
  assert.deepEqual(cut, ['b>x', 'e>x'])
  assert.equal(circuits.size, 3)
})

async function someone(): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
}

const from = (ip: string) => multiaddr(`/${ip.includes(':') ? 'ip6' : 'ip4'}/${ip}/tcp/4001`)

function reserving({ reservationsMax = 64, clock = new VirtualClock() } = {}) {
  const state = { open: true }
  const displaced: string[] = []
  const places = new Reservations({
    budget: { ...(ROLES.peer.relay ?? assert.fail()), reservationsMax },
    clock,
    isOpen: () => state.open,
    onDisplaced: (peer) => void displaced.push(peer.toString()),
  })
  const reserve = async (ip: string, peer?: PeerId) => places.reserve(peer ?? (await someone()), from(ip)).status
  return { places, state, displaced, reserve }
}

test('NA-02 a place that was lost and taken anew lasts for its own hour, not for the old one’s', async () => {
  const clock = new VirtualClock()
  const { places } = reserving({ clock })
  const peer = await someone()
  assert.deepEqual(places.reserve(peer, from('1.1.1.1')), { status: 'OK', expire: clock.now() / 1_000 + 3_600 })
  await clock.advance(59 * MINUTE_MS)
  places.removeReservation(peer)
  assert.equal(places.get(peer), undefined)
  places.reserve(peer, from('1.1.1.1'))
  await clock.advance(30 * MINUTE_MS)
  assert.deepEqual(places.get(peer)?.limit, { data: 33_554_432n, duration: 3_600 })
  places.reserve(peer, from('1.1.1.1'))
  await clock.advance(59 * MINUTE_MS)
  assert.equal(places.reservations.size, 1, 'renewed')
  await clock.advance(MINUTE_MS)
  assert.deepEqual([places.reservations.size, places.get(peer)], [0, undefined])
})

test('AS-08 places are bounded, one’s own is always renewed, and a relay that is put down gives none', async () => {
  const { places, state, reserve, displaced } = reserving({ reservationsMax: 3 })
  const first = await someone()
  assert.equal(await reserve('6.6.6.1', first), 'OK')
  assert.equal(await reserve('10.0.0.1'), 'OK')
  assert.equal(await reserve('10.0.0.2'), 'OK')
  assert.equal(await reserve('8.8.8.8'), 'RESERVATION_REFUSED', 'all have one')
  assert.equal(await reserve('6.6.6.1', first), 'OK')
  state.open = false
  assert.equal(await reserve('6.6.6.1', first), 'RESERVATION_REFUSED')
  places.removeReservation(first)
  assert.equal(await reserve('8.8.8.8'), 'RESERVATION_REFUSED')
  places.clear()
  assert.deepEqual([places.reservations.size, displaced], [0, []])
})

test('AS-08 who fills a relay from few networks makes room, the last who came first, until networks share alike', async () => {
  const { places, reserve, displaced } = reserving({ reservationsMax: 64 })
  const early = await someone()
  await reserve('6.6.6.1', early)
  for (let at = 0; at < 63; at++) {
    const ip = at % 2 === 0 ? `6.6.${at}.2` : `2a01:4f8:${at}::1`
    assert.equal(await reserve(ip), 'OK', 'who is alone may have all')
  }
  const last = [...places.reservations.keys()]
  const friends = await Promise.all(Array.from({ length: 20 }, someone))
  for (const [at, friend] of friends.entries()) assert.equal(await reserve(`30.${at}.0.1`, friend), 'OK')
  assert.equal(places.reservations.size, 64)
  assert.equal(displaced.length, 20)
  assert.ok(displaced.every((id) => last.slice(-24).includes(id)))
  assert.ok([early, ...friends].every((peer) => places.get(peer) !== undefined))
  for (const ip of ['6.6.1.1', '2a01:4f8:ffff::1']) assert.equal(await reserve(ip), 'RESERVATION_REFUSED', ip)
  for (let at = 0; at < 100; at++) await reserve(`30.0.${at}.1`)
  const inThirty = displaced.filter((id) => friends.some((friend) => friend.toString() === id))
  assert.deepEqual(inThirty, [])
  assert.equal(places.reservations.size, 64)
  assert.ok(displaced.length >= 32 && displaced.length <= 36, `${displaced.length} gave way`)
})

test('OP-16 a relay’s bytes are shared: who wants much waits longer than who wants little', async () => {
  const clock = new VirtualClock()
  const rate = new FairRate(1_000, clock)
  const done: string[] = []
  const want = (key: string, bytes: number): void => void rate.take(key, bytes).then(() => done.push(key))
  for (let at = 0; at < 40; at++) want('greedy', 250)
  await clock.advance(1_000)
  const before = done.length
  for (let at = 0; at < 4; at++) want('modest', 250)
  await clock.advance(2_000)
  const since = done.slice(before)
  assert.equal(since.filter((key) => key === 'modest').length, 4, 'not behind the forty of the other')
  assert.ok(since.length <= 9, `${since.length} of 250 bytes in 2 s at 1,000 bytes a second`)
  await clock.advance(20_000)
  assert.equal(done.length, 44)
})

test('OP-16 three who want much get a third each, whatever the size of what they ask for', async () => {
  const clock = new VirtualClock()
  const rate = new FairRate(100_000, clock)
  const got = { a: 0, b: 0, c: 0 }
  const wantOn = async (key: keyof typeof got, bytes: number): Promise<void> => {
    for (;;) {
      await rate.take(key, bytes)
      got[key] += bytes
    }
  }
  void wantOn('a', 16_384)
  void wantOn('b', 4_000)
  void wantOn('c', 256)
  for (let at = 0; at < 2_000; at++) await clock.advance(10)
  for (const bytes of Object.values(got)) assert.ok(Math.abs(bytes - 2_000_000 / 3) < 40_000, JSON.stringify(got))
})

test('OP-16 when a relay stops, nobody waits for its rate any more, and no timer is left', async () => {
  const timers = new Set<object>()
  const clock = new VirtualClock()
  const counting = {
    now: () => clock.now(),
    after: (delayMs: number, action: () => void) => {
      const timer = {}
      timers.add(timer)
      const cancel = clock.after(delayMs, action)
      return () => {
        timers.delete(timer)
        cancel()
      }
    },
  }
  const rate = new FairRate(1_000, counting)
  const waits = [1, 2, 3].map(async () => rate.take('a', 10_000))
  assert.equal(timers.size, 1)
  rate.release()
  await Promise.all(waits)
  assert.equal(timers.size, 0)
})

test('OP-16 no order of demands makes a relay’s rate larger', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 900 })), { maxLength: 40 }),
      async (wants) => {
        const clock = new VirtualClock()
        const rate = new FairRate(1_000, clock)
        let passed = 0
        for (const [key, bytes] of wants) void rate.take(String(key), bytes).then(() => (passed += bytes))
        await clock.advance(3_000)
        assert.ok(passed <= 3_000 + 250 + 900, `${passed}`)
        await clock.advance(60_000)
        assert.equal(
          passed,
          wants.reduce((sum, [, bytes]) => sum + bytes, 0),
        )
      },
    ),
    { numRuns: 15 },
  )
})

test('AS-08 a relay does not remember for ever who took what', async () => {
  const clock = new VirtualClock()
  const rate = new FairRate(1_000_000, clock)
  for (let at = 0; at < 10_000; at++) void rate.take(`peer ${at}`, 500)
  assert.ok(rate.keys <= 4_096)
  await clock.advance(10_000)
  await rate.take('one more', 1)
  assert.equal(rate.keys, 1, 'nobody was behind')
})

test('AS-08 what waits in a circuit is counted by its pieces, too, and passed on in one order in pieces of its own', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40_000 }), { maxLength: 12 }), (pieces) => {
      const waiting = new Waiting()
      for (const piece of pieces) waiting.push(piece)
      const passed: Uint8Array[] = []
      for (let next = waiting.next(); next !== undefined; next = waiting.next()) passed.push(next)
      assert.deepEqual(concat(...passed), concat(...pieces))
      for (const [at, { length }] of passed.entries()) assert.ok(length === 16_384 || at === passed.length - 1)
      assert.equal(waiting.cost, 0)
    }),
    { numRuns: 30 },
  )
  const tiny = new Waiting()
  for (let at = 0; at < 256; at++) tiny.push(Uint8Array.of(at))
  assert.equal(tiny.cost, 65_536)
  assert.equal(tiny.next()?.length, 256)
})

test('OP-07 the status message of a relay, with its limits, is what the specification says', () => {
  assert.deepEqual([...hopStatus(HOP_STATUS.noReservation)], [0x08, 2, 0x28, 0xcc, 0x01])
  const limited = hopStatus(HOP_STATUS.ok, { circuitBytesMax: 300, circuitMs: 120_000 })
  assert.deepEqual([...limited], [0x08, 2, 0x22, 5, 0x08, 120, 0x10, 0xac, 0x02, 0x28, 100])
  assert.deepEqual([...delimited(limited).subarray(0, 2)], [11, 0x08])
})
