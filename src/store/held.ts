/**
 * What this peer keeps for others: letters, tombstones, cards. It holds the merge rule (none < live < dead, for cards the
 * higher version) whatever comes in which order; quotas, proofs and signatures are the holder service's business.
 * A promise that resolves to something stored means that it is on the disk.
 */
import { equal, toHex, u32be } from '../lib/bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { Rng } from '../lib/rng.ts'
import type { Letter, ListedLetter, Tombstone } from '../wire/letter.ts'
import {
  CLOCK_TOLERANCE_MS,
  HOUR_MS,
  hourPassed,
  LETTER_LIFE_MAX_MS,
  opens,
  TOMBSTONE_EXTRA_HOURS,
} from '../protocol/mailbox-rules.ts'
import { bucketKey, bucketRange } from './buckets.ts'
import type { Database, StoreOp } from './database.ts'
import { HeldCards } from './held-cards.ts'
import { heldLetterCodec, heldTombstoneCodec, INDEX, indexEntryCodec } from './held-records.ts'
import type { HeldLetter, HeldTombstone, IndexEntry, Place } from './held-records.ts'
import { HeldTable } from './held-table.ts'
import { HeldUsage } from './held-usage.ts'
import type { LetterFacts } from './held-usage.ts'

/** Tombstones whose letter never came: 65,536 of about 80 bytes. Beyond that new ones are let go. */
const ORPHANS_MAX = 65_536
const ORPHAN_HOURS = Math.ceil((LETTER_LIFE_MAX_MS + CLOCK_TOLERANCE_MS) / HOUR_MS) + TOMBSTONE_EXTRA_HOURS
/** From so many bytes removed on, a sweep has LevelDB give the space back. */
const COMPACT_BYTES = 1_024 * 1_024
const LARGE_BUCKETS = ['held', 'heldByAddress', 'heldByExpiry', 'cards'] as const
const ARRIVAL_MAX = 2 ** 32 - 1

export type PutOutcome = 'stored' | 'known' | 'gone'
export type BuryOutcome = 'buried' | 'known' | 'refused' | 'ignored'

/** What a mailbox holds after a cursor. */
export interface HeldListing {
  readonly live: readonly ListedLetter[]
  readonly dead: readonly Tombstone[]
  /** Arrival number of the last entry looked at. */
  readonly cursor: number
  readonly more: boolean
}

export interface SweepResult {
  readonly letters: number
  readonly tombstones: number
  readonly cards: number
}

export class HeldStore {
  /** Names this opening of the store: cursors of another one mean nothing. */
  readonly boot: Uint8Array
  readonly usage = new HeldUsage()
  readonly cards: HeldCards
  readonly #table: HeldTable
  readonly #crypto: CryptoProvider
  #arrival = 0
  #orphans = 0

