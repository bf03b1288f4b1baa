/** One letter under one kind of care: who has it, who looks after it, what that cost. The rules are the product's. */
import { REPAIR_BELOW, repairTargets } from '../../../src/protocol/repair-rules.ts'
import type { ZoneMember } from '../../../src/protocol/repair-rules.ts'
import { REPLICAS, WRITE_QUORUM } from '../../../src/protocol/replicas.ts'
import { RECHECK_MS } from '../../../src/services/outbox/limits.ts'
import { knownFor } from './acquaintance.ts'
import { OUTSIDE } from './placement.ts'
import type { Zone } from './placement.ts'
import { TICKS_PER_HOUR } from './population.ts'
import type { Population } from './population.ts'
import { HOUR_MS } from '../../../src/lib/time.ts'

const TICK_MS = HOUR_MS / TICKS_PER_HOUR
/** After a holder of it vanishes its neighbours look, unless it is back by then (`services/repair`, 15 minutes). */
const DEBOUNCE_TICKS = TICKS_PER_HOUR / 4
const NEVER = Number.POSITIVE_INFINITY

/** What works against loss. */
export interface Care {
  /** `none`, or whether holders count on word alone (`trusting`) or on proof. */
  readonly repair: 'none' | 'trusting' | 'audited'
  /** The sender looks at 1 h, at 6 h, then daily, whenever it is there. */
  readonly recheck: boolean
}

interface Holder {
  readonly rank: number
  readonly identity: number
  /** Place in the list of rounds, and the tick of that round. */
  round: number
  at: number
}

export class Life {
  /** By rank: it has the letter. */
  readonly keeps: Uint8Array
  /** Copies that repair made, and that the sender's later puts made. */
  copies = 0
  again = 0
  /** By rank: it was given the letter, and says that it has it. */
  readonly #claims: Uint8Array
  /** Which holder (times the ranks, plus the rank) was given a copy by whom: nobody gives it twice (`services/repair/signed-copies.ts`). */
  readonly #signed = new Set<number>()
  readonly #population: Population
  readonly #zone: Zone
  readonly #care: Care
  readonly #replicas: number
  readonly #low: number
  /** Honest ones, in the order in which they came to it. */
  #holders: Holder[] = []
  /** Holders that vanished, with the tick in which that will have been noticed. */
  #vanished: { readonly rank: number; readonly at: number }[] = []
  #nextRound = NEVER
  #looks = 0
  #lookAt = NEVER

  constructor(population: Population, zone: Zone, care: Care, replicas: number) {
    this.#population = population
    this.#zone = zone
    this.#care = care
    this.#replicas = replicas
    this.#low = replicas === REPLICAS ? REPAIR_BELOW : replicas - 1
    this.keeps = new Uint8Array(population.count)
    this.#claims = new Uint8Array(population.count)
  }

  /** A new letter, whose ranks the zone has. */
  begin(tick: number): void {
    this.keeps.fill(0)
    this.#claims.fill(0)
    this.#signed.clear()
    this.#holders = []
    this.#vanished = []
    this.#nextRound = NEVER
    this.#looks = 0
    this.#lookAt = tick + recheckTicks(0)
    this.#put(tick)
    this.copies = 0
    this.again = 0
  }

