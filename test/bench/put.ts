/** `put`: a letter on five holders with three synced receipts, beside a mutable put of hyperdht among as many nodes. */
import { compared, interleave } from './harness.ts'
import type { Bench, BenchOptions, Figure, Goal } from './harness.ts'
import { Side, withSides } from './side.ts'

const NAME = 'put'
const PEER = 'hyperdht 6.34'
const PUTS = 60

async function run({ runs, nodes, note }: BenchOptions): Promise<readonly Figure[]> {
  note(`${nodes} nodes on each side`)
  const [sotto, peer] = [new Side('put-sotto', nodes), new Side('hyperdht', nodes)]
  return withSides([sotto, peer], async () => {
    note('put')
    const turns = await interleave(
      runs,
      async () => sotto.turn('put', PUTS),
      async () => peer.turn('put', PUTS),
    )
    const figure = (metric: string, key: string, unit: string, goal?: Goal): Figure =>
      compared(turns, { name: NAME, peer: PEER, metric, key, unit, ...(goal && { goal }) })
    return [
      figure(`put 4 KiB among ${nodes}, 3 synced receipts, p50`, 'p50', 'ms', { of: 'ratio', at: 'most', bound: 1 }),
      figure(`put 4 KiB among ${nodes}, 3 synced receipts, p95`, 'p95', 'ms'),
      figure(`put 4 KiB among ${nodes}, all holders, p50`, 'whole', 'ms'),
      figure('CPU of all nodes for one put', 'cpu', 'ms', { of: 'ratio', at: 'most', bound: 1.5 }),
    ]
  })
}

export const put: Bench = { name: NAME, run }
