/**
 * What every bench is made of: two sides that do the same work in turns, medians over the turns, wall and CPU time.
 * A shared machine drifts by tens of per cent within a minute; a ratio of two neighbouring turns does not.
 */
import { readFileSync } from 'node:fs'

/** One measured number. `ratio` is Sotto ÷ peer; a figure without a peer says so with nulls. */
export interface Figure {
  readonly name: string
  readonly metric: string
  readonly value: number
  readonly unit: string
  readonly peer: string | null
  readonly peerValue: number | null
  readonly ratio: number | null
  readonly runs: number
  /** What `design/quality.md` §2 asks for, where it asks. Not part of the JSON line. */
  readonly goal?: Goal
}

/** A bound on the ratio or on the value itself. */
export interface Goal {
  readonly of: 'ratio' | 'value'
  readonly at: 'most' | 'least'
  readonly bound: number
}

/** What the command line says. */
export interface BenchOptions {
  readonly runs: number
  readonly nodes: number
  /** How long a bench that waits does so. */
  readonly minutes: number
  /** Shown while it works; not part of the result. */
  readonly note: (text: string) => void
}

export interface Bench {
  readonly name: string
  readonly run: (options: BenchOptions) => Promise<readonly Figure[]>
}

/** One turn's numbers by metric. */
export type Sample = Readonly<Record<string, number>>
/** A side does its turn and says what it measured. */
export type Turn = () => Promise<Sample>

export interface Turns {
  readonly sotto: readonly Sample[]
  readonly peer: readonly Sample[]
}

/** Turns of each side for warmth, which do not count: the compiler wants to have seen the work more than once. */
const WARM_UP_TURNS = 2

/**
 * Warms up, then does `runs` turns of each side. Who goes first changes every time: what a side leaves behind (garbage,
 * dirty pages) is paid for by the next.
 */
export async function interleave(runs: number, sotto: Turn, peer: Turn, warmUps = WARM_UP_TURNS): Promise<Turns> {
  for (let i = 0; i < warmUps; i++) {
    await peer()
    await sotto()
  }
  const turns = { sotto: [] as Sample[], peer: [] as Sample[] }
  for (let i = 0; i < runs; i++) {
    const order = i % 2 === 0 ? (['peer', 'sotto'] as const) : (['sotto', 'peer'] as const)
    for (const side of order) turns[side].push(await (side === 'sotto' ? sotto : peer)())
  }
  return turns
}

export function median(values: readonly number[]): number {
  return percentile(values, 50)
}

/** By nearest rank; the middle two are averaged for the median of an even number. Throws for no values. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number): number => {
    const value = sorted[index]
    if (value === undefined) throw new Error('no values to take a percentile of')
    return value
  }
  if (percent === 50 && sorted.length % 2 === 0) return (at(sorted.length / 2 - 1) + at(sorted.length / 2)) / 2
  return at(Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1))
}

/** The medians of a metric on both sides. The ratio is the median of the ratios turn by turn. */
export function compared(
  turns: Turns,
  what: { name: string; metric: string; key: string; unit: string; peer: string; goal?: Goal },
): Figure {
  const { name, metric, key, unit, peer, goal } = what
  const ours = turns.sotto.map((sample) => numberOf(sample, key))
  const theirs = turns.peer.map((sample) => numberOf(sample, key))
  const ratio = median(ours.map((value, i) => value / (theirs[i] ?? Number.NaN)))
  const shown = { value: median(ours), peer, peerValue: median(theirs), ratio, runs: ours.length }
  return { name, metric, unit, ...shown, ...(goal && { goal }) }
}

function numberOf(sample: Sample, key: string): number {
  const value = sample[key]
  if (value === undefined || !Number.isFinite(value)) throw new Error(`${key} was not measured`)
  return value
}

/** CPU milliseconds of this process, all threads, that `work` took. */
export async function cpuMs(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

/** Wall milliseconds of each of `count` calls, one after another. */
export async function timed(count: number, work: (index: number) => Promise<unknown>): Promise<readonly number[]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const startMs = performance.now()
    await work(i)
    times.push(performance.now() - startMs)
  }
  return times
}

/** The scheduler's tick, which /proc counts in; 100 a second on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

/** CPU milliseconds of another process since it began, to 10 ms. Linux only. */
export function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name in brackets may hold anything, so fields are counted from its end: utime and stime are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND
}

/** Runs `job` for 0, 1, … `count` - 1 with `atOnce` of them under way. */
export async function inFlight(count: number, atOnce: number, job: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await job(next++)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}
