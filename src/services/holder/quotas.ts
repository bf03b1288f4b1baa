/** What one source, lane, mailbox and the whole disk may take (protocol §4). */
import type { Clock } from '../../lib/clock.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import type { RatePolicy } from '../../lib/rate-limiter.ts'
import { fromHex, toHex } from '../../lib/bytes.ts'
import { DAY_MS } from '../../lib/time.ts'
import { CARD_KIND } from '../../wire/holder.ts'
import type { CardRecord } from '../../wire/holder.ts'
import { SIZE_CLASSES_BYTES } from '../../wire/padding.ts'
import { sourceNetwork } from '../../protocol/replicas.ts'
import type { HeldUsage, LetterFacts } from '../../store/held-usage.ts'
import type { HolderCaller } from '../ports.ts'
import { WindowCounter } from './window-counter.ts'

/** A letter comes from whoever writes, or from another holder. */
export type Way = 'put' | 'copy'

const MIB = 1_024 * 1_024

export interface QuotaLimits {
  readonly mailboxRecords: number
  readonly mailboxBytes: number
  readonly laneLettersPerDay: number
  readonly laneBytes: number
  /** Letters of one lane that wait at the same time: small ones must not take all the places of the mailbox. */
  readonly laneRecords: number
  /** Letters of one lane that are dead: each leaves its tombstone behind, also where it came as a copy. */
  readonly laneDead: number
  /** Letters with a stamp in one mailbox. */
  readonly stampedLetters: number
  readonly sourcePutsPerSecond: number
  readonly sourcePutsBurst: number
  readonly sourceBytesPerHour: number
  /** Letters that other holders bring. */
  readonly sourceCopyBytesPerSecond: number
  readonly sourceCopyBytesBurst: number
  /** Requests, by what they cost: a plain one is 1. */
  readonly sourceRequestsPerSecond: number
  readonly sourceRequestsBurst: number
  readonly nodeBytes: number
}

export const DEFAULT_QUOTAS: QuotaLimits = {
  mailboxRecords: 2_000,
  mailboxBytes: 32 * MIB,
  laneLettersPerDay: 1_000,
  laneBytes: 4 * MIB,
  laneRecords: 1_000,
  laneDead: 8_192, // a thousand a day for a week and the overlap
  stampedLetters: 64,
  sourcePutsPerSecond: 10,
  sourcePutsBurst: 1_000,
  sourceBytesPerHour: 64 * MIB,
  sourceCopyBytesPerSecond: MIB / 8,
  sourceCopyBytesBurst: 64 * MIB,
  sourceRequestsPerSecond: 200,
  sourceRequestsBurst: 1_000,
  nodeBytes: 2_048 * MIB,
}

/**
 * Once so much of a mailbox is taken, a lane that has its share of it gets no more: a few contacts cannot shut out the others.
 * Copies have a quarter more, since they come to a new holder in another order than the letters came to the others.
 */
const FAIR_FROM = { put: 1 / 2, copy: 3 / 4 } as const
const LANE_SHARE_RECORDS = 64
const LANE_SHARE_OF_BYTES = 1 / 32
/** Neither mail nor cards may take the whole disk: without cards nobody can be written to, and cards cost no stamp. */
const MAIL_SHARE = 0.75
const CARD_SHARE = 0.5
/** So much of the cards' share recovery records may come up to: they are the largest and anybody may keep some, the rest is for the others. */
const RECOVERY_SHARE = 0.6
/** A public network has several honest peers, and asks this many times as much as one of them. */
const NETWORK_FACTOR = 4
/** Tombstones of one source: a reader that was away deletes a whole mailbox at once. */
const TOMBSTONE_RATE = { perSecond: 64, burst: 4_096 } as const
/** Stamps of one source that did not hold: each has cost an Argon2id here, and next to nothing there. */
const FALSE_STAMP_RATE = { perSecond: 0.1, burst: 10 } as const
/** Goodbyes: one is enough, and each makes others look after what the leaving one held. */
const LEAVING_RATE = { perSecond: 1 / 60, burst: 3 } as const
/** Owner proofs: checking one takes 0.15 ms of the event loop. */
const PROOF_RATE = { perSecond: 5, burst: 64 } as const

export class Quotas {
  readonly #limits: QuotaLimits
  readonly #usage: HeldUsage
  readonly #requests: SourceLimiter
  readonly #proofs: SourceLimiter
  readonly #tombstones: SourceLimiter
  readonly #falseStamps: SourceLimiter
  readonly #goodbyes: SourceLimiter
  readonly #copies: SourceLimiter
  readonly #puts: RateLimiter
  readonly #bytes: RateLimiter
  readonly #leaving = new Set<string>()
  /** Not on disk, so a restart forgets it; the lane's bytes stay counted. */
  readonly #laneDays: WindowCounter

