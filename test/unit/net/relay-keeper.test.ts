import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/lib/time.ts'
import { KnownRelays } from '../../../src/net/reach/known-relays.ts'
import { RelayKeeper } from '../../../src/net/reach/relay-keeper.ts'
import type { PeerRecord } from '../../../src/wire/peer.ts'

/** A keeper among relays of our making. */
function keeping(options: { readonly diversity?: boolean } = {}) {
  const clock = new VirtualClock()
  const places = new Map<string, number>()
  const asked: string[] = []
  const released: string[] = []
  let held: Promise<void> | undefined
  /** Relays answer when the returned function is called. */
  const hold = (): (() => void) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    held = promise
    return resolve
  }
  const [refuses, deaf, lostInTrial] = [new Set<string>(), new Set<string>(), new Set<string>()]
  const state = { refuses, deaf, lostInTrial, walks: 0, changes: 0, trials: 0 }
  const keeper: RelayKeeper = new RelayKeeper({
    clock,
    rng: seededRng(7),
    log: silentLogger,
    diversity: options.diversity ?? true,
    discover: async () => void state.walks++,
    reserve: async ({ id, addresses: [address = ''] }) => {
      asked.push(id)
      await held
      if (state.refuses.has(id)) throw new Error('full')
      const expiresAt = clock.now() + 60 * MINUTE_MS
      if (!lostInTrial.has(id)) places.set(id, expiresAt)
      return { address: `${address}/p2p/${id}`, expiresAt }
    },
    carries: async (address) => {
      state.trials++
      return ![...state.deaf].some((id) => address.endsWith(`/${id}`))
    },
    expiresAt: (id) => places.get(id),
    release: (id) => void released.push(id),
    onChange: () => void state.changes++,
  })
  /** In steps: what promises have to do is done between them. */
  const pass = async (ms: number, stepMs = 500): Promise<void> => {
    for (let left = ms; left >= 0; left -= stepMs) await clock.advance(Math.min(left, stepMs))
  }
  const ids = (): string[] => keeper.places().map(({ record }) => record.id)
  return { keeper, clock, places, asked, released, state, ids, pass, hold }
}

const relay = (at: number, ip = `${20 + at}.0.0.2`): PeerRecord => ({
  id: `relay${at}`,
  addresses: [`/ip4/${ip}/tcp/4001`],
})

test('OP-09 NA-02 two relays of different networks are kept, at random among those known', async () => {
  const { keeper, pass, ids, state } = keeping()
  for (const at of [1, 2, 3]) keeper.met(relay(at, `20.0.0.${at}`))
  keeper.met(relay(4, '30.0.0.1'))
  keeper.start()
  await pass(10_000)
  assert.equal(ids().length, 2)
  assert.ok(ids().includes('relay4'), 'three of one network count as one')
  assert.ok(state.walks > 0, 'few are known: others are looked for first')
  await keeper.stop()
  assert.deepEqual(ids(), [])

  const chosen = new Set<string>()
  for (let run = 0; run < 12; run++) {
    const other = keeping()
    await other.pass(run)
    for (let at = 0; at < 12; at++) other.keeper.met(relay((at + run * 5) % 12))
    other.keeper.start()
    await other.pass(5_000)
    for (const id of other.ids()) chosen.add(id)
    await other.keeper.stop()
  }
  assert.ok(chosen.size > 4, `${chosen.size} of 12 relays were ever chosen`)
})

test('NA-02 where all relays stand in one network two of it are better than one', async () => {
  const { keeper, pass, ids } = keeping()
  for (const at of [1, 2]) keeper.met(relay(at, `20.0.0.${at}`))
  keeper.start()
  await pass(10_000)
  assert.equal(ids().length, 2)
  await keeper.stop()
})

