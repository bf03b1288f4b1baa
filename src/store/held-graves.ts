/**
 * Tombstones: each is whole in itself, so that it stands also where its letter never was. By id for whoever brings the letter,
 * by address and id for the comparison of mailboxes.
 */
import { dropOldest } from '../lib/bounded.ts'
import { toHex } from '../lib/bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { Tombstone } from '../wire/letter.ts'
import { hourPassed, TOMBSTONE_EXTRA_HOURS } from '../protocol/mailbox-rules.ts'
import { deadDigest } from '../protocol/mailbox-digest.ts'
import { bucketKey, bucketRange, successor } from './buckets.ts'
import type { StoreOp } from './database.ts'
import type { HeldIndex } from './held-index.ts'
import { graveCodec, heldTombstoneCodec } from './held-records.ts'
import type { HeldTombstone } from './held-records.ts'
import type { HeldTable } from './held-table.ts'
import type { HeldUsage } from './held-usage.ts'

/**
 * Tombstones of letters that were never here, for one mailbox. A writer could make them up without end; the others were each
 * paid for with the place of a letter. Once half of them are there, a lane with its share gets no more.
 */
export const UNSEEN_MAX = 8_192
const UNSEEN_SHARES = 32
const DIGESTS_MAX = 4_096
/** Where the id begins in a key: behind the bucket and the address. */
const ID_AT = 33

/** Which of a mailbox's dead letters: those that expire after the hour `after`, from the id `from` up to `upto`, both included. */
export interface GraveRange {
  readonly after: number
  readonly from?: Uint8Array
  readonly upto?: Uint8Array
  /** Called for each that is read, also for those that expire too early. */
  readonly onRead?: () => void
}

/** What the digest of a mailbox was made of: it is the same for every hour `after` from `since` on, and before `until`. */
interface Digested {
  readonly since: number
  readonly until: number
  readonly digest: Uint8Array
}

interface Unseen {
  count: number
  readonly lanes: Map<string, number>
}

export class HeldGraves {
  readonly #table: HeldTable
  readonly #index: HeldIndex
  readonly #crypto: CryptoProvider
  readonly #usage: HeldUsage
  readonly #unseenMax: number
  readonly #unseen = new Map<string, Unseen>()
  /** How many dead letters each mailbox has that has any. */
  readonly #boxes = new Map<string, number>()
  readonly #digests = new Map<string, Digested>()
  #changes = 0

  constructor(table: HeldTable, index: HeldIndex, crypto: CryptoProvider, usage: HeldUsage, unseenMax: number) {
    this.#table = table
    this.#index = index
    this.#crypto = crypto
    this.#usage = usage
    this.#unseenMax = unseenMax
  }

  async get(id: Uint8Array): Promise<HeldTombstone | undefined> {
    return this.#table.get('tombstones', [id], heldTombstoneCodec)
  }

  /** Whether the mailbox may have another tombstone of a letter that was never here. */
  hasRoom({ header }: Tombstone): boolean {
    const unseen = this.#unseen.get(toHex(header.address))
    if (unseen === undefined) return true
    const ofLane = unseen.lanes.get(toHex(header.lane)) ?? 0
    if (unseen.count >= this.#unseenMax / 2 && ofLane >= this.#unseenMax / UNSEEN_SHARES) return false
    return unseen.count < this.#unseenMax
  }

  /** Writes the tombstone together with `ops`. The caller has looked that there is none yet. */
  async add(id: Uint8Array, tombstone: Tombstone, unseen: boolean, ops: readonly StoreOp[] = []): Promise<void> {
    const { address, expiry } = tombstone.header
    const held = { arrival: this.#index.nextArrival(), unseen, tombstone }
    this.#count(held, 1)
    try {
      await this.#table.write([
        ...ops,
        this.#table.put('tombstones', [id], heldTombstoneCodec, held),
        this.#table.put('graves', [address, id], graveCodec, { expiry }),
        this.#table.expires('tombstonesByExpiry', expiry + TOMBSTONE_EXTRA_HOURS, id),
        this.#index.putDead(id, tombstone, held.arrival),
      ])
    } catch (error) {
      this.#count(held, -1)
      throw error
    }
    this.#changed(address)
  }

