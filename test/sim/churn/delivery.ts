/** MB-48: mail among twenty peers that come and go every half hour, read by recipients who do the same. */
import { Life } from './life.ts'
import type { Care } from './life.ts'
import { PERSON_30, UPTIME_30 } from './models.ts'
import { OUTSIDE, Zone } from './placement.ts'
import { populate, TICKS_PER_DAY, TICKS_PER_HOUR } from './population.ts'
import type { Population } from './population.ts'
import { intervalsOf } from './presence.ts'
import { randomOf } from './random.ts'
import type { Random } from './random.ts'
import { REPLICAS, WRITE_QUORUM } from '../../../src/protocol/replicas.ts'

export const UPTIME_30_PEERS = 20
const MAILS_PER_POPULATION = 200
/** A recipient asks on coming and every quarter of an hour. */
const SWEEP_TICKS = TICKS_PER_HOUR / 4
/** A day of sending, then a day in which the last of it may still be read. */
const DAYS = 2

export interface Delivery {
  readonly mails: number
  readonly delivered: number
  /** Hours from the put to the reading, mean and 99th percentile of those delivered. */
  readonly meanHours: number
  readonly p99Hours: number
}

/** Every mail gets a day from its put. */
export function deliver(seed: number, mails: number, care: Care): Delivery {
  const waits: number[] = []
  for (let done = 0, index = 0; done < mails; index++) {
    const random = randomOf(seed, UPTIME_30_PEERS, index)
    const population = populate({ model: UPTIME_30, slots: UPTIME_30_PEERS, days: DAYS, liars: 0 }, random)
    for (let i = 0; i < MAILS_PER_POPULATION && done < mails; i++, done++) {
      const wait = deliverOne(population, care, random)
      if (wait !== undefined) waits.push(wait / TICKS_PER_HOUR)
    }
  }
  waits.sort((a, b) => a - b)
  const meanHours = waits.reduce((sum, wait) => sum + wait, 0) / waits.length
  return { mails, delivered: waits.length, meanHours, p99Hours: waits[Math.floor(waits.length * 0.99)] ?? 0 }
}

/** Ticks until it was read, if it was. */
function deliverOne(population: Population, care: Care, random: Random): number | undefined {
  const zone = new Zone(population, 0.05, random)
  const life = new Life(population, zone, care, REPLICAS)
  zone.rank(Uint8Array.from({ length: 32 }, () => random() * 256))
  const [sender, recipient] = [presence(population.ticks, random), presence(population.ticks, random)]
  let tick = Math.floor(random() * TICKS_PER_DAY)
  // Stored means three receipts: until then the sender tries again, and goes on to when it is there.
  for (; tick < TICKS_PER_DAY; tick++) {
    zone.advance(tick)
    zone.scan(OUTSIDE, life.keeps, 1)
    if (sender[tick] === 1 && zone.length >= WRITE_QUORUM) break
  }
  const put = tick
  life.begin(put)
  for (; tick < put + TICKS_PER_DAY; tick++) {
    zone.advance(tick)
    life.step(tick)
    if (sender[tick] === 1 && life.misses(tick, life.keeps)) life.putAgain(tick)
    const asks = recipient[tick] === 1 && (recipient[tick - 1] !== 1 || (tick - put) % SWEEP_TICKS === 0)
    if (asks && zone.scan(OUTSIDE, life.keeps, 1) > 0) return tick - put
  }
  return undefined
}

function presence(ticks: number, random: Random): Uint8Array {
  const there = new Uint8Array(ticks)
  for (const [from, to] of intervalsOf(PERSON_30, { fromHour: 0, toHour: ticks / TICKS_PER_HOUR }, false, random)) {
    there.fill(1, Math.max(0, Math.ceil(from * TICKS_PER_HOUR)), Math.ceil(to * TICKS_PER_HOUR))
  }
  return there
}
