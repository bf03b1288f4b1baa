/**
 * What this peer keeps for others: letters, tombstones, cards. It holds the merge rule (none < live < dead, for cards the
 * higher version) whatever comes in which order; quotas, proofs and signatures are the holder service's business.
 * A promise that resolves to something stored means that it is on the disk.
 */
import { toHex, u32be } from '../lib/bytes.ts'
import { KeyedQueue } from '../lib/queue.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { Rng } from '../lib/rng.ts'
import { encode } from '../wire/codec.ts'
import type { Codec } from '../wire/codec.ts'
import type { Letter, ListedLetter, Tombstone } from '../wire/letter.ts'
import { cardRecordCodec } from '../wire/holder.ts'
import type { CardRecord } from '../wire/holder.ts'
import {
  cardExpiryMs,
  cardKey,
  cardVersion,
  CLOCK_TOLERANCE_MS,
  compareVersions,
  DAY_MS,
  HOUR_MS,
  hourPassed,
  LETTER_LIFE_MAX_MS,
  opens,
  TOMBSTONE_EXTRA_HOURS,
} from '../protocol/mailbox-rules.ts'
import { bucketKey, bucketRange } from './buckets.ts'
import type { BucketName } from './buckets.ts'
import type { Database, StoreOp } from './database.ts'
import {
  cardNumberCodec,
  checked,
  heldLetterCodec,
  heldTombstoneCodec,
  INDEX,
  indexEntryCodec,
  placeCodec,
  withChecksum,
} from './held-records.ts'
import type { CardNumber, HeldLetter, HeldTombstone, IndexEntry, Place } from './held-records.ts'
import { HeldUsage } from './held-usage.ts'
import type { LetterFacts } from './held-usage.ts'

/** Writes that may wait for their turn on one id or key, over all of them. */
const WAITING_MAX = 10_000
/** Tombstones whose letter never came: 65,536 of about 80 bytes. Beyond that new ones are let go. */
const ORPHANS_MAX = 65_536
const ORPHAN_HOURS = Math.ceil((LETTER_LIFE_MAX_MS + CLOCK_TOLERANCE_MS) / HOUR_MS) + TOMBSTONE_EXTRA_HOURS
/** A version is remembered for twice the life of the longest card: every older card has run out long before. */
const VERSION_MEMORY_HOURS = (180 * DAY_MS) / HOUR_MS
const SWEEP_BATCH = 256
/** From so many bytes removed on, a sweep has LevelDB give the space back. */
const COMPACT_BYTES = 1_024 * 1_024
const ARRIVAL_MAX = 2 ** 32 - 1

