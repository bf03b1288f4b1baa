/** What one source, lane, mailbox and the whole disk may take (protocol §4). */
import type { Clock } from '../../lib/clock.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import { fromHex, toHex } from '../../lib/bytes.ts'
import { SIZE_CLASSES_BYTES } from '../../wire/padding.ts'
import { sourceNetwork } from '../../protocol/replicas.ts'
import type { HeldUsage, LetterFacts } from '../../store/held-usage.ts'
import type { HolderCaller } from '../ports.ts'

const MIB = 1_024 * 1_024

export interface QuotaLimits {
  readonly mailboxRecords: number
  readonly mailboxBytes: number
  readonly laneLettersPerDay: number
  readonly laneBytes: number
  /** Letters with a stamp in one mailbox. */
  readonly stampedLetters: number
  readonly sourcePutsPerSecond: number
  readonly sourcePutsBurst: number
  readonly sourceBytesPerHour: number
  /** Requests of any kind. */
  readonly sourceRequestsPerSecond: number
  readonly sourceRequestsBurst: number
  readonly nodeBytes: number
}

export const DEFAULT_QUOTAS: QuotaLimits = {
  mailboxRecords: 2_000,
  mailboxBytes: 32 * MIB,
  laneLettersPerDay: 200,
  laneBytes: 4 * MIB,
  stampedLetters: 64,
  sourcePutsPerSecond: 10,
  sourcePutsBurst: 100,
  sourceBytesPerHour: 64 * MIB,
  sourceRequestsPerSecond: 200,
  sourceRequestsBurst: 1_000,
  nodeBytes: 2_048 * MIB,
}

const DAY_MS = 86_400_000
/** Lanes whose daily count is remembered; it is not on disk, so a restart forgets it (the lane's bytes stay counted). */
const LANES_COUNTED_MAX = 65_536

export class Quotas {
  readonly #limits: QuotaLimits
  readonly #usage: HeldUsage
  readonly #requests: RateLimiter
  readonly #puts: RateLimiter
  readonly #bytes: RateLimiter
  readonly #laneDays: ExpiringMap<string, { count: number }>

  constructor(usage: HeldUsage, clock: Clock, limits: QuotaLimits = DEFAULT_QUOTAS) {
    this.#limits = limits
    this.#usage = usage
    const hourly = limits.sourceBytesPerHour
    this.#requests = new RateLimiter(
      { perSecond: limits.sourceRequestsPerSecond, burst: limits.sourceRequestsBurst },
      clock,
    )
    this.#puts = new RateLimiter({ perSecond: limits.sourcePutsPerSecond, burst: limits.sourcePutsBurst }, clock)
    this.#bytes = new RateLimiter({ perSecond: hourly / 3_600, burst: hourly }, clock)
    this.#laneDays = new ExpiringMap(clock, DAY_MS, LANES_COUNTED_MAX)
  }

  /** Whether the caller may ask anything now. */
  takeRequest(caller: HolderCaller): boolean {
    return this.#requests.take(caller.peerId)
  }

  /** Whether the caller, and the network that it comes from, may bring `bytes` now; counts them if so. */
  takePut(caller: HolderCaller, bytes: number): boolean {
    const network = caller.ip === undefined ? undefined : sourceNetwork(caller.ip)
    const sources = network === undefined ? [caller.peerId] : [caller.peerId, network]
    const allowed = sources.every(
      (source) => this.#puts.retryAfterMs(source) === 0 && this.#bytes.retryAfterMs(source, bytes) === 0,
    )
    if (!allowed) return false
    for (const source of sources) {
      this.#puts.take(source)
      this.#bytes.take(source, bytes)
    }
    return true
  }

  /** Whether there is room for `bytes` more, whatever they are. */
  hasDisk(bytes: number): boolean {
    return this.#usage.bytes + bytes <= this.#limits.nodeBytes
  }

  /** Whether the letter's mailbox and lane have room. The intro box is {@link Quotas.giveWay}'s business. */
  hasRoom(facts: LetterFacts): boolean {
    const bytes = SIZE_CLASSES_BYTES[facts.sizeClass] ?? 0
    const mailbox = this.#usage.mailbox(facts.address)
    if (!this.hasDisk(bytes)) return false
    if ((mailbox?.records ?? 0) + 1 > this.#limits.mailboxRecords) return false
    if ((mailbox?.bytes ?? 0) + bytes > this.#limits.mailboxBytes) return false
    if (facts.stampBits > 0) return true
    if ((mailbox?.lanes.get(toHex(facts.lane)) ?? 0) + bytes > this.#limits.laneBytes) return false
    return (this.#laneDays.get(laneKey(facts))?.count ?? 0) < this.#limits.laneLettersPerDay
  }

  /**
   * Who gives way to a stamped letter: nobody (`undefined`) while there is room, else the id of the letter with the
   * least effort, or `full` where the new one has no more than that.
   */
  giveWay(facts: LetterFacts): Uint8Array | 'full' | undefined {
    const stamped = this.#usage.mailbox(facts.address)?.stamped
    if (stamped === undefined || stamped.size < this.#limits.stampedLetters) return undefined
    const [cheapest, bits] = [...stamped].reduce((least, entry) => (entry[1] < least[1] ? entry : least))
    return facts.stampBits > bits ? fromHex(cheapest) : 'full'
  }

  /** Counts a letter that is about to be stored. */
  reserve(facts: LetterFacts): void {
    this.#usage.addLetter(facts)
    if (facts.stampBits > 0) return
    const day = this.#laneDays.get(laneKey(facts))
    if (day === undefined) this.#laneDays.set(laneKey(facts), { count: 1 })
    else day.count++
  }

  /** Takes {@link Quotas.reserve} back: it was not stored after all. */
  release(facts: LetterFacts): void {
    this.#usage.removeLetter(facts)
    const day = facts.stampBits > 0 ? undefined : this.#laneDays.get(laneKey(facts))
    if (day !== undefined) day.count--
  }
}

function laneKey(facts: LetterFacts): string {
  return toHex(facts.address) + toHex(facts.lane)
}
