/** Streams that are left: what still moves is waited for, what stands still is not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { Leaving } from '../../../src/net/direct/leaving.ts'
import type { Lane } from '../../../src/net/direct/lanes.ts'

/** A relayed stream, as far as who leaves it looks at it. */
class Stand {
  readonly #ended = Promise.withResolvers<void>()
  readonly ended = this.#ended.promise
  readonly reader = { waiting: true }
  readonly writer = { finish: async (): Promise<void> => {} }
  readonly connection = {
    status: 'open',
    remotePeer: 'somebody',
    remoteAddr: multiaddr('/ip4/203.0.113.1/tcp/4001/p2p-circuit'),
    streams: [] as { status: string }[],
    close: async (): Promise<void> => void (this.connection.status = 'closed'),
  }
  hasEnded = false
  progress = 0
  aborted = 0
  readonly stream = {
    abort: (): void => {
      this.aborted++
      this.end()
    },
  }

  end(): void {
    this.hasEnded = true
    this.#ended.resolve()
  }

  get lane(): Lane {
    return this as unknown as Lane
  }
}

function world() {
  const clock = new VirtualClock()
  const timers: number[] = []
  const counted = {
    now: () => clock.now(),
    after: (delayMs: number, action: () => void) => {
      timers.push(delayMs)
      return clock.after(delayMs, action)
    },
  }
  const stopped = new AbortController()
  const paths: { direct: Connection | undefined } = { direct: undefined }
  const dialer = { direct: () => paths.direct }
  const leaving = new Leaving({ dialer, mayUse: () => true, clock: counted, log: silentLogger }, stopped.signal)
  const lane = new Stand()
  /** Bytes come or go, a few in every five seconds. */
  const trickle = async (forMs: number): Promise<void> => {
    for (let ms = 0; ms < forMs; ms += 5_000) {
      await clock.advance(5_000)
      lane.progress += 100
    }
  }
  return { clock, timers, stopped, leaving, lane, paths, trickle }
}

test('NA-05 a slow relay: the end of what the peer wrote is waited for as long as bytes come, be it half a frame', async () => {
  const { clock, leaving, lane, trickle } = world()
  const end = leaving.endOf(lane.lane)
  await trickle(120_000)
  assert.equal(lane.aborted, 0)
  await clock.advance(17_000)
  assert.equal(lane.aborted, 1)
  await end
})

test('NA-05 time that our own listener takes is not the relay’s', async () => {
  const { clock, leaving, lane } = world()
  const end = leaving.endOf(lane.lane)
  lane.reader.waiting = false
  await clock.advance(300_000)
  assert.equal(lane.aborted, 0)
  lane.reader.waiting = true
  await clock.advance(17_000)
  assert.equal(lane.aborted, 1)
  await end
})

test('NA-05 a stream that we left is reset when nothing moves on it for half a minute, not after half a minute', async () => {
  const { clock, leaving, lane, trickle } = world()
  const left = leaving.leave([lane.lane], undefined)
  await trickle(180_000)
  assert.equal(lane.aborted, 0)
  await clock.advance(61_000)
  assert.equal(lane.aborted, 1)
  await left
})

test('AS-08 a peer that trickles for ever is left after ten minutes', async () => {
  const { leaving, lane, trickle } = world()
  const left = leaving.leave([lane.lane], undefined)
  await trickle(590_000)
  assert.equal(lane.aborted, 0)
  await trickle(20_000)
  assert.equal(lane.aborted, 1)
  await left
})

test('nothing is armed once it stops', async () => {
  const { timers, stopped, leaving, lane, clock } = world()
  const left = leaving.leave([lane.lane], undefined)
  const armed = timers.length
  lane.end()
  stopped.abort(new Error('stopped'))
  leaving.stop()
  await left
  await clock.advance(60_000)
  assert.equal(timers.length, armed)
})

test('NA-05 a relayed connection that is in use when it is looked at is closed later, and kept where the direct one is gone', async () => {
  for (const direct of [{} as Connection, undefined]) {
    const { clock, timers, leaving, lane, paths } = world()
    const { connection } = lane
    paths.direct = {} as Connection
    connection.streams.push({ status: 'open' })
    lane.end()
    await leaving.leave([lane.lane], undefined)
    await clock.advance(25_000)
    assert.equal(connection.status, 'open')
    connection.streams.length = 0
    paths.direct = direct
    await clock.advance(6_000)
    assert.equal(connection.status, direct === undefined ? 'open' : 'closed')
    const armed = timers.length
    await clock.advance(60_000)
    assert.equal(timers.length, armed)
  }
})
