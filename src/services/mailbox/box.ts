/** What a reader knows of one mailbox while it collects: which letters wait, on which holders, and what was said dead. */
import { equal, toHex } from '../../lib/bytes.ts'
import type { EpochKey } from '../../protocol/mailbox-rules.ts'
import type { Listing, Rung } from '../../wire/letter.ts'
import { Junk } from './junk.ts'

/** A letter that was listed and not handled yet. */
export interface Waiting {
  readonly id: Uint8Array
  /** Holders (peer ids) that list it. */
  readonly holders: Set<string>
  /** At which rungs of the mailbox's ladder it was met: it is deleted there. */
  readonly rungs: Set<Rung>
  /** Who named it first: it counts towards that holder's share. */
  readonly named: string
  /** The sweep up to which it is not handed on again. */
  offered: number
  /** How often it was kept for later. */
  keeps: number
}

/**
 * Ids that may wait on the word of one holder, and over all: the rest of what it lists is left for later sweeps. Were there
 * no share, one liar could fill the whole with what does not exist, and hide what the others have.
 */
const SHARE_MAX = 1_024
const WAITING_MAX = 20 * SHARE_MAX
/** A letter that is kept again and again is skipped for 1, 3, 7 … sweeps, and at most for this many. */
const SKIPPED_SWEEPS_MAX = 255
/** Claims that a letter is dead, over all letters, and for one. */
const CLAIMED_MAX = 8_192
const CLAIMS_PER_LETTER_MAX = 4

export class Box {
  readonly key: EpochKey
  readonly waiting = new Map<string, Waiting>()
  readonly junk = new Junk()
  /** Holders (peer ids) that have listed what they have since everybody was asked last. */
  readonly answered = new Set<string>()
  /** Counts sweeps: a letter is offered once in each. */
  sweep = 0
  readonly #shares = new Map<string, number>()
  /** Preimages that holders showed, by letter (hex). Claims only: they are checked against the letter itself. */
  readonly #claims = new Map<string, Uint8Array[]>()
  readonly #cursors = new Map<string, { readonly boot: Uint8Array; readonly at: number }>()

  constructor(key: EpochKey) {
    this.key = key
  }

  /** A sweep of the first zone begins: of everybody, or `again` of those that did not answer. */
  begin(again: boolean): void {
    this.sweep++
    if (!again) this.answered.clear()
  }

  /** Where the next LIST at this holder starts. */
  cursor(peerId: string): { readonly boot: Uint8Array; readonly at: number } | undefined {
    return this.#cursors.get(peerId)
  }

  /** Takes in what a holder lists. `done` says which letters (hex) are settled. True where there may be more. */
  takeListing(peerId: string, listing: Listing, done: (id: string) => boolean, rung: Rung = 0): boolean {
    for (const { id, preimage } of listing.dead) this.#claim(toHex(id), preimage)
    for (const { id } of listing.live) {
      if (!done(toHex(id)) && !this.add(peerId, id, rung)) return false
    }
    this.#cursors.set(peerId, { boot: listing.boot, at: listing.cursor })
    return listing.more === 1
  }

  /** False where too many wait already, of this holder or of all. */
  add(peerId: string, id: Uint8Array, rung: Rung = 0): boolean {
    const known = this.waiting.get(toHex(id))
    if (known !== undefined) {
      known.holders.add(peerId)
      known.rungs.add(rung)
      return true
    }
    const share = this.#shares.get(peerId) ?? 0
    if (share >= SHARE_MAX || this.waiting.size >= WAITING_MAX) return false
    this.#shares.set(peerId, share + 1)
    this.waiting.set(toHex(id), {
      id,
      holders: new Set([peerId]),
      rungs: new Set([rung]),
      named: peerId,
      offered: 0,
      keeps: 0,
    })
    return true
  }

  /** What this holder lists and what this sweep has not offered yet. */
  from(peerId: string): Uint8Array[] {
    const entries = [...this.waiting.values()]
    return entries.filter(({ holders, offered }) => holders.has(peerId) && offered < this.sweep).map(({ id }) => id)
  }

  /** A letter cannot be read now: offered again in a later sweep, and the more often that happened, the later. True the first time. */
  kept(id: string): boolean {
    const entry = this.waiting.get(id)
    if (entry === undefined) return false
    entry.offered = this.sweep + Math.min(2 ** entry.keeps - 1, SKIPPED_SWEEPS_MAX)
    entry.keeps++
    return entry.keeps === 1
  }

  /** A letter could not be taken in for a reason of ours: offered again in the next sweep. */
  postponed(id: string): void {
    const entry = this.waiting.get(id)
    if (entry !== undefined) entry.offered = this.sweep
  }

  /** A holder did not give letters that it lists: they do not wait for it, and it is listed from the beginning next time. */
  missing(peerId: string, ids: ReadonlySet<string>): void {
    if (ids.size > 0) this.#cursors.delete(peerId)
    for (const id of ids) {
      const entry = this.waiting.get(id)
      if (entry?.holders.delete(peerId) === true && entry.holders.size === 0) this.#remove(id)
    }
  }

  /** Where the letter was met. */
  rungsOf(id: string): readonly Rung[] {
    return [...(this.waiting.get(id)?.rungs ?? [])]
  }

  claims(id: string): readonly Uint8Array[] {
    return this.#claims.get(id) ?? []
  }

  settled(id: string): void {
    this.#remove(id)
    this.#claims.delete(id)
  }

  #remove(id: string): void {
    const entry = this.waiting.get(id)
    if (entry === undefined) return
    this.waiting.delete(id)
    const share = (this.#shares.get(entry.named) ?? 0) - 1
    if (share > 0) this.#shares.set(entry.named, share)
    else this.#shares.delete(entry.named)
  }

  #claim(id: string, preimage: Uint8Array): void {
    const claims = this.#claims.get(id) ?? []
    if (claims.length >= CLAIMS_PER_LETTER_MAX || claims.some((known) => equal(known, preimage))) return
    if (claims.length === 0 && this.#claims.size >= CLAIMED_MAX) return
    this.#claims.set(id, [...claims, preimage])
  }
}
