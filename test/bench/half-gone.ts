/**
 * `half-gone`: half of the nodes are killed in one moment, and from that moment on letters are put and read back, beside mutable puts and
 * gets of hyperdht whose nodes fared the same. Every turn is another network, since a network is halved once.
 */
import { compared, interleave } from './harness.ts'
import type { Bench, BenchOptions, Figure, Goal, Sample } from './harness.ts'
import { Side } from './side.ts'
import { KEYS } from './side-types.ts'

const NAME = 'half-gone'
const PEER = 'hyperdht 6.34'

async function sotto(nodes: number): Promise<Sample> {
  const stay = new Side('holders-sotto', Math.ceil(nodes / 2))
  const join = await stay.ready()
  const go = new Side('holders-sotto', Math.floor(nodes / 2), join)
  await go.ready()
  const client = new Side('put-sotto', 0, join, nodes)
  return halved(client, [stay, go, client], go, 'put-read')
}

async function hyperdht(nodes: number): Promise<Sample> {
  const stay = new Side('hyperdht', Math.ceil(nodes / 2))
  const go = new Side('hyperdht', Math.floor(nodes / 2), await stay.ready())
  await go.ready()
  return halved(stay, [stay, go], go, 'put-get')
}

/** `client` has keys in the whole network before half of it goes. */
async function halved(client: Side, all: readonly Side[], go: Side, order: string): Promise<Sample> {
  try {
    if (order === 'put-read') await client.ready()
    else await client.turn('prepare', 0)
    await go.kill()
    return await client.turn(order, KEYS)
  } finally {
    await Promise.all(all.map(async (side) => side.close()))
  }
}

async function run({ runs, nodes, note }: BenchOptions): Promise<readonly Figure[]> {
  let turn = 0
  const noted = async (side: string, work: Promise<Sample>): Promise<Sample> => {
    note(`turn ${++turn} of ${2 * runs}: ${side}`)
    return work
  }
  const turns = await interleave(
    runs,
    async () => noted('Sotto', sotto(nodes)),
    async () => noted(PEER, hyperdht(nodes)),
    0,
  )
  const figure = (metric: string, key: string, bound?: number): Figure => {
    const goal: Goal | undefined = bound === undefined ? undefined : { of: 'value', at: 'most', bound }
    return compared(turns, { name: NAME, peer: PEER, metric, key, unit: 'ms', ...(goal && { goal }) })
  }
  return [
    figure(`put after ${Math.floor(nodes / 2)} of ${nodes} were killed, p50`, 'put50', 100),
    figure('put, p95', 'put95', 2_000),
    figure('read back, first letter, p50', 'read50', 100),
    figure('read back, first letter, p95', 'read95', 2_000),
  ]
}

export const halfGone: Bench = { name: NAME, run }