test('NA-02 OP-07 OP-27 a place that is lost, runs out or is given up by its relay is replaced at once', async () => {
  const { keeper, clock, pass, ids, places } = keeping()
  for (const at of [1, 2, 3, 4]) keeper.met(relay(at))
  keeper.start()
  await pass(5_000)
  const [first = '', second = ''] = ids()
  places.delete(first)
  keeper.lost(first)
  assert.deepEqual(ids(), [second])
  await pass(100)
  assert.equal(ids().length, 2)
  assert.ok(!ids().includes(first), 'others are tried before it')
  keeper.unmet(second)
  await pass(100)
  assert.equal(ids().length, 2)
  assert.ok(!ids().includes(second))
  const [third = ''] = ids()
  places.set(third, clock.now() - 1)
  await pass(2 * MINUTE_MS)
  assert.equal(ids().length, 2)
  await keeper.stop()
})

test('NA-02 OP-07 OP-27 the only relay is asked again after its restart, and who refuses is asked less and less', async () => {
  const { keeper, pass, ids, places, state, asked } = keeping()
  keeper.met(relay(1))
  keeper.start()
  await pass(3_000)
  assert.deepEqual(ids(), ['relay1'])
  places.delete('relay1')
  keeper.lost('relay1')
  state.refuses.add('relay1')
  keeper.unmet('relay1')
  await pass(20_000)
  keeper.met(relay(1)) // it is back, and full
  await pass(10 * MINUTE_MS)
  const tries = asked.length
  assert.ok(tries > 4 && tries < 16, `${tries} tries in ten minutes`)
  state.refuses.clear()
  await pass(12 * MINUTE_MS)
  assert.deepEqual(ids(), ['relay1'])
  await keeper.stop()
})

test('OP-09 AS-07 who runs many relays in one network is drawn no more often than who runs one elsewhere', async () => {
  const clock = new VirtualClock()
  const known = new KnownRelays({ clock, rng: seededRng(3), diversity: true })
  for (let at = 0; at < 200; at++) known.met({ id: `many${at}`, addresses: [`/ip4/20.0.${at}.2/tcp/4001`] })
  for (let at = 0; at < 3; at++) known.met(relay(at, `30.${at}.0.2`))
  assert.equal(known.able(new Set()).length, 4 + 3, 'four of a /16 are known')
  let drawn = 0
  for (let at = 0; at < 400; at++) if (known.choose([], new Set())?.id.startsWith('many') === true) drawn++
  assert.ok(drawn > 50 && drawn < 150, `${drawn} of 400 draws fell on one of four networks`)

  known.refused('many0')
  assert.equal(known.met({ id: 'late', addresses: ['/ip4/20.0.250.2/tcp/4001'] }), true)
  assert.ok(
    known.able(new Set()).every(({ id }) => id !== 'many0'),
    'a newcomer replaces one that did not serve',
  )
  const [first = assert.fail()] = known.able(new Set()).filter(({ id }) => id.startsWith('many'))
  for (let at = 0; at < 50; at++) assert.match(known.choose([first], new Set())?.id ?? '', /^relay/)
})

test('NA-02 a relay that takes its place back, or says now and then that it is none, is asked less and less', async () => {
  const { keeper, pass, places, asked, clock } = keeping()
  keeper.met(relay(1))
  keeper.start()
  const endMs = clock.now() + HOUR_MS
  while (clock.now() < endMs) {
    await pass(1_000)
    for (const { record } of keeper.places()) {
      places.delete(record.id)
      keeper.lost(record.id)
    }
    keeper.unmet('relay1')
    keeper.met(relay(1))
  }
  assert.ok(asked.length > 5 && asked.length < 20, `${asked.length} times in an hour`)
  await keeper.stop()
})

test('NA-02 a relay that served well is asked again soon after it was lost', async () => {
  const { keeper, pass, ids, places } = keeping()
  keeper.met(relay(1))
  keeper.start()
  for (let time = 0; time < 6; time++) {
    await pass(11 * MINUTE_MS)
    assert.deepEqual(ids(), ['relay1'])
    places.delete('relay1')
    keeper.lost('relay1')
    await pass(20_000)
    assert.deepEqual(ids(), ['relay1'], `after loss ${time}`)
  }
  await keeper.stop()
})

