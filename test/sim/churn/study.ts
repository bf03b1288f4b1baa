/** Many letters of one model and one way of care: what was lost, and what keeping it cost. */
import type { Care } from './life.ts'
import type { ChurnModel } from './models.ts'
import { PERSON } from './models.ts'
import { Months } from './month.ts'
import type { Letter, Outcome } from './month.ts'
import { TICKS_PER_DAY, TICKS_PER_HOUR, availability, populate } from './population.ts'
import type { MassFailure, Population } from './population.ts'
import { intervalsOf } from './presence.ts'
import { randomOf } from './random.ts'
import type { Random } from './random.ts'

export const SLOTS = 600
export const MONTH_DAYS = 30
/** Letters that share a population: its making costs as much as some hundred of them. */
const PER_POPULATION = 1_000

export interface Experiment<Name extends string> {
  readonly model: ChurnModel
  readonly seed: number
  readonly records: number
  readonly replicas: number
  readonly slots: number
  readonly days: number
  /** Share of peers that a lookup misses. */
  readonly missed: number
  readonly liars: number
  readonly silent?: boolean
  readonly failure?: MassFailure
  readonly cares: Readonly<Record<Name, Care>>
}

/** What became of all letters under one kind of care. */
export interface Tally {
  records: number
  reads: number
  failed: number
  /** No read of the last day found it. */
  lost: number
  longestGapHours: number
  copies: number
  again: number
  /** Letters that no read of day i found, by i. */
  readonly dark: number[]
}

export interface Result<Name extends string> {
  readonly availability: number
  readonly tallies: Readonly<Record<Name, Tally>>
}

export const CARES = {
  once: { repair: 'none', recheck: false },
  repair: { repair: 'audited', recheck: false },
  sender: { repair: 'audited', recheck: true },
} as const satisfies Record<string, Care>

/** The same letters in the same network under each care. `note` hears how many are done. */
export function run<Name extends string>(
  experiment: Experiment<Name>,
  note: (done: number) => void = () => {},
): Result<Name> {
  const { model, seed, records, cares, days, slots, liars, silent = false, failure } = experiment
  const names = Object.keys(cares) as Name[]
  const tallies = Object.fromEntries(names.map((name) => [name, emptyTally(days)])) as Record<Name, Tally>
  const there: number[] = []
  for (let done = 0, index = 0; done < records; index++) {
    const random = randomOf(seed, hash(model.name), index)
    const options = { model, slots, days: days + 1, liars, silent, ...(failure === undefined ? {} : { failure }) }
    const population = populate(options, random)
    there.push(availability(population))
    const letters = Math.min(PER_POPULATION, records - done)
    liveAll(experiment, population, letters, random, (outcomes) => {
      names.forEach((name, i) => count(tallies[name], outcomes[i]))
    })
    done += letters
    note(done)
  }
  return { availability: there.reduce((sum, share) => sum + share, 0) / there.length, tallies }
}

function liveAll(
  { cares, replicas, days, missed }: Experiment<string>,
  population: Population,
  letters: number,
  random: Random,
  take: (outcomes: readonly Outcome[]) => void,
): void {
  const months = new Months(population, { cares: Object.values(cares), replicas, days, missed }, random)
  for (let i = 0; i < letters; i++) take(months.live(draw(population, random)))
}

/** A letter of the first day: its sender is there then. */
export function draw({ ticks, options: { model } }: Population, random: Random): Letter {
  const sender = new Uint8Array(ticks)
  const oneZone = model.oneZone === true
  for (;;) {
    sender.fill(0)
    for (const [from, to] of intervalsOf(PERSON, { fromHour: 0, toHour: ticks / TICKS_PER_HOUR }, oneZone, random)) {
      sender.fill(1, Math.max(0, Math.ceil(from * TICKS_PER_HOUR)), Math.ceil(to * TICKS_PER_HOUR))
    }
    const firstDay = [...sender.subarray(0, TICKS_PER_DAY).entries()].filter(([, there]) => there === 1)
    const [tick] = firstDay[Math.floor(random() * firstDay.length)] ?? []
    if (tick === undefined) continue
    return { target: Uint8Array.from({ length: 32 }, () => random() * 256), tick, sender }
  }
}

const emptyTally = (days: number): Tally => ({
  records: 0,
  reads: 0,
  failed: 0,
  lost: 0,
  longestGapHours: 0,
  copies: 0,
  again: 0,
  dark: Array<number>(days).fill(0),
})

function count(tally: Tally, outcome: Outcome | undefined): void {
  if (outcome === undefined) return
  const { reads, failed, dark, longestGapHours, copies, again } = outcome
  tally.records++
  tally.reads += reads
  tally.failed += failed
  tally.lost += dark.at(-1) ?? 0
  tally.longestGapHours = Math.max(tally.longestGapHours, longestGapHours)
  tally.copies += copies
  tally.again += again
  dark.forEach((darkDay, day) => (tally.dark[day] = (tally.dark[day] ?? 0) + darkDay))
}

const hash = (name: string): number => Buffer.from(name).reduce((sum, byte) => (sum * 31 + byte) >>> 0, 7)
