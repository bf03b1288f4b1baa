import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../../../src/lib/clock.ts'
import { silentLogger } from '../../../../src/lib/log.ts'
import { seededRng } from '../../../../src/lib/rng.ts'
import { MINUTE_MS } from '../../../../src/lib/time.ts'
import type { Outcome } from '../../../../src/net/upgrade/exchange.ts'
import { Ladder } from '../../../../src/net/upgrade/ladder.ts'

class World {
  readonly clock = new VirtualClock()
  readonly tried: { peerId: string; at: number }[] = []
  readonly relayed = new Set<string>()
  readonly start = this.clock.now()
  outcome: () => Promise<Outcome> = async () => 'failed'
  readonly ladder = new Ladder({
    clock: this.clock,
    rng: seededRng(7),
    log: silentLogger,
    wanted: (peerId) => this.relayed.has(peerId),
    attempt: async (peerId) => {
      this.tried.push({ peerId, at: this.clock.now() - this.start })
      return this.outcome()
    },
  })

  relay(peerId: string, active = true): void {
    this.relayed.add(peerId)
    this.ladder.relayed(peerId, active)
  }

  get times(): number[] {
    return this.tried.map(({ at }) => at)
  }
}

test('NA-02 who reached the peer asks at once, the other one only where nobody did', async () => {
  const world = new World()
  world.relay('a')
  world.relay('b', false)
  await world.clock.advance(1)
  assert.deepEqual(
    world.tried.map(({ peerId }) => peerId),
    ['a'],
  )
  await world.clock.advance(25_000)
  assert.deepEqual(
    world.tried.map(({ peerId }) => peerId),
    ['a', 'b'],
  )
})

test('a peer that asked us meanwhile is not asked as well', async () => {
  const world = new World()
  world.relay('b', false)
  await world.clock.advance(5_000)
  world.ladder.answered('b', false)
  await world.clock.advance(18_000)
  assert.equal(world.tried.length, 0)
  await world.clock.advance(20_000)
  assert.equal(world.tried.length, 1)
})

test('failures are tried again with pauses that grow to half an hour, as long as the relay is in use', async () => {
  const world = new World()
  world.relay('a')
  await world.clock.advance(6 * 60 * MINUTE_MS)
  const pauses = world.times.slice(1).map((at, i) => at - (world.times[i] ?? 0))
  assert.ok(pauses.length > 10 && pauses.length < 25, `${pauses.length} pauses`)
  assert.ok(pauses.every((pause) => pause >= 24_000 && pause <= 36 * MINUTE_MS))
  assert.ok((pauses[0] ?? 0) < 40_000 && (pauses.at(-1) ?? 0) > 24 * MINUTE_MS)
  world.relayed.clear()
  await world.clock.advance(40 * MINUTE_MS)
  const tried = world.tried.length
  await world.clock.advance(24 * 60 * MINUTE_MS)
  assert.equal(world.tried.length, tried)
})

test('NA-02 what cannot work is not tried again before something changed', async () => {
  const world = new World()
  world.outcome = async () => 'impossible'
  world.relay('a')
  await world.clock.advance(20 * MINUTE_MS)
  assert.equal(world.tried.length, 1)
  world.ladder.changed()
  await world.clock.advance(2_000)
  assert.equal(world.tried.length, 2)
})

test('NA-02 what is learnt just after a start is acted on within seconds of an attempt that came too early', async () => {
  const world = new World()
  world.outcome = async () => 'impossible'
  world.relay('a')
  await world.clock.advance(500)
  world.ladder.changed()
  await world.clock.advance(3_000)
  assert.equal(world.tried.length, 2)
})

test('a change during an attempt leads to another one', async () => {
  const world = new World()
  let finish = (_outcome: Outcome): void => {}
  world.outcome = async () =>
    new Promise((resolve) => {
      finish = resolve
    })
  world.relay('a')
  await world.clock.advance(1)
  world.ladder.changed()
  world.outcome = async () => 'impossible'
  finish('impossible')
  await world.clock.advance(0)
  await world.clock.advance(15_000)
  assert.equal(world.tried.length, 2)
})

test('SE-19 changes and new streams in any number do not make more than a few early attempts and one in eight seconds', async () => {
  const world = new World()
  world.relay('a')
  for (let i = 0; i < 600; i++) {
    world.ladder.changed()
    world.relay('a')
    await world.clock.advance(100)
  }
  assert.ok(world.tried.length <= 11, `${world.tried.length} attempts in a minute`)
})

test('DT-15 a direct link that is lost is made again, though not at once over and over', async () => {
  const world = new World()
  world.outcome = async () => {
    world.relayed.delete('a')
    return 'direct'
  }
  world.relay('a')
  await world.clock.advance(1)
  assert.equal(world.tried.length, 1)
  world.relay('a') // lost within the same moment
  await world.clock.advance(4_000)
  assert.equal(world.tried.length, 1)
  await world.clock.advance(8_000)
  assert.equal(world.tried.length, 2)
  await world.clock.advance(60 * MINUTE_MS)
  world.relay('a') // an hour later
  await world.clock.advance(1)
  assert.equal(world.tried.length, 3)
})

test('at most sixteen attempts at a time; the others have their turn; after the stop there are none', async () => {
  const world = new World()
  const finish: (() => void)[] = []
  world.outcome = async () => new Promise((resolve) => finish.push(() => resolve('direct')))
  for (let i = 0; i < 40; i++) world.relay(`p${i}`)
  await world.clock.advance(10)
  assert.equal(world.tried.length, 16)
  for (let i = 0; i < 16; i++) finish.shift()?.()
  await world.clock.advance(3_000)
  assert.equal(world.tried.length, 32)
  world.ladder.stop()
  for (const each of finish) each()
  await world.clock.advance(60 * MINUTE_MS)
  assert.equal(world.tried.length, 32)
})

test('an attempt that throws is one that failed', async () => {
  const world = new World()
  world.outcome = async () => Promise.reject(new Error('gone'))
  world.relay('a')
  await world.clock.advance(40_000)
  assert.equal(world.tried.length, 2)
})

test('SE-19 new streams bring an attempt forward after few failures, not after many, nor where it cannot work', async () => {
  const world = new World()
  world.relay('a')
  await world.clock.advance(60_000)
  const early = world.tried.length
  world.relay('a')
  await world.clock.advance(12_000)
  assert.equal(world.tried.length, early + 1, 'it had failed twice')
  for (const outcome of ['failed', 'impossible'] as const) {
    world.outcome = async () => outcome
    world.ladder.changed()
    await world.clock.advance(outcome === 'failed' ? 10 * MINUTE_MS : 20_000)
    const tried = world.tried.length
    for (let i = 0; i < 20; i++) {
      world.relay('a')
      await world.clock.advance(2_000)
    }
    assert.equal(world.tried.length, tried, outcome)
  }
})