test('NA-02 a place is tried every half hour, and given up where nothing is carried', async () => {
  const { keeper, pass, ids, state, released } = keeping()
  for (const at of [1, 2, 3]) keeper.met(relay(at))
  keeper.start()
  await pass(5_000)
  const [deaf = '', other = ''] = ids()
  state.deaf.add(deaf)
  await pass(45 * MINUTE_MS)
  assert.ok(state.trials > 1 && state.trials < 8, `${state.trials} trials`)
  assert.ok(!ids().includes(deaf) && ids().includes(other), ids().join(' '))
  assert.equal(ids().length, 2)
  assert.deepEqual(released, [deaf])
  await keeper.stop()
  assert.equal(released.length, 3, 'all are given up at the end')
})

test('OP-09 no relay carries to us for ever, and none is left before another is there', async () => {
  const { keeper, pass, ids, places, clock, state } = keeping()
  for (let at = 0; at < 12; at++) keeper.met(relay(at))
  keeper.start()
  await pass(5_000)
  const first = ids()
  let changes = 0
  let before = first
  for (let minutes = 0; minutes < 25 * 60; minutes += 30) {
    for (let at = 0; at < 12; at++) keeper.met(relay(at))
    for (const id of places.keys()) places.set(id, clock.now() + HOUR_MS)
    await pass(30 * MINUTE_MS, 20_000)
    assert.ok(ids().length >= 2)
    const kept = ids().filter((id) => before.includes(id))
    assert.ok(kept.length > 0, 'contacts know one of them')
    if (kept.length < 2) changes++
    before = ids()
  }
  assert.ok(!first.some((id) => ids().includes(id)), 'both are others after a day')
  assert.ok(changes >= 2 && changes <= 4, `${changes} changes`)
  assert.ok(state.trials > 0)
  await keeper.stop()
})

test('AS-08 NA-02 a place that is got while the keeper stops is given up', async () => {
  const { keeper, pass, ids, released, hold } = keeping()
  keeper.met(relay(1))
  const go = hold()
  keeper.start()
  await pass(3_000)
  const stopping = keeper.stop()
  go()
  await stopping
  assert.deepEqual([ids(), released], [[], ['relay1']])
})

test('OP-09 AS-07 a place apart is not exchanged for one beside the place that is kept', async () => {
  const { keeper, pass, ids, places, clock, asked } = keeping()
  keeper.met(relay(1, '20.0.0.1'))
  keeper.met(relay(9, '30.0.0.1'))
  keeper.start()
  await pass(10_000)
  assert.deepEqual(ids().toSorted(), ['relay1', 'relay9'])
  for (let minutes = 0; minutes < 30 * 60; minutes += 30) {
    for (const at of [2, 3, 4]) keeper.met(relay(at, `20.0.0.${at}`))
    for (const id of places.keys()) places.set(id, clock.now() + HOUR_MS)
    await pass(30 * MINUTE_MS, 20_000)
    assert.ok(ids().includes('relay9'), `after ${minutes} minutes: ${ids().join(' ')}`)
  }
  assert.ok(asked.length > 2, 'the one of the four was exchanged')
  await keeper.stop()
})

test('NA-02 where all relays stand in one network they are exchanged all the same', () => {
  const known = new KnownRelays({ clock: new VirtualClock(), rng: seededRng(5), diversity: true })
  const [kept, old, other] = [1, 2, 3].map((at) => relay(at, `20.0.0.${at}`)) as [PeerRecord, PeerRecord, PeerRecord]
  for (const each of [kept, old, other]) known.met(each)
  const mine = new Set([kept.id, old.id])
  assert.equal(known.choose([kept], mine, old), other)
  assert.equal(known.choose([kept], mine, relay(8, '30.0.0.1')), undefined, 'unless the old one stood apart')
})

test('NA-02 a place that is lost while it is tried for the first time is none', async () => {
  const { keeper, pass, ids, places, state, hold, asked } = keeping()
  keeper.met(relay(1))
  const go = hold()
  keeper.start()
  await pass(3_000)
  assert.deepEqual(asked, ['relay1'])
  state.lostInTrial.add('relay1')
  go()
  await pass(0)
  assert.deepEqual([ids(), state.changes], [[], 0])
  state.lostInTrial.clear()
  await pass(30_000)
  assert.deepEqual([ids(), places.size], [['relay1'], 1], 'and it is asked again')
  await keeper.stop()
})
