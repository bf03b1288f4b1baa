/** `push`: from a put to the event at somebody who has subscribed, beside a round trip on a bare libp2p stream. */
import { compared, interleave } from './harness.ts'
import type { Bench, BenchOptions, Figure, Goal } from './harness.ts'
import { Side, withSides } from './side.ts'

const NAME = 'push'
const PEER = 'libp2p stream, 4 KiB and back'
const PUSHES = 40
const GOAL: Goal = { of: 'value', at: 'most', bound: 10 }

async function run({ runs, nodes, note }: BenchOptions): Promise<readonly Figure[]> {
  note(`${nodes} holders`)
  const [sotto, peer] = [new Side('push-sotto', nodes), new Side('push-libp2p')]
  return withSides([sotto, peer], async () => {
    note('push')
    const turns = await interleave(
      runs,
      async () => sotto.turn('push', PUSHES),
      async () => peer.turn('echo', PUSHES),
    )
    const figure = (metric: string, key: string, goal?: Goal): Figure =>
      compared(turns, { name: NAME, peer: PEER, metric, key, unit: 'ms', ...(goal && { goal }) })
    return [
      figure('put to event at the subscriber, p50', 'p50', GOAL),
      figure('put to event at the subscriber, p95', 'p95'),
    ]
  })
}

export const push: Bench = { name: NAME, run }
