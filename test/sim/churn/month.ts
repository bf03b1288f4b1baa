/**
 * One letter's month under several kinds of care at once: put by the sender, kept and repaired by holders, asked for every hour
 * by a recipient who never comes to delete it. Lookups are ideal but for what they miss, and a copy takes no time.
 */
import { Life } from './life.ts'
import type { Care } from './life.ts'
import { OUTSIDE, Zone } from './placement.ts'
import { TICKS_PER_DAY } from './population.ts'
import type { Population } from './population.ts'
import type { Random } from './random.ts'
import { Reading } from './reading.ts'
import type { Read } from './reading.ts'

/** Where a letter lies, when it is put and when its sender is there (by tick). */
export interface Letter {
  readonly target: Uint8Array
  readonly tick: number
  readonly sender: Uint8Array
}

export interface Outcome extends Read {
  readonly copies: number
  readonly again: number
}

export interface MonthsOptions {
  readonly cares: readonly Care[]
  readonly replicas: number
  readonly days: number
  readonly missed: number
}

/** One kind of care at work. Until its sender has to put again it is no other than the life it shares, if it shares one. */
interface Course {
  readonly life: Life
  readonly shares: number | undefined
}

/** Months of one population, one after another. Made once, since its tables are large. */
export class Months {
  readonly #population: Population
  readonly #days: number
  readonly #zone: Zone
  readonly #courses: readonly Course[]

  constructor(population: Population, { cares, replicas, days, missed }: MonthsOptions, random: Random) {
    this.#population = population
    this.#days = days
    const zone = new Zone(population, missed, random)
    this.#zone = zone
    this.#courses = cares.map((care, i) => {
      const same = cares.findIndex(({ repair, recheck }) => repair === care.repair && !recheck)
      return {
        life: new Life(population, zone, care, replicas),
        shares: care.recheck && same >= 0 && same < i ? same : undefined,
      }
    })
  }

  /** One outcome for each kind of care. */
  live({ target, tick: start, sender }: Letter): Outcome[] {
    const end = Math.min(this.#population.ticks, start + this.#days * TICKS_PER_DAY)
    const runs: Run[] = []
    for (const { life, shares } of this.#courses) {
      runs.push({
        life,
        reading: new Reading(start, this.#days),
        shares: shares === undefined ? undefined : runs[shares],
      })
    }
    this.#zone.rank(target)
    this.#zone.advance(start)
    for (const { life } of runs) life.begin(start)
    for (let tick = start; tick < end; tick++) {
      this.#zone.advance(tick)
      for (const run of runs) this.#step(run, tick, sender[tick] === 1)
    }
    return runs.map((run) => {
      const { life, reading } = run.shares ?? run
      return { ...reading.outcome(), copies: life.copies, again: life.again }
    })
  }

  #step(run: Run, tick: number, senderIsThere: boolean): void {
    const { shares, life, reading } = run
    if (shares === undefined) life.step(tick)
    if (senderIsThere && life.misses(tick, (shares ?? run).life.keeps)) {
      if (shares !== undefined) life.become(shares.life)
      life.putAgain(tick)
      run.shares = undefined
    }
    if (shares !== undefined) {
      // What it shared until now was read already.
      if (run.shares === undefined) reading.become(shares.reading)
    } else if (reading.due(tick)) reading.note(tick, this.#zone.scan(OUTSIDE, life.keeps, 1) > 0)
  }
}

interface Run {
  readonly life: Life
  readonly reading: Reading
  shares: Run | undefined
}
