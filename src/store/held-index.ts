/**
 * What each mailbox holds, in the order of arrival. Arrival numbers on disk never run out; the cursors that readers hold are
 * counted from a base and belong to a boot id, and before they leave 32 bits both are new.
 */
import { toHex, u64be } from '../lib/bytes.ts'
import type { Rng } from '../lib/rng.ts'
import type { Deleted, Letter, ListedLetter, Rung, Tombstone } from '../wire/letter.ts'
import { hourPassed } from '../protocol/mailbox-rules.ts'
import { bucketKey, bucketRange } from './buckets.ts'
import type { StoreOp, WalkRange } from './database.ts'
import { INDEX, indexEntryCodec } from './held-records.ts'
import type { IndexEntry } from './held-records.ts'
import type { HeldTable } from './held-table.ts'

export const CURSOR_MAX = 2 ** 32 - 1
const BOOT_BYTES = 8
/** Bucket, address and arrival number: the keys of this index. */
const KEY_BYTES = 1 + 32 + 8

/** Where an entry is. */
export interface Place {
  readonly address: Uint8Array
  readonly arrival: number
}

export interface Indexed extends Place {
  readonly entry: IndexEntry
}

export type LiveEntry = Extract<IndexEntry, { kind: 1 }>['body']

/** What a mailbox holds after a cursor. */
export interface HeldListing {
  readonly boot: Uint8Array
  readonly live: readonly ListedLetter[]
  readonly dead: readonly Deleted[]
  /** Of the last entry looked at. */
  readonly cursor: number
  readonly more: boolean
}

export class HeldIndex {
  readonly #table: HeldTable
  readonly #rng: Rng
  readonly #cursorMax: number
  #boot: Uint8Array
  #arrival = 0
  #base = 0

  constructor(table: HeldTable, rng: Rng, cursorMax: number) {
    this.#table = table
    this.#rng = rng
    this.#cursorMax = cursorMax
    this.#boot = rng.bytes(BOOT_BYTES)
  }

  /** Names these cursors: those of another one mean nothing. */
  get boot(): Uint8Array {
    return this.#boot
  }

  nextArrival(): number {
    this.#arrival++
    return this.#arrival
  }

  putLive(id: Uint8Array, letter: Letter, rung: Rung, arrival: number): StoreOp {
    const { address, expiry, sizeClass, lane, stamp } = letter
    const body = { id, expiry, sizeClass, lane, stampBits: stamp.bits, rung }
    return this.#put({ address, arrival }, { kind: INDEX.live, body })
  }

  putDead(id: Uint8Array, { header, preimage }: Tombstone, arrival: number): StoreOp {
    const body = { id, expiry: header.expiry, preimage }
    return this.#put({ address: header.address, arrival }, { kind: INDEX.dead, body })
  }

  del({ address, arrival }: Place): StoreOp {
    return this.#table.del('heldByAddress', [address, u64be(arrival)])
  }

  /** Entries of a mailbox whose cursor is above `after`, at most `limit`, in their order. */
  async list(address: Uint8Array, after: number, limit: number, nowMs: number): Promise<HeldListing> {
    await this.rebaseIfDue()
    const { boot, base } = { boot: this.#boot, base: this.#base }
    const live: ListedLetter[] = []
    const dead: Deleted[] = []
    let cursor = after
    let count = 0
    for await (const { arrival, entry } of this.#entries(address, base + after + 1)) {
      if (++count > limit) return { boot, live, dead, cursor, more: true }
      cursor = arrival - base
      if (entry.kind === INDEX.dead) dead.push({ id: entry.body.id, preimage: entry.body.preimage })
      else if (!hourPassed(entry.body.expiry, nowMs)) live.push(listed(entry.body))
    }
    return { boot, live, dead, cursor, more: false }
  }

  /** Where the live letter `id` stands in its mailbox. For repairs of the index only: reads all of the mailbox. */
  async findLive(address: Uint8Array, id: Uint8Array): Promise<(Place & { readonly entry: LiveEntry }) | undefined> {
    for await (const { arrival, entry } of this.#entries(address, 0)) {
      if (entry.kind === INDEX.live && toHex(entry.body.id) === toHex(id))
        return { address, arrival, entry: entry.body }
    }
    return undefined
  }

  /** Everything, mailbox after mailbox. */
  async *all(): AsyncGenerator<Indexed> {
    yield* this.#walk(bucketRange('heldByAddress'))
  }

  /** Counts what is there. Once, at opening: `see` is shown everything. */
  async rebuild(see: (indexed: Indexed) => void): Promise<void> {
    let first = Number.POSITIVE_INFINITY
    for await (const indexed of this.all()) {
      this.#arrival = Math.max(this.#arrival, indexed.arrival)
      first = Math.min(first, indexed.arrival)
      see(indexed)
    }
    this.#base = Math.min(first - 1, this.#arrival)
  }

  /** New base and boot id where half of the cursors are used up: the oldest entry is never older than a month. */
  async rebaseIfDue(): Promise<void> {
    if (this.#arrival - this.#base <= this.#cursorMax / 2) return
    let first = this.#arrival + 1
    for await (const { arrival } of this.all()) first = Math.min(first, arrival)
    this.#base = first - 1
    this.#boot = this.#rng.bytes(BOOT_BYTES)
  }

  async *#entries(address: Uint8Array, from: number): AsyncGenerator<Indexed> {
    const { lt } = bucketRange('heldByAddress', address)
    yield* this.#walk({ gte: bucketKey('heldByAddress', address, u64be(from)), lt })
  }

  async *#walk(range: WalkRange): AsyncGenerator<Indexed> {
    for await (const [key, entry] of this.#table.walk(range, indexEntryCodec)) {
      if (key.length === KEY_BYTES) yield { ...placeOf(key), entry }
    }
  }

  #put({ address, arrival }: Place, entry: IndexEntry): StoreOp {
    return this.#table.put('heldByAddress', [address, u64be(arrival)], indexEntryCodec, entry)
  }
}

function placeOf(key: Uint8Array): Place {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength)
  return { address: key.slice(1, 33), arrival: Number(view.getBigUint64(33)) }
}

function listed({ id, expiry, sizeClass }: LiveEntry): ListedLetter {
  return { id, expiry, sizeClass }
}