  private constructor(db: Database, crypto: CryptoProvider, rng: Rng) {
    this.#table = new HeldTable(db, crypto)
    this.#crypto = crypto
    this.cards = new HeldCards(this.#table, crypto, this.usage)
    this.boot = rng.bytes(8)
  }

  /** Reads the index through once. The database stays the caller's to close. */
  static async open(db: Database, crypto: CryptoProvider, rng: Rng): Promise<HeldStore> {
    const store = new HeldStore(db, crypto, rng)
    await store.#rebuild()
    return store
  }

  /** Entries that were not what was written, and were dropped. */
  get corrupt(): number {
    return this.#table.corrupt
  }

  // --- letters

  /**
   * Keeps a letter unless its tombstone is here, idempotent by id. `admit` is asked about a letter that is not known yet:
   * `undefined` lets it in, and then it has been counted in {@link usage}, which the caller takes back unless the outcome
   * is `stored`; anything else is the answer.
   */
  async putLetter<T = never>(
    id: Uint8Array,
    letter: Letter,
    admit: () => Promise<T | undefined> = admitted,
  ): Promise<PutOutcome | T> {
    return this.#table.alone(id, async () => {
      const before = (await this.#stateFor(id, letter)) ?? (await admit())
      if (before !== undefined) return before
      const place = { address: letter.address, arrival: this.#nextArrival() }
      await this.#table.write([
        this.#table.put('held', [id], heldLetterCodec, { arrival: place.arrival, letter }),
        this.#table.put('heldByAddress', placeKey(place), indexEntryCodec, {
          kind: INDEX.live,
          body: liveEntry(id, letter),
        }),
        this.#table.expires('heldByExpiry', letter.expiry, id),
      ])
      return 'stored'
    })
  }

  /** What is known of the letter already: `gone` where its tombstone is here, `known` where it is itself. */
  async stateOf(id: Uint8Array, letter: Letter): Promise<'known' | 'gone' | undefined> {
    return this.#table.alone(id, () => this.#stateFor(id, letter))
  }

  async #stateFor(id: Uint8Array, letter: Letter): Promise<'known' | 'gone' | undefined> {
    const [tombstone, held] = await this.#table.getBoth(
      id,
      ['tombstones', heldTombstoneCodec],
      ['held', heldLetterCodec],
    )
    if (tombstone !== undefined && (await this.#settle(id, tombstone, letter))) return 'gone'
    return held === undefined ? undefined : 'known'
  }

  /** Whether a tombstone deletes this letter. One that came before it now finds its mailbox, or is seen to be false. */
  async #settle(id: Uint8Array, tombstone: HeldTombstone, letter: Letter): Promise<boolean> {
    if (tombstone.place !== undefined) return true
    const genuine = opens(this.#crypto, letter.commitment, tombstone.preimage)
    this.#orphans--
    if (!genuine) this.usage.addTombstones(-1)
    await this.#table.write([
      this.#table.del('tombstones', [id]),
      this.#table.del('tombstonesByExpiry', [u32be(tombstone.until), id]),
      ...(genuine ? this.#graveOps(id, tombstone.preimage, letter) : []),
    ])
    return genuine
  }

  /** The letters of a mailbox with these ids, expired ones left out; at most `bytesMax` of ciphertext, but one at least. */
  async getLetters(
    address: Uint8Array,
    ids: readonly Uint8Array[],
    nowMs: number,
    bytesMax: number,
  ): Promise<Letter[]> {
    const letters: Letter[] = []
    let bytes = 0
    for (const id of ids) {
      const held = await this.#letter(address, id)
      if (held === undefined || toHex(held.letter.address) !== toHex(address)) continue
      if (hourPassed(held.letter.expiry, nowMs)) continue
      bytes += held.letter.ciphertext.length
      if (bytes > bytesMax && letters.length > 0) break
      letters.push(held.letter)
    }
    return letters
  }

  async #letter(address: Uint8Array, id: Uint8Array): Promise<HeldLetter | undefined> {
    const before = this.#table.corrupt
    const held = await this.#table.get('held', [id], heldLetterCodec)
    if (this.#table.corrupt > before) await this.#dropIndexEntry(address, id)
    return held
  }

  /** Entries of a mailbox that arrived after `after`, at most `limit`, in their order. */
  async list(address: Uint8Array, after: number, limit: number, nowMs: number): Promise<HeldListing> {
    const live: ListedLetter[] = []
    const dead: Tombstone[] = []
    let cursor = after
    let count = 0
    for await (const { arrival, entry } of this.#entries(address, after + 1)) {
      if (++count > limit) return { live, dead, cursor, more: true }
      cursor = arrival
      if (entry.kind === INDEX.dead) dead.push({ id: entry.body.id, preimage: entry.body.preimage })
      else if (!hourPassed(entry.body.expiry, nowMs)) live.push(listed(entry.body))
    }
    return { live, dead, cursor, more: false }
  }

  /** Removes a letter without a tombstone: only for one that gives way in a full intro box. */
  async evict(address: Uint8Array, id: Uint8Array): Promise<void> {
    await this.#table.alone(id, async () => {
      const held = await this.#letter(address, id)
      if (held !== undefined) await this.#table.write(this.#removeOps(id, held))
      if (held !== undefined) this.usage.removeLetter(factsOf(id, held.letter))
    })
  }

  // --- tombstones

  /**
   * Deletes the letter `id` for good where `preimage` opens its commitment. Where the letter is not here, keeps the
   * tombstone in case it comes. Never gated by quotas. `refused` means that the preimage is wrong.
   */
  async bury(id: Uint8Array, preimage: Uint8Array, nowMs: number): Promise<BuryOutcome> {
    return this.#table.alone(id, async () => {
      const known = await this.#table.get('tombstones', [id], heldTombstoneCodec)
      if (known?.place !== undefined) return 'known'
      const held = await this.#table.get('held', [id], heldLetterCodec)
      if (held === undefined) return this.#buryAhead(id, preimage, known, nowMs)
      if (!opens(this.#crypto, held.letter.commitment, preimage)) return 'refused'
      await this.#table.write([...this.#removeOps(id, held), ...this.#graveOps(id, preimage, held.letter)])
      this.usage.removeLetter(factsOf(id, held.letter))
      this.usage.addTombstones(1)
      return 'buried'
    })
  }

  async #buryAhead(
    id: Uint8Array,
    preimage: Uint8Array,
    known: HeldTombstone | undefined,
    nowMs: number,
  ): Promise<BuryOutcome> {
    if (known !== undefined && equal(known.preimage, preimage)) return 'known'
    if (known === undefined && this.#orphans >= ORPHANS_MAX) return 'ignored'
    const until = known?.until ?? Math.ceil(nowMs / HOUR_MS) + ORPHAN_HOURS
    if (known === undefined) this.#orphans++
    if (known === undefined) this.usage.addTombstones(1)
    await this.#table.write([
      this.#table.put('tombstones', [id], heldTombstoneCodec, { preimage, until, place: undefined }),
      this.#table.expires('tombstonesByExpiry', until, id),
    ])
    return 'buried'
  }

  #graveOps(id: Uint8Array, preimage: Uint8Array, letter: Letter): StoreOp[] {
    const until = letter.expiry + TOMBSTONE_EXTRA_HOURS
    const place = { address: letter.address, arrival: this.#nextArrival() }
    return [
      this.#table.put('tombstones', [id], heldTombstoneCodec, { preimage, until, place }),
      this.#table.expires('tombstonesByExpiry', until, id),
      this.#table.put('heldByAddress', placeKey(place), indexEntryCodec, {
        kind: INDEX.dead,
        body: { id, expiry: letter.expiry, preimage },
      }),
    ]
  }

  #removeOps(id: Uint8Array, held: HeldLetter): StoreOp[] {
    return [
      this.#table.del('held', [id]),
      this.#table.del('heldByAddress', placeKey({ address: held.letter.address, arrival: held.arrival })),
      this.#table.del('heldByExpiry', [u32be(held.letter.expiry), id]),
    ]
  }

  // --- expiry

  /** Removes what has run out: letters, tombstones a day later, cards. */
  async sweep(nowMs: number): Promise<SweepResult> {
    const before = this.usage.bytes
    const letters = await this.#table.sweep('heldByExpiry', nowMs, (id) => this.#expireLetter(id, nowMs))
    const tombstones = await this.#table.sweep('tombstonesByExpiry', nowMs, (id) => this.#expireTombstone(id, nowMs))
    const cards = await this.cards.sweep(nowMs)
    if (before - this.usage.bytes >= COMPACT_BYTES) await this.#table.compact(LARGE_BUCKETS)
    return { letters, tombstones, cards }
  }

  async #expireLetter(id: Uint8Array, nowMs: number): Promise<boolean> {
    const held = await this.#table.get('held', [id], heldLetterCodec)
    if (held === undefined || !hourPassed(held.letter.expiry, nowMs)) return false
    await this.#table.write(this.#removeOps(id, held))
    this.usage.removeLetter(factsOf(id, held.letter))
    return true
  }

  async #expireTombstone(id: Uint8Array, nowMs: number): Promise<boolean> {
    const tombstone = await this.#table.get('tombstones', [id], heldTombstoneCodec)
    if (tombstone === undefined || !hourPassed(tombstone.until, nowMs)) return false
    const ops = [this.#table.del('tombstones', [id])]
    if (tombstone.place === undefined) this.#orphans--
    else ops.push(this.#table.del('heldByAddress', placeKey(tombstone.place)))
    await this.#table.write(ops)
    this.usage.addTombstones(-1)
    return true
  }

  // --- inside

  async #rebuild(): Promise<void> {
    for await (const [key, entry] of this.#table.walk(bucketRange('heldByAddress'), indexEntryCodec)) {
      const { address, arrival } = placeOf(key)
      this.#arrival = Math.max(this.#arrival, arrival)
      if (entry.kind === INDEX.live) this.usage.addLetter({ ...entry.body, address })
    }
    for await (const [, tombstone] of this.#table.walk(bucketRange('tombstones'), heldTombstoneCodec)) {
      this.usage.addTombstones(1)
      if (tombstone.place === undefined) this.#orphans++
    }
    await this.cards.rebuild()
  }

  async *#entries(address: Uint8Array, from: number): AsyncGenerator<{ arrival: number; entry: IndexEntry }> {
    if (from > ARRIVAL_MAX) return
    const { lt } = bucketRange('heldByAddress', address)
    const range = { gte: bucketKey('heldByAddress', address, u32be(from)), lt }
    for await (const [key, entry] of this.#table.walk(range, indexEntryCodec)) {
      yield { arrival: placeOf(key).arrival, entry }
    }
  }

  /** After a letter was found damaged: it is no longer listed nor counted. */
  async #dropIndexEntry(address: Uint8Array, id: Uint8Array): Promise<void> {
    for await (const { arrival, entry } of this.#entries(address, 0)) {
      if (entry.kind !== INDEX.live || toHex(entry.body.id) !== toHex(id)) continue
      await this.#table.write([this.#table.del('heldByAddress', placeKey({ address, arrival }))])
      this.usage.removeLetter({ ...entry.body, address })
      return
    }
  }

  #nextArrival(): number {
    this.#arrival++
    return this.#arrival
  }
}

const admitted = async (): Promise<undefined> => undefined

function placeKey(place: Place): [Uint8Array, Uint8Array] {
  return [place.address, u32be(place.arrival)]
}

function placeOf(key: Uint8Array): Place {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength)
  return { address: key.slice(1, 33), arrival: view.getUint32(33) }
}

/** What {@link HeldUsage} counts about a letter. */
export function factsOf(id: Uint8Array, letter: Letter): LetterFacts {
  const { address, lane, sizeClass, stamp } = letter
  return { id, address, lane, sizeClass, stampBits: stamp.bits }
}

function liveEntry(id: Uint8Array, letter: Letter): Extract<IndexEntry, { kind: 1 }>['body'] {
  return { id, expiry: letter.expiry, sizeClass: letter.sizeClass, lane: letter.lane, stampBits: letter.stamp.bits }
}

function listed(body: Extract<IndexEntry, { kind: 1 }>['body']): ListedLetter {
  return { id: body.id, expiry: body.expiry, sizeClass: body.sizeClass }
}
