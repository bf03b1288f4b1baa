import { equal } from '../lib/bytes.ts'
import { constant, fixed, struct, u64 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import type { Database, StoreOp } from './database.ts'
import { outboxItemCodec } from './records.ts'
import type { OutboxItem } from './records.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/** What is asked about an item without reading its letters. Sealed as well: when we retry is nobody's business. */
const indexCodec = struct({ version: constant(1), sequence: u64, messageId: fixed(16), nextAt: u64 })
type IndexEntry = Coded<typeof indexCodec>
const counterCodec = struct({ version: constant(1), last: u64 })
const COUNTER = { order: 0 }

/** What waits to be sent, by its sequence number. */
export class Outbox {
  readonly #records: Repository<OutboxItem>
  readonly #index: Repository<IndexEntry>
  readonly #counter: Repository<Coded<typeof counterCodec>>
  #last = 0

  private constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'outbox', outboxItemCodec)
    this.#index = new Repository(database, vault, 'outboxIndex', indexCodec)
    this.#counter = new Repository(database, vault, 'outboxCounter', counterCodec)
  }

  static async open(database: Database, vault: Vault): Promise<Outbox> {
    const outbox = new Outbox(database, vault)
    outbox.#last = (await outbox.#counter.get(COUNTER))?.last ?? 0
    return outbox
  }

  /** A number that no item had, in this run or an earlier one. Items that were never stored leave gaps. */
  next(): number {
    return ++this.#last
  }

  async get(sequence: number): Promise<OutboxItem | undefined> {
    return this.#records.get({ order: sequence })
  }

  /** Every item, by ascending sequence. */
  all(): AsyncGenerator<OutboxItem> {
    return this.#records.iterate()
  }

  async count(): Promise<number> {
    return this.#records.count()
  }

  /** Up to `limit` items whose `nextAt` has come, the longest due first. Reads the index of all that waits. */
  async due(now: number, limit: number): Promise<readonly OutboxItem[]> {
    const entries = (await this.#index.list()).filter(({ nextAt }) => nextAt <= now)
    const first = entries.sort((a, b) => a.nextAt - b.nextAt || a.sequence - b.sequence).slice(0, limit)
    return this.#read(first)
  }

  /** The items of a message, by ascending sequence. */
  async byMessage(messageId: Uint8Array): Promise<readonly OutboxItem[]> {
    return this.#read((await this.#index.list()).filter((entry) => equal(entry.messageId, messageId)))
  }

  put(item: OutboxItem): StoreOp[] {
    const { sequence, messageId, nextAt } = item
    // The highest number given so far, not this item's: a change of an old item must not lower it.
    this.#last = Math.max(this.#last, sequence)
    return [
      ...this.#records.put({ order: sequence }, item),
      ...this.#index.put({ order: sequence }, { version: 1, sequence, messageId, nextAt }),
      ...this.#counter.put(COUNTER, { version: 1, last: this.#last }),
    ]
  }

  delete(sequence: number): StoreOp[] {
    return [...this.#records.delete({ order: sequence }), ...this.#index.delete({ order: sequence })]
  }

  async #read(entries: readonly IndexEntry[]): Promise<readonly OutboxItem[]> {
    const items = await this.#records.getMany(entries.map(({ sequence }) => ({ order: sequence })))
    return items.filter((item) => item !== undefined)
  }
}