export type PutOutcome = 'stored' | 'known' | 'gone'
export type BuryOutcome = 'buried' | 'known' | 'refused' | 'ignored'
export type CardOutcome = 'stored' | 'known' | 'stale'

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
  readonly #db: Database
  readonly #crypto: CryptoProvider
  readonly #queue = new KeyedQueue(WAITING_MAX)
  #arrival = 0
  #orphans = 0
  #corrupt = 0

  private constructor(db: Database, crypto: CryptoProvider, rng: Rng) {
    this.#db = db
    this.#crypto = crypto
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
    return this.#corrupt
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
    return this.#queue.run(toHex(id), async () => {
      const before = (await this.#stateFor(id, letter)) ?? (await admit())
      if (before !== undefined) return before
      const place = { address: letter.address, arrival: this.#nextArrival() }
      await this.#db.batch([
        this.#put('held', [id], heldLetterCodec, { arrival: place.arrival, letter }),
        this.#put('heldByAddress', placeKey(place), indexEntryCodec, { kind: INDEX.live, body: liveEntry(id, letter) }),
        this.#put('heldByExpiry', [u32be(letter.expiry), id], placeCodec, place),
      ])
      return 'stored'
    })
  }

  /** What is known of the letter already: `gone` where its tombstone is here, `known` where it is itself. */
  async stateOf(id: Uint8Array, letter: Letter): Promise<'known' | 'gone' | undefined> {
    return this.#queue.run(toHex(id), () => this.#stateFor(id, letter))
  }

  async #stateFor(id: Uint8Array, letter: Letter): Promise<'known' | 'gone' | undefined> {
    const keys = [bucketKey('tombstones', id), bucketKey('held', id)] as const
    const [grave, stored] = await this.#db.getMany(keys)
    const tombstone = grave && (await this.#checkedOrDropped(keys[0], heldTombstoneCodec, grave))
    if (tombstone !== undefined && (await this.#settle(id, tombstone, letter))) return 'gone'
    const held = stored && (await this.#checkedOrDropped(keys[1], heldLetterCodec, stored))
    return held === undefined ? undefined : 'known'
  }

  /** Whether a tombstone deletes this letter. One that came before it now finds its mailbox, or is seen to be false. */
  async #settle(id: Uint8Array, tombstone: HeldTombstone, letter: Letter): Promise<boolean> {
    if (tombstone.place !== undefined) return true
    const genuine = opens(this.#crypto, letter.commitment, tombstone.preimage)
    this.#orphans--
    await this.#db.batch([
      this.#del('tombstones', [id]),
      this.#del('tombstonesByExpiry', [u32be(tombstone.until), id]),
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
    const before = this.#corrupt
    const held = await this.#get('held', [id], heldLetterCodec)
    if (this.#corrupt > before) await this.#dropIndexEntry(address, id)
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
    await this.#queue.run(toHex(id), async () => {
      const held = await this.#letter(address, id)
      if (held !== undefined) await this.#db.batch(this.#removeOps(id, held))
      if (held !== undefined) this.usage.removeLetter(factsOf(id, held.letter))
    })
  }

  // --- tombstones

  /**
   * Deletes the letter `id` for good where `preimage` opens its commitment. Where the letter is not here, keeps the
   * tombstone in case it comes. Never gated by quotas. `refused` means that the preimage is wrong.
   */
  async bury(id: Uint8Array, preimage: Uint8Array, nowMs: number): Promise<BuryOutcome> {
    return this.#queue.run(toHex(id), async () => {
      const known = await this.#get('tombstones', [id], heldTombstoneCodec)
      if (known?.place !== undefined) return 'known'
      const held = await this.#get('held', [id], heldLetterCodec)
      if (held === undefined) return this.#buryAhead(id, preimage, known, nowMs)
      if (!opens(this.#crypto, held.letter.commitment, preimage)) return 'refused'
      await this.#db.batch([...this.#removeOps(id, held), ...this.#graveOps(id, preimage, held.letter)])
      this.usage.removeLetter(factsOf(id, held.letter))
      return 'buried'
    })
  }

  async #buryAhead(
    id: Uint8Array,
    preimage: Uint8Array,
    known: HeldTombstone | undefined,
    nowMs: number,
  ): Promise<BuryOutcome> {
    if (known === undefined && this.#orphans >= ORPHANS_MAX) return 'ignored'
    const until = known?.until ?? Math.ceil(nowMs / HOUR_MS) + ORPHAN_HOURS
    if (known === undefined) this.#orphans++
    await this.#db.batch([
      this.#put('tombstones', [id], heldTombstoneCodec, { preimage, until, place: undefined }),
      { type: 'put', key: bucketKey('tombstonesByExpiry', u32be(until), id), value: NOTHING },
    ])
    return 'buried'
  }

  #graveOps(id: Uint8Array, preimage: Uint8Array, letter: Letter): StoreOp[] {
    const until = letter.expiry + TOMBSTONE_EXTRA_HOURS
    const place = { address: letter.address, arrival: this.#nextArrival() }
    return [
      this.#put('tombstones', [id], heldTombstoneCodec, { preimage, until, place }),
      { type: 'put', key: bucketKey('tombstonesByExpiry', u32be(until), id), value: NOTHING },
      this.#put('heldByAddress', placeKey(place), indexEntryCodec, {
        kind: INDEX.dead,
        body: { id, expiry: letter.expiry, preimage },
      }),
    ]
  }

  #removeOps(id: Uint8Array, held: HeldLetter): StoreOp[] {
    return [
      this.#del('held', [id]),
      this.#del('heldByAddress', placeKey({ address: held.letter.address, arrival: held.arrival })),
      this.#del('heldByExpiry', [u32be(held.letter.expiry), id]),
    ]
  }

  // --- cards

  /** The card at `key`, if it is still in force. */
  async getCard(key: Uint8Array, nowMs: number): Promise<CardRecord | undefined> {
    const record = await this.#get('cards', [key], cardRecordCodec)
    return record === undefined || cardExpiryMs(record) <= nowMs ? undefined : record
  }

  /** The highest version ever accepted for `key`, also of a card that has run out. Waits for one that is being written. */
  async cardNumber(key: Uint8Array): Promise<CardNumber | undefined> {
    return this.#queue.run(toHex(key), () => this.#cardNumber(key))
  }

  async #cardNumber(key: Uint8Array): Promise<CardNumber | undefined> {
    return this.#get('cardNumbers', [key], cardNumberCodec)
  }

  /** Keeps a card that was found to be good, unless a higher version was ever here. */
  async putCard(record: CardRecord, nowMs: number): Promise<CardOutcome> {
    const key = cardKey(this.#crypto, record)
    return this.#queue.run(toHex(key), async () => {
      const version = cardVersion(this.#crypto, record)
      const known = await this.#cardNumber(key)
      const order = known === undefined ? 1 : compareVersions(version, known)
      if (order < 0) return 'stale'
      if (order === 0 && known !== undefined && known.bytes > 0) return 'known'
      const bytes = encode(cardRecordCodec, record).length
      const expiryHour = Math.ceil(cardExpiryMs(record) / HOUR_MS)
      const until = Math.ceil(nowMs / HOUR_MS) + VERSION_MEMORY_HOURS
      await this.#db.batch([
        this.#put('cards', [key], cardRecordCodec, record),
        this.#put('cardNumbers', [key], cardNumberCodec, { ...version, bytes, expiryHour, until }),
        { type: 'put', key: bucketKey('cardsByExpiry', u32be(expiryHour), key), value: NOTHING },
        { type: 'put', key: bucketKey('cardsByExpiry', u32be(until), key), value: NOTHING },
      ])
      this.usage.addCardBytes(bytes - (known?.bytes ?? 0))
      return 'stored'
    })
  }

  // --- expiry

  /** Removes what has run out: letters, tombstones a day later, cards; and the memory of versions in the end. */
  async sweep(nowMs: number): Promise<SweepResult> {
    const before = this.usage.bytes
    const letters = await this.#sweep('heldByExpiry', nowMs, (id) => this.#expireLetter(id, nowMs))
    const tombstones = await this.#sweep('tombstonesByExpiry', nowMs, (id) => this.#expireTombstone(id, nowMs))
    const cards = await this.#sweep('cardsByExpiry', nowMs, (key) => this.#expireCard(key, nowMs))
    if (before - this.usage.bytes >= COMPACT_BYTES) await this.#compact()
    return { letters, tombstones, cards }
  }

  /** Runs `expire` for each entry of an expiry index whose hour has come; it answers whether something went. */
  async #sweep(bucket: BucketName, nowMs: number, expire: (id: Uint8Array) => Promise<boolean>): Promise<number> {
    const lt = bucketKey(bucket, u32be(Math.floor(nowMs / HOUR_MS) + 1))
    let count = 0
    for (;;) {
      const keys: Uint8Array[] = []
      for await (const key of this.#db.keys({ gte: bucketRange(bucket).gte, lt, limit: SWEEP_BATCH }))
        keys.push(key.slice())
      const gone = await Promise.all(
        keys.map((key) => this.#queue.run(toHex(key.subarray(5)), () => expire(key.slice(5)))),
      )
      count += gone.filter(Boolean).length
      await this.#db.batch(keys.map((key) => ({ type: 'del', key })))
      if (keys.length < SWEEP_BATCH) return count
    }
  }

  async #expireLetter(id: Uint8Array, nowMs: number): Promise<boolean> {
    const held = await this.#get('held', [id], heldLetterCodec)
    if (held === undefined || !hourPassed(held.letter.expiry, nowMs)) return false
    await this.#db.batch(this.#removeOps(id, held))
    this.usage.removeLetter(factsOf(id, held.letter))
    return true
  }

  async #expireTombstone(id: Uint8Array, nowMs: number): Promise<boolean> {
    const tombstone = await this.#get('tombstones', [id], heldTombstoneCodec)
    if (tombstone === undefined || !hourPassed(tombstone.until, nowMs)) return false
    const ops = [this.#del('tombstones', [id])]
    if (tombstone.place === undefined) this.#orphans--
    else ops.push(this.#del('heldByAddress', placeKey(tombstone.place)))
    await this.#db.batch(ops)
    return true
  }

  async #expireCard(key: Uint8Array, nowMs: number): Promise<boolean> {
    const known = await this.#cardNumber(key)
    if (known === undefined) return false
    const ops: StoreOp[] = []
    if (hourPassed(known.until, nowMs)) ops.push(this.#del('cardNumbers', [key]))
    if (known.bytes > 0 && hourPassed(known.expiryHour, nowMs)) {
      ops.unshift(this.#del('cards', [key]))
      if (ops.length === 1) ops.push(this.#put('cardNumbers', [key], cardNumberCodec, { ...known, bytes: 0 }))
      this.usage.addCardBytes(-known.bytes)
    }
    await this.#db.batch(ops)
    return ops.length > 0
  }

  async #compact(): Promise<void> {
    for (const bucket of ['held', 'heldByAddress', 'heldByExpiry', 'cards'] as const) {
      await this.#db.compact(bucketRange(bucket))
    }
  }

  // --- inside

  async #rebuild(): Promise<void> {
    let highest = 0
    for await (const { place, entry } of this.#allEntries()) {
      highest = Math.max(highest, place.arrival)
      if (entry?.kind === INDEX.live) this.usage.addLetter({ ...entry.body, address: place.address })
    }
    this.#arrival = highest
    for await (const [key, value] of this.#db.iterate(bucketRange('tombstones'))) {
      const tombstone = await this.#checkedOrDropped(key, heldTombstoneCodec, value)
      if (tombstone !== undefined && tombstone.place === undefined) this.#orphans++
    }
    for await (const [key, value] of this.#db.iterate(bucketRange('cardNumbers'))) {
      const known = await this.#checkedOrDropped(key, cardNumberCodec, value)
      if (known !== undefined) this.usage.addCardBytes(known.bytes)
    }
  }

  async *#allEntries(): AsyncGenerator<{ place: Place; entry: IndexEntry | undefined }> {
    for await (const [key, value] of this.#db.iterate(bucketRange('heldByAddress'))) {
      yield { place: placeOf(key), entry: await this.#checkedOrDropped(key, indexEntryCodec, value) }
    }
  }

  async *#entries(address: Uint8Array, from: number): AsyncGenerator<{ arrival: number; entry: IndexEntry }> {
    if (from > ARRIVAL_MAX) return
    const range = {
      gte: bucketKey('heldByAddress', address, u32be(from)),
      lt: bucketRange('heldByAddress', address).lt,
    }
    for await (const [key, value] of this.#db.iterate(range)) {
      const entry = await this.#checkedOrDropped(key, indexEntryCodec, value)
      if (entry !== undefined) yield { arrival: placeOf(key).arrival, entry }
    }
  }

  /** After a letter was found damaged: it is no longer listed nor counted. */
  async #dropIndexEntry(address: Uint8Array, id: Uint8Array): Promise<void> {
    for await (const { arrival, entry } of this.#entries(address, 0)) {
      if (entry.kind !== INDEX.live || toHex(entry.body.id) !== toHex(id)) continue
      await this.#db.batch([this.#del('heldByAddress', placeKey({ address, arrival }))])
      this.usage.removeLetter({ ...entry.body, address })
      return
    }
  }

  #nextArrival(): number {
    this.#arrival++
    return this.#arrival
  }

  #put<T>(bucket: BucketName, parts: readonly Uint8Array[], codec: Codec<T>, value: T): StoreOp {
    const key = bucketKey(bucket, ...parts)
    return { type: 'put', key, value: withChecksum(this.#crypto, key, codec, value) }
  }

  #del(bucket: BucketName, parts: readonly Uint8Array[]): StoreOp {
    return { type: 'del', key: bucketKey(bucket, ...parts) }
  }

  async #get<T>(bucket: BucketName, parts: readonly Uint8Array[], codec: Codec<T>): Promise<T | undefined> {
    const key = bucketKey(bucket, ...parts)
    const value = await this.#db.get(key)
    return value === undefined ? undefined : this.#checkedOrDropped(key, codec, value)
  }

  async #checkedOrDropped<T>(key: Uint8Array, codec: Codec<T>, value: Uint8Array): Promise<T | undefined> {
    const result = checked(this.#crypto, key, codec, value)
    if (result !== undefined) return result
    this.#corrupt++
    await this.#db.batch([{ type: 'del', key }])
    return undefined
  }
}

const NOTHING = new Uint8Array(0)
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
