/** `read`: a mailbox of 100 letters on 20 holders, all of whom are asked, beside a get of one value from hyperdht. */
import { compared, interleave } from './harness.ts'
import type { Bench, BenchOptions, Figure, Goal } from './harness.ts'
import { Side, withSides } from './side.ts'

const NAME = 'read'
const PEER = 'hyperdht 6.34'
const READS = 10

async function run({ runs, nodes, note }: BenchOptions): Promise<readonly Figure[]> {
  note(`${nodes} nodes on each side`)
  const [sotto, peer] = [new Side('read-sotto', nodes), new Side('hyperdht', nodes)]
  return withSides([sotto, peer], async () => {
    note('read')
    const turns = await interleave(
      runs,
      async () => sotto.turn('read', READS),
      async () => peer.turn('get', READS),
    )
    const figure = (metric: string, key: string, peerKey: string, unit: string, goal?: Goal): Figure => {
      const peers = turns.peer.map((sample) => ({ ...sample, [key]: sample[peerKey] ?? Number.NaN }))
      return compared({ ...turns, peer: peers }, { name: NAME, peer: PEER, metric, key, unit, ...(goal && { goal }) })
    }
    return [
      figure('mailbox of 100 letters: the first of them, p50', 'first', 'first', 'ms', goal(5)),
      figure('mailbox of 100 letters: all, zone complete, p50', 'whole', 'whole', 'ms'),
      figure('nothing new, zone complete, p50', 'again', 'whole', 'ms', goal(15)),
      figure('CPU of all nodes, 100 letters', 'cpu', 'cpu', 'ms'),
      figure('CPU of all nodes, nothing new', 'againCpu', 'cpu', 'ms'),
    ]
  })
}

const goal = (bound: number): Goal => ({ of: 'value', at: 'most', bound })

export const read: Bench = { name: NAME, run }