  constructor(usage: HeldUsage, clock: Clock, limits: QuotaLimits = DEFAULT_QUOTAS) {
    this.#limits = limits
    this.#usage = usage
    const hourly = limits.sourceBytesPerHour
    const requests = { perSecond: limits.sourceRequestsPerSecond, burst: limits.sourceRequestsBurst }
    this.#requests = new SourceLimiter(requests, NETWORK_FACTOR, clock)
    this.#proofs = new SourceLimiter(PROOF_RATE, NETWORK_FACTOR, clock)
    this.#tombstones = new SourceLimiter(TOMBSTONE_RATE, NETWORK_FACTOR, clock)
    this.#falseStamps = new SourceLimiter(FALSE_STAMP_RATE, 1, clock)
    this.#goodbyes = new SourceLimiter(LEAVING_RATE, NETWORK_FACTOR, clock)
    const copies = { perSecond: limits.sourceCopyBytesPerSecond, burst: limits.sourceCopyBytesBurst }
    this.#copies = new SourceLimiter(copies, NETWORK_FACTOR, clock)
    this.#puts = new RateLimiter({ perSecond: limits.sourcePutsPerSecond, burst: limits.sourcePutsBurst }, clock)
    this.#bytes = new RateLimiter({ perSecond: hourly / 3_600, burst: hourly }, clock)
    this.#laneDays = new WindowCounter(clock, DAY_MS, limits.laneLettersPerDay)
  }

  /** Whether the caller may ask anything now. */
  takeRequest(caller: HolderCaller): boolean {
    return this.#requests.take(caller)
  }

  /** What an answer has cost beyond a plain one; it is waited for before the next. */
  chargeRequest(caller: HolderCaller, cost: number): void {
    this.#requests.charge(caller, cost)
  }