  /** The ids of a mailbox's dead letters in the order of their bytes. */
  async *ids(address: Uint8Array, range: GraveRange): AsyncGenerator<Uint8Array> {
    const bounds = bucketRange('graves', address)
    const gte = range.from === undefined ? bounds.gte : bucketKey('graves', address, range.from)
    const lt = range.upto === undefined ? bounds.lt : successor(bucketKey('graves', address, range.upto))
    for await (const [key, { expiry }] of this.#table.walk({ gte, lt }, graveCodec)) {
      range.onRead?.()
      if (expiry > range.after) yield key.slice(ID_AT)
    }
  }

  /** How many tombstones {@link HeldGraves.digest} has to read. */
  digestReads(address: Uint8Array, after: number): number {
    const name = toHex(address)
    return this.#remembered(name, after) === undefined ? (this.#boxes.get(name) ?? 0) : 0
  }

  /** {@link deadDigest} of the dead letters that expire after the hour `after`. Remembered until one comes or goes. */
  async digest(address: Uint8Array, after: number): Promise<Uint8Array> {
    const name = toHex(address)
    // Of most keys that are compared nothing is dead: no walk for those.
    if (!this.#boxes.has(name)) return deadDigest(this.#crypto, [])
    const known = this.#remembered(name, after)
    if (known !== undefined) return known
    const before = this.#changes
    const ids: Uint8Array[] = []
    let [since, until] = [0, Number.POSITIVE_INFINITY]
    for await (const [key, { expiry }] of this.#table.walk(bucketRange('graves', address), graveCodec)) {
      if (expiry > after) {
        ids.push(key.slice(ID_AT))
        until = Math.min(until, expiry)
      } else since = Math.max(since, expiry)
    }
    const digest = deadDigest(this.#crypto, ids)
    if (before === this.#changes) this.#remember(name, { since, until, digest })
    return digest
  }

  #remembered(name: string, after: number): Uint8Array | undefined {
    const known = this.#digests.get(name)
    return known !== undefined && known.since <= after && after < known.until ? known.digest : undefined
  }

  async sweep(nowMs: number): Promise<number> {
    return this.#table.sweep('tombstonesByExpiry', nowMs, (id) => this.#expire(id, nowMs))
  }

  /** Counts what is there. Once, at opening. */
  async rebuild(): Promise<void> {
    const before = this.#table.corrupt
    for await (const [, held] of this.#table.walk(bucketRange('tombstones'), heldTombstoneCodec)) {
      this.#count(held, 1)
    }
    if (this.#table.corrupt > before) await this.#dropEmpty()
  }

  /** After tombstones were found damaged: others may bring them again. */
  async #dropEmpty(): Promise<void> {
    for await (const [key] of this.#table.walk(bucketRange('graves'), graveCodec)) {
      const id = key.slice(ID_AT)
      if ((await this.get(id)) === undefined)
        await this.#table.write([this.#table.del('graves', [key.slice(1, ID_AT), id])])
    }
  }

  async #expire(id: Uint8Array, nowMs: number): Promise<boolean> {
    const held = await this.get(id)
    if (held === undefined || !hourPassed(held.tombstone.header.expiry + TOMBSTONE_EXTRA_HOURS, nowMs)) return false
    const { address } = held.tombstone.header
    await this.#table.write([
      this.#table.del('tombstones', [id]),
      this.#table.del('graves', [address, id]),
      this.#index.del({ address, arrival: held.arrival }),
    ])
    this.#count(held, -1)
    this.#changed(address)
    return true
  }

  #remember(name: string, entry: Digested): void {
    this.#digests.set(name, entry)
    dropOldest(this.#digests, DIGESTS_MAX)
  }

  #changed(address: Uint8Array): void {
    this.#changes++
    this.#digests.delete(toHex(address))
  }

  #count({ unseen, tombstone }: HeldTombstone, sign: 1 | -1): void {
    const { address } = tombstone.header
    this.#usage.addTombstone(address, tombstone.header.lane, sign)
    const name = toHex(address)
    const dead = (this.#boxes.get(name) ?? 0) + sign
    if (dead > 0) this.#boxes.set(name, dead)
    else this.#boxes.delete(name)
    if (!unseen) return
    const lane = toHex(tombstone.header.lane)
    const known = this.#unseen.get(name) ?? { count: 0, lanes: new Map<string, number>() }
    known.count += sign
    const ofLane = (known.lanes.get(lane) ?? 0) + sign
    if (ofLane > 0) known.lanes.set(lane, ofLane)
    else known.lanes.delete(lane)
    if (known.count > 0) this.#unseen.set(name, known)
    else this.#unseen.delete(name)
  }
}
