/** What a reader knows of one mailbox while it collects: which letters wait, on which holders, and what was said dead. */
import { equal, toHex } from '../../lib/bytes.ts'
import type { EpochKey } from '../../protocol/mailbox-rules.ts'
import type { Listing } from '../../wire/letter.ts'

/** A letter that was listed and not handled yet. */
export interface Waiting {
  readonly id: Uint8Array
  /** Holders (peer ids) that list it. */
  readonly holders: Set<string>
  /** The sweep in which it was handed on last, and kept for later. */
  offered: number
}

/** More ids than any honest mailbox has: the rest of what a holder lists is left for later sweeps. */
const WAITING_MAX = 4_096
/** Claims that a letter is dead, over all letters, and for one. */
const CLAIMED_MAX = 8_192
const CLAIMS_PER_LETTER_MAX = 4

export class Box {
  readonly key: EpochKey
  readonly waiting = new Map<string, Waiting>()
  /** Counts sweeps: a letter is offered once in each. */
  sweep = 0
  /** Preimages that holders showed, by letter (hex). Claims only: they are checked against the letter itself. */
  readonly #claims = new Map<string, Uint8Array[]>()
  readonly #cursors = new Map<string, { readonly boot: Uint8Array; readonly at: number }>()

  constructor(key: EpochKey) {
    this.key = key
  }

  /** Where the next LIST at this holder starts. */
  cursor(peerId: string): { readonly boot: Uint8Array; readonly at: number } | undefined {
    return this.#cursors.get(peerId)
  }

  /** Takes in what a holder lists. `done` says which letters (hex) are settled. True where there may be more. */
  takeListing(peerId: string, listing: Listing, done: (id: string) => boolean): boolean {
    for (const { id, preimage } of listing.dead) this.#claim(toHex(id), preimage)
    for (const { id } of listing.live) {
      if (!done(toHex(id)) && !this.add(peerId, id)) return false
    }
    this.#cursors.set(peerId, { boot: listing.boot, at: listing.cursor })
    return listing.more === 1
  }

  /** False where too many wait already. */
  add(peerId: string, id: Uint8Array): boolean {
    const known = this.waiting.get(toHex(id))
    if (known !== undefined) {
      known.holders.add(peerId)
      return true
    }
    if (this.waiting.size >= WAITING_MAX) return false
    this.waiting.set(toHex(id), { id, holders: new Set([peerId]), offered: 0 })
    return true
  }

  /** What this holder lists and what this sweep has not offered yet. */
  from(peerId: string): Uint8Array[] {
    const entries = [...this.waiting.values()]
    return entries.filter(({ holders, offered }) => holders.has(peerId) && offered < this.sweep).map(({ id }) => id)
  }

  /** A letter is to be offered again, but not in this sweep. */
  kept(id: string): void {
    const entry = this.waiting.get(id)
    if (entry !== undefined) entry.offered = this.sweep
  }

  /**
   * A holder lists letters and gives none of them: nothing that it listed waits for it any more, and it is listed from the
   * beginning the next time.
   */
  empty(peerId: string): void {
    this.#cursors.delete(peerId)
    for (const [name, { holders }] of this.waiting) {
      holders.delete(peerId)
      if (holders.size === 0) this.waiting.delete(name)
    }
  }

  claims(id: string): readonly Uint8Array[] {
    return this.#claims.get(id) ?? []
  }

  settled(id: string): void {
    this.waiting.delete(id)
    this.#claims.delete(id)
  }

  #claim(id: string, preimage: Uint8Array): void {
    const claims = this.#claims.get(id) ?? []
    if (claims.length >= CLAIMS_PER_LETTER_MAX || claims.some((known) => equal(known, preimage))) return
    if (claims.length === 0 && this.#claims.size >= CLAIMED_MAX) return
    this.#claims.set(id, [...claims, preimage])
  }
}
