/** Cards that are held for others: of each key the highest version, remembered also when the card itself is gone. */
import { dropOldest } from '../lib/bounded.ts'
import { toHex } from '../lib/bytes.ts'
import { DAY_MS, HOUR_MS } from '../lib/time.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { encode } from '../wire/codec.ts'
import { cardRecordCodec } from '../wire/holder.ts'
import type { CardRecord } from '../wire/holder.ts'
import { cardExpiryMs, cardKey, cardVersion, compareVersions, hourPassed } from '../protocol/mailbox-rules.ts'
import { bucketRange } from './buckets.ts'
import type { StoreOp } from './database.ts'
import { cardNumberCodec } from './held-records.ts'
import type { CardNumber } from './held-records.ts'
import type { HeldTable } from './held-table.ts'
import type { HeldUsage } from './held-usage.ts'

/** A version is remembered for twice the life of the longest card: every older card has run out long before. */
const VERSION_MEMORY_HOURS = (180 * DAY_MS) / HOUR_MS

/** Versions that memory keeps, about 300 bytes each. */
const VERSIONS_MAX = 8_192

export type CardOutcome = 'stored' | 'known' | 'stale'

export class HeldCards {
  readonly #table: HeldTable
  readonly #crypto: CryptoProvider
  readonly #usage: HeldUsage
  /** Versions that were asked for, those of keys without one as well: neighbours ask for hundreds at a time. */
  readonly #versions = new Map<string, { readonly version: CardNumber | undefined }>()

  constructor(table: HeldTable, crypto: CryptoProvider, usage: HeldUsage) {
    this.#table = table
    this.#crypto = crypto
    this.#usage = usage
  }

  /** The card at `key`, if it is still in force. */
  async get(key: Uint8Array, nowMs: number): Promise<CardRecord | undefined> {
    const record = await this.#table.get('cards', [key], cardRecordCodec)
    return record === undefined || cardExpiryMs(record) <= nowMs ? undefined : record
  }

  /** The highest version ever accepted for `key`, also of a card that has run out. Waits for one that is being written. */
  async version(key: Uint8Array): Promise<CardNumber | undefined> {
    const name = toHex(key)
    const remembered = this.#versions.get(name)
    if (remembered !== undefined) return remembered.version
    return this.#table.alone(key, async () => {
      const version = await this.#version(key)
      this.#versions.set(name, { version })
      dropOldest(this.#versions, VERSIONS_MAX)
      return version
    })
  }

  /** Keeps a card that was found to be good, unless a higher version was ever here. */
  async put(record: CardRecord, nowMs: number): Promise<CardOutcome> {
    const key = cardKey(this.#crypto, record)
    return this.#table.alone(key, async () => {
      this.#versions.delete(toHex(key))
      const version = cardVersion(this.#crypto, record)
      const known = await this.#version(key)
      const order = known === undefined ? 1 : compareVersions(version, known)
      if (order < 0) return 'stale'
      if (order === 0 && known !== undefined && known.bytes > 0) return 'known'
      const bytes = encode(cardRecordCodec, record).length
      const expiryHour = Math.ceil(cardExpiryMs(record) / HOUR_MS)
      const until = Math.ceil(nowMs / HOUR_MS) + VERSION_MEMORY_HOURS
      await this.#table.write([
        this.#table.put('cards', [key], cardRecordCodec, record),
        this.#table.put('cardNumbers', [key], cardNumberCodec, { ...version, bytes, expiryHour, until }),
        this.#table.expires('cardsByExpiry', expiryHour, key),
        this.#table.expires('cardsByExpiry', until, key),
      ])
      this.#usage.addCardBytes(bytes - (known?.bytes ?? 0))
      if (known === undefined || known.bytes === 0) this.#usage.addCards(1)
      if (known === undefined) this.#usage.addVersions(1)
      return 'stored'
    })
  }

  /** Every card that is held and in force: its key and version, without reading the card. */
  async *keys(nowMs: number): AsyncGenerator<{ readonly key: Uint8Array; readonly version: CardNumber }> {
    for await (const [key, version] of this.#table.walk(bucketRange('cardNumbers'), cardNumberCodec)) {
      if (version.bytes > 0 && !hourPassed(version.expiryHour, nowMs)) yield { key: key.slice(1), version }
    }
  }

  /** Removes cards that have run out, and in the end the memory of their versions. */
  async sweep(nowMs: number): Promise<number> {
    return this.#table.sweep('cardsByExpiry', nowMs, (key) => this.#expire(key, nowMs))
  }

  /** Counts what is there. Once, at opening. */
  async rebuild(): Promise<void> {
    for await (const [, known] of this.#table.walk(bucketRange('cardNumbers'), cardNumberCodec)) {
      this.#usage.addCardBytes(known.bytes)
      if (known.bytes > 0) this.#usage.addCards(1)
      this.#usage.addVersions(1)
    }
  }

  async #version(key: Uint8Array): Promise<CardNumber | undefined> {
    return this.#table.get('cardNumbers', [key], cardNumberCodec)
  }

  async #expire(key: Uint8Array, nowMs: number): Promise<boolean> {
    this.#versions.delete(toHex(key))
    const known = await this.#version(key)
    if (known === undefined) return false
    const forgotten = hourPassed(known.until, nowMs)
    const over = known.bytes > 0 && hourPassed(known.expiryHour, nowMs)
    const ops: StoreOp[] = []
    if (over) ops.push(this.#table.del('cards', [key]))
    if (forgotten) ops.push(this.#table.del('cardNumbers', [key]))
    else if (over) ops.push(this.#table.put('cardNumbers', [key], cardNumberCodec, { ...known, bytes: 0 }))
    await this.#table.write(ops)
    if (over) {
      this.#usage.addCardBytes(-known.bytes)
      this.#usage.addCards(-1)
    }
    if (forgotten) this.#usage.addVersions(-1)
    return over || forgotten
  }
}
