import { test } from 'node:test'
import assert from 'node:assert/strict'
import type { Connection } from '@libp2p/interface'
import { VirtualClock } from '../../../src/lib/clock.ts'
import type { Clock } from '../../../src/lib/clock.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { HOUR_MS } from '../../../src/lib/time.ts'
import { Awake } from '../../../src/net/join/awake.ts'
import type { Change } from '../../../src/net/join/awake.ts'
import { Pulse } from '../../../src/net/join/pulse.ts'

/** Timers that stand still while the machine sleeps, and a wall clock that does not. */
function laptop(): { clock: Clock; runs: (ms: number) => Promise<void>; sleeps: (ms: number) => void } {
  const timers = new VirtualClock()
  let aheadMs = 0
  return {
    clock: { now: () => timers.now() + aheadMs, after: (delayMs, action) => timers.after(delayMs, action) },
    runs: async (ms) => {
      for (let at = 0; at < ms; at += 100) await timers.advance(100)
    },
    sleeps: (ms) => {
      aheadMs += ms
    },
  }
}

function watched(interfaces: () => string) {
  const changes: Change[] = []
  const { clock, runs, sleeps } = laptop()
  const awake = new Awake({ clock, interfaces, onChange: (change) => changes.push(change) })
  awake.start()
  return { awake, changes, runs, sleeps, clock }
}

test('DT-15 a sleep of eight hours is noticed within two seconds of waking, and said once', async () => {
  const { awake, changes, runs, sleeps } = watched(() => '192.168.1.7/24')
  await runs(60_000)
  assert.deepEqual(changes, [])
  sleeps(8 * HOUR_MS)
  await runs(2_000)
  assert.deepEqual(changes, ['slept'])
  await runs(60_000)
  assert.deepEqual(changes, ['slept'])
  awake.stop()
  sleeps(8 * HOUR_MS)
  await runs(10_000)
  assert.deepEqual(changes, ['slept'], 'stopped')
})

test('DT-15 a clock that is set back, or a busy moment, is no sleep', async () => {
  const { awake, changes, runs, sleeps } = watched(() => '192.168.1.7/24')
  sleeps(-HOUR_MS)
  await runs(10_000)
  sleeps(4_000)
  await runs(10_000)
  assert.deepEqual(changes, [])
  awake.stop()
})

test('DT-15 another network, a second interface, a link that flaps: each return is a change, being without is none', async () => {
  let now = '192.168.1.7/24'
  const { awake, changes, runs } = watched(() => now)
  const becomes = async (next: string): Promise<number> => {
    now = next
    const before = changes.length
    await runs(2_000)
    return changes.length - before
  }
  assert.equal(await becomes('10.0.0.5/8'), 1)
  assert.equal(await becomes('10.0.0.5/8 192.168.1.7/24'), 1)
  for (let i = 0; i < 20; i++) {
    assert.equal(await becomes(''), 0)
    assert.equal(await becomes('10.0.0.5/8'), 1)
  }
  await runs(60_000)
  assert.equal(changes.length, 22)
  assert.ok(changes.every((change) => change === 'interfaces'))
  awake.stop()
})

interface Fake {
  readonly connection: Connection
  alive: boolean
  aborted: boolean
}

function connections(count: number): Fake[] {
  return Array.from({ length: count }, () => {
    const fake = { alive: true, aborted: false } as { alive: boolean; aborted: boolean; connection: Connection }
    const abort = (): void => {
      fake.aborted = true
    }
    fake.connection = { status: 'open', abort } as unknown as Connection
    return fake
  })
}

/** Silent ones answer never: the ping ends with its signal. */
function pulseOver(fakes: readonly Fake[], clock: Clock) {
  let pings = 0
  const pulse = new Pulse({
    open: () => fakes.filter(({ aborted }) => !aborted).map(({ connection }) => connection),
    ping: async (connection, signal) => {
      pings++
      if (fakes.find((fake) => fake.connection === connection)?.alive === true) return
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error)
        })
      })
    },
    clock,
    rng: seededRng(5),
  })
  return { pulse, pings: () => pings }
}

test('DT-15 when the network may have changed, silent connections are cut and the others stay', async () => {
  const fakes = connections(6)
  const clock = new VirtualClock()
  const { pulse } = pulseOver(fakes, clock)
  for (const fake of fakes.slice(0, 4)) fake.alive = false
  const felt = pulse.feelAll()
  await clock.advance(2_000)
  await felt
  assert.deepEqual(
    fakes.map(({ aborted }) => aborted),
    [true, true, true, true, false, false],
  )
})

test('DT-15 the pulse asks one connection every four seconds; one silent peer is not the network', async () => {
  const clock = new VirtualClock()
  const fakes = connections(20)
  const { pulse, pings } = pulseOver(fakes, clock)
  pulse.start()
  for (let i = 0; i < 60; i++) await clock.advance(1_000)
  assert.ok(pings() >= 10 && pings() <= 20, `${pings()} pings a minute`)
  pulse.stop()
  await clock.advance(60_000)
  assert.ok(pings() <= 20)
})

test('DT-15 where everybody is silent all connections are cut, without any change of the interfaces', async () => {
  const clock = new VirtualClock()
  const fakes = connections(8)
  const { pulse } = pulseOver(fakes, clock)
  for (const fake of fakes) fake.alive = false
  pulse.start()
  for (let i = 0; i < 15; i++) await clock.advance(1_000)
  assert.ok(fakes.every(({ aborted }) => aborted))
  pulse.stop()
})
