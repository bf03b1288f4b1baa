/**
 * `scale`: what a warm put costs among 20, 50 and 100 real holders, in processes of ten, beside hyperdht; and how many hops and questions
 * a find takes among 100, 1,000 and 10,000 simulated peers that run the product's own find over tables of their own making.
 */
import { seededRng } from '../../src/lib/rng.ts'
import { RoutingSim } from '../support/routing-sim.ts'
import type { SimLookup } from '../support/routing-sim.ts'
import { compared, interleave, percentile } from './harness.ts'
import type { Bench, BenchOptions, Figure, Sample } from './harness.ts'
import { Side } from './side.ts'

const NAME = 'scale'
const PEER = 'hyperdht 6.34'
const REAL = [20, 50, 100] as const
const SIMULATED = [100, 1_000, 10_000] as const
const HOLDERS_A_PROCESS = 10
const PUTS = 60
const LOOKUPS = 200
const ALPHAS = [3, 5, 10] as const
const ROUND_TRIP_MS = 40
const SEED = 1

class Network {
  readonly #holders: Side[] = []
  #client: Side | undefined

  async open(nodes: number): Promise<void> {
    let join = ''
    for (let left = nodes; left > 0; left -= HOLDERS_A_PROCESS) {
      const side = new Side('holders-sotto', Math.min(left, HOLDERS_A_PROCESS), join)
      this.#holders.push(side)
      const info = await side.ready()
      if (join === '') join = info
    }
    this.#client = new Side('put-sotto', 0, join, nodes)
    await this.#client.ready()
  }

  /** CPU of all processes. */
  async turn(): Promise<Sample> {
    if (this.#client === undefined) throw new Error('the network is not open')
    const before = this.#cpuMs()
    const sample = await this.#client.turn('put', PUTS)
    return { ...sample, cpu: (this.#cpuMs() - before) / PUTS }
  }

  async close(): Promise<void> {
    const sides = this.#client === undefined ? this.#holders : [this.#client, ...this.#holders]
    await Promise.all(sides.map(async (side) => side.close()))
  }

  #cpuMs(): number {
    const sides = this.#client === undefined ? this.#holders : [this.#client, ...this.#holders]
    return sides.reduce((sum, side) => sum + side.cpuMs(), 0)
  }
}

async function real(nodes: number, runs: number): Promise<readonly Figure[]> {
  const network = new Network()
  const peer = new Side('hyperdht', nodes)
  try {
    await Promise.all([network.open(nodes), peer.ready()])
    const turns = await interleave(
      runs,
      async () => network.turn(),
      async () => peer.turn('put', PUTS),
    )
    const figure = (metric: string, key: string): Figure =>
      compared(turns, { name: NAME, peer: PEER, metric, key, unit: 'ms' })
    return [figure(`warm put among ${nodes}, p50`, 'p50'), figure(`CPU of all for one put among ${nodes}`, 'cpu')]
  } finally {
    await Promise.all([network.close(), peer.close()])
  }
}

/** The widths take turns: every find leaves the tables a little fuller, and that must not favour the last. */
async function findsIn(sim: RoutingSim): Promise<ReadonlyMap<number, readonly SimLookup[]>> {
  const done = new Map<number, SimLookup[]>(ALPHAS.map((alpha) => [alpha, []]))
  for (let i = 0; i < LOOKUPS; i++) {
    for (const [alpha, lookups] of done) lookups.push(await sim.lookup(20, { alpha, roundTripMs: ROUND_TRIP_MS }))
  }
  return done
}

async function simulated(peers: number): Promise<readonly Figure[]> {
  const sim = await RoutingSim.grown({ peers, rng: seededRng(SEED), findsEach: 1 })
  const figures: Figure[] = []
  const bound = Number((Math.log2(peers) / 2 + 2).toFixed(1))
  for (const [alpha, done] of await findsIn(sim)) {
    const add = (what: string, unit: string, value: number, most?: number): void => {
      const goal = most === undefined ? {} : { goal: { of: 'value', at: 'most', bound: most } as const }
      const metric = `find among ${peers} simulated, α = ${alpha}: ${what}`
      figures.push({
        name: NAME,
        metric,
        value,
        unit,
        peer: null,
        peerValue: null,
        ratio: null,
        runs: LOOKUPS,
        ...goal,
      })
    }
    const hops = done.map((lookup) => lookup.hops)
    const [questions, times] = [done.map(({ queries }) => queries), done.map(({ ms }) => ms)]
    add('hops, mean', 'hops', mean(hops))
    add(`hops, most (log2 N = ${Math.log2(peers).toFixed(1)})`, 'hops', Math.max(...hops), bound)
    add('of the true 20 nearest', 'found', mean(done.map(({ found }) => found)))
    add('questions, p50', 'questions', percentile(questions, 50))
    add(`p50 where a round trip takes ${ROUND_TRIP_MS} ms`, 'ms', percentile(times, 50))
  }
  return figures
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

async function run({ runs, note }: BenchOptions): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const nodes of REAL) {
    note(`${nodes} real holders`)
    figures.push(...(await real(nodes, runs)))
  }
  for (const peers of SIMULATED) {
    note(`${peers} simulated peers`)
    figures.push(...(await simulated(peers)))
  }
  return figures
}

export const scale: Bench = { name: NAME, run }