  /** Whether the caller may have work of this cost done now: it must owe nothing, and owes it from now on. */
  takeWork(caller: HolderCaller, cost: number): boolean {
    if (!this.#requests.has(caller, 0)) return false
    this.#requests.charge(caller, cost)
    return true
  }

  /** Whether the caller's proof is looked at. */
  takeProof(caller: HolderCaller): boolean {
    return this.#proofs.take(caller)
  }

  /** Whether the caller may bring so many tombstones now. It is no question of room: they come again later. */
  takeTombstones(caller: HolderCaller, count: number): boolean {
    return this.#tombstones.take(caller, count)
  }

  /** Whether a stamp of the caller is looked at: not where too many of them were false. Counts it as false for now. */
  takeStampLook(caller: HolderCaller): boolean {
    return this.#falseStamps.take(caller)
  }

  /** It was not false, or was not looked at. */
  giveStampLookBack(caller: HolderCaller): void {
    this.#falseStamps.charge(caller, -1)
  }

  /** Whether the caller may say now that it leaves. */
  takeLeaving(caller: HolderCaller): boolean {
    return this.#goodbyes.take(caller)
  }

  /** Whether the caller may bring a copy of `bytes` from another holder now; counts them if so. */
  takeCopy(caller: HolderCaller, bytes: number): boolean {
    return this.#copies.take(caller, bytes)
  }

  /** Whether the caller, and the network that it comes from, may bring `bytes` now; counts them if so. */
  takePut(caller: HolderCaller, bytes: number): boolean {
    const sources = sourcesOf(caller)
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

  /** Whether the disk has room for a letter of `bytes`. */
  hasMailRoom(bytes: number): boolean {
    const { mailDiskBytes, cardDiskBytes } = this.#usage
    const mail = mailDiskBytes + bytes
    return mail <= this.#limits.nodeBytes * MAIL_SHARE && mail + cardDiskBytes <= this.#limits.nodeBytes
  }

  /** Whether a card of `bytes` may take the place of one of `before` (0: there is none). */
  hasCardRoom(bytes: number, before: number, kind?: CardRecord['kind']): boolean {
    const { mailDiskBytes, cardDiskBytes } = this.#usage
    if (bytes <= before) return true
    const cards = cardDiskBytes + bytes - before
    const share = kind === CARD_KIND.recovery ? CARD_SHARE * RECOVERY_SHARE : CARD_SHARE
    return cards <= this.#limits.nodeBytes * share && cards + mailDiskBytes <= this.#limits.nodeBytes
  }

  /**
   * Whether the letter's mailbox and lane have room. The intro box is {@link Quotas.giveWay}'s business. A copy does not count
   * for the lane's day: it was counted when it was put.
   */
  hasPlace(facts: LetterFacts, way: Way): boolean {
    const bytes = SIZE_CLASSES_BYTES[facts.sizeClass] ?? 0
    const mailbox = this.#usage.mailbox(facts.address)
    if ((mailbox?.records ?? 0) + 1 > this.#limits.mailboxRecords) return false
    if ((mailbox?.bytes ?? 0) + bytes > this.#limits.mailboxBytes) return false
    return facts.stampBits > 0 || this.#laneHasPlace(facts, bytes, way)
  }

  #laneHasPlace(facts: LetterFacts, bytes: number, way: Way): boolean {
    const { laneBytes, laneRecords, laneDead, mailboxBytes, mailboxRecords } = this.#limits
    const mailbox = this.#usage.mailbox(facts.address) ?? { records: 0, bytes: 0, lanes: new Map<string, never>() }
    const lane = mailbox.lanes.get(toHex(facts.lane)) ?? { records: 0, bytes: 0 }
    if (lane.bytes + bytes > laneBytes || lane.records + 1 > laneRecords) return false
    if (lane.records + this.#usage.deadOf(facts.address, facts.lane) >= laneDead) return false
    const tight = Math.max(mailbox.records / mailboxRecords, mailbox.bytes / mailboxBytes) >= FAIR_FROM[way]
    const large = lane.records >= LANE_SHARE_RECORDS || lane.bytes >= mailboxBytes * LANE_SHARE_OF_BYTES
    if (tight && large) return false
    return way === 'copy' || this.#laneDays.has(laneKey(facts))
  }

  /**
   * Who gives way to a stamped letter: nobody (`undefined`) while there is room, else the id of the letter with the
   * least effort, or `full` where the new one has no more than that.
   */
  giveWay(facts: LetterFacts): Uint8Array | 'full' | undefined {
    const stamped = this.#usage.mailbox(facts.address)?.stamped
    if (stamped === undefined) return undefined
    const staying = [...stamped].filter(([id]) => !this.#leaving.has(id))
    if (staying.length < this.#limits.stampedLetters) return undefined
    const [cheapest, bits] = staying.reduce((least, entry) => (entry[1] < least[1] ? entry : least))
    return facts.stampBits > bits ? fromHex(cheapest) : 'full'
  }

  /** The letter is about to give way: nobody else may count on its place. Call {@link Quotas.left} in any case. */
  leaves(id: Uint8Array): void {
    this.#leaving.add(toHex(id))
  }

  /** It is gone, or stays after all. */
  left(id: Uint8Array): void {
    this.#leaving.delete(toHex(id))
  }

  /** Counts a letter that is about to be stored. */
  reserve(facts: LetterFacts, way: Way): void {
    this.#usage.addLetter(facts)
    if (countsForDay(facts, way)) this.#laneDays.take(laneKey(facts))
  }

  /** Takes {@link Quotas.reserve} back: it was not stored after all. */
  release(facts: LetterFacts, way: Way): void {
    this.#usage.removeLetter(facts)
    if (countsForDay(facts, way)) this.#laneDays.giveBack(laneKey(facts))
  }
}

function countsForDay({ stampBits }: LetterFacts, way: Way): boolean {
  return stampBits === 0 && way === 'put'
}

function laneKey(facts: LetterFacts): string {
  return toHex(facts.address) + toHex(facts.lane)
}

/** What a caller is rationed by: its peer id, and its public network where it has one. */
export function sourcesOf(caller: HolderCaller): readonly [peer: string, ...network: string[]] {
  const network = caller.ip === undefined ? undefined : sourceNetwork(caller.ip)
  return network === undefined ? [caller.peerId] : [caller.peerId, network]
}

/** Token buckets of peers, and larger ones of their networks: new peer ids are free, networks are not. */
class SourceLimiter {
  readonly #peers: RateLimiter
  readonly #networks: RateLimiter

  constructor({ perSecond, burst }: RatePolicy, factor: number, clock: Clock) {
    this.#peers = new RateLimiter({ perSecond, burst }, clock)
    this.#networks = new RateLimiter({ perSecond: perSecond * factor, burst: burst * factor }, clock)
  }

  has(caller: HolderCaller, cost = 1): boolean {
    const [peer, network] = sourcesOf(caller)
    if (this.#peers.retryAfterMs(peer, cost) > 0) return false
    return network === undefined || this.#networks.retryAfterMs(network, cost) === 0
  }

  take(caller: HolderCaller, cost = 1): boolean {
    if (!this.has(caller, cost)) return false
    this.charge(caller, cost)
    return true
  }

  charge(caller: HolderCaller, cost: number): void {
    const [peer, network] = sourcesOf(caller)
    this.#peers.charge(peer, cost)
    if (network !== undefined) this.#networks.charge(network, cost)
  }
}