  /** From here on as `other` is, with a care of its own. */
  become(other: Life): void {
    this.keeps.set(other.keeps)
    this.#claims.set(other.#claims)
    this.#signed.clear()
    for (const pair of other.#signed) this.#signed.add(pair)
    this.#holders = other.#holders.map((holder) => ({ ...holder }))
    this.#vanished = [...other.#vanished]
    this.#nextRound = other.#nextRound
    this.copies = other.copies
    this.again = other.again
  }

  /** What holders do in this tick. */
  step(tick: number): void {
    if (this.#care.repair === 'none') return
    this.#mourn(tick)
    if (tick >= this.#nextRound) this.#rounds(tick)
  }

  /** Whether the sender, who is there, looks now and finds too few where `keeps` have it. */
  misses(tick: number, keeps: Uint8Array): boolean {
    if (!this.#care.recheck || tick < this.#lookAt) return false
    this.#lookAt = tick + recheckTicks(++this.#looks)
    return this.#zone.scan(OUTSIDE, keeps, WRITE_QUORUM) < WRITE_QUORUM
  }

  putAgain(tick: number): void {
    this.#put(tick)
  }

  /** The sender writes to the nearest of the zone, as many as there are to be. */
  #put(tick: number): void {
    this.#zone.scan(OUTSIDE, this.keeps, NEVER)
    let written = 0
    for (let i = 0; i < this.#zone.length && written < this.#replicas; i++) {
      const rank = this.#zone.members[i] ?? 0
      if (this.#isCaught(rank)) continue
      if (this.keeps[rank] === 0) this.again++
      this.#give(rank, tick)
      written++
    }
  }

  #give(taker: number, tick: number): void {
    this.#claims[taker] = 1
    const identity = this.#zone.order[taker] ?? 0
    if (this.#population.liar[identity] === 1 || this.keeps[taker] === 1) return
    this.keeps[taker] = 1
    const { first, tick: ticks } = this.#population.rounds
    let round = first[identity] ?? 0
    const end = first[identity + 1] ?? 0
    while (round < end && (ticks[round] ?? 0) <= tick) round++
    const at = this.#roundOf(identity, round)
    this.#holders.push({ rank: taker, identity, round, at })
    this.#nextRound = Math.min(this.#nextRound, at)
  }

  #roundOf(identity: number, round: number): number {
    const { first, tick } = this.#population.rounds
    return round < (first[identity + 1] ?? 0) ? (tick[round] ?? NEVER) : NEVER
  }

  /** A liar that claims it has what it does not have fails the audit of whoever asks, and is out for a week. */
  #isCaught(rank: number): boolean {
    return this.#claims[rank] === 1 && this.keeps[rank] === 0 && this.#population.options.silent !== true
  }

  /** Of those who notice that a holder is gone the first looks at the zone: the others find its copies made. */
  #mourn(tick: number): void {
    for (const rank of this.#zone.left) {
      if (this.keeps[rank] === 1) this.#vanished.push({ rank, at: tick + DEBOUNCE_TICKS })
    }
    while (this.#vanished[0] !== undefined && this.#vanished[0].at <= tick) {
      const rank = this.#vanished.shift()?.rank ?? 0
      const witness = this.#zone.isThere(rank) ? undefined : this.#holders.find(({ rank }) => this.#zone.isThere(rank))
      if (witness !== undefined) this.#audit(tick, witness.rank)
    }
  }

  /** Every holder whose round it is looks at the zone. */
  #rounds(tick: number): void {
    this.#nextRound = NEVER
    let gone = false
    // Who is given a copy meanwhile has its round later.
    for (let i = 0, known = this.#holders.length; i < known; i++) {
      const holder = this.#holders[i]
      if (holder === undefined) continue
      if (holder.at <= tick) {
        holder.at = this.#roundOf(holder.identity, ++holder.round)
        this.#audit(tick, holder.rank)
      }
      if (holder.at === NEVER) gone = true
      else if (holder.at < this.#nextRound) this.#nextRound = holder.at
    }
    if (gone) this.#holders = this.#holders.filter(({ at }) => at !== NEVER)
  }

  #audit(tick: number, holder: number): void {
    const counted = this.#care.repair === 'audited' ? this.keeps : this.#claims
    if (this.#zone.scan(holder, counted, this.#low) < this.#low) this.#copy(tick, holder, counted)
  }

  #copy(tick: number, holder: number, counted: Uint8Array): void {
    const ranks: number[] = []
    const members: ZoneMember[] = []
    const { sessions } = this.#population
    const { order } = this.#zone
    const known = (rank: number): number => TICK_MS * knownFor(sessions, order[holder] ?? 0, order[rank] ?? 0, tick)
    for (let i = 0; i < this.#zone.length; i++) {
      const rank = this.#zone.members[i] ?? 0
      const holds = counted[rank] === 1
      if (!holds && (this.#isCaught(rank) || this.#signed.has(this.#pair(holder, rank)))) continue
      ranks.push(rank)
      members.push({ holds, observedForMs: known(rank) })
    }
    for (const place of repairTargets(members, this.#replicas, this.#low)) {
      const rank = ranks[place] ?? 0
      this.#give(rank, tick)
      this.#signed.add(this.#pair(holder, rank))
      this.copies++
    }
  }

  #pair(giver: number, taker: number): number {
    return giver * this.keeps.length + taker
  }
}

const recheckTicks = (looks: number): number =>
  Math.round((RECHECK_MS[Math.min(looks, RECHECK_MS.length - 1)] ?? HOUR_MS) / TICK_MS)
