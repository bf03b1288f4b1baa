import type { Database, StoreOp } from './database.ts'
import { outboxItemCodec } from './records.ts'
import type { OutboxItem } from './records.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/** Items at work: sealing, sending and settling each look at them. At most 33 MiB. */
const CACHED = 256

/** What waits to be sent, by its sequence number. When each is due is the business of who keeps the queue. */
export class Outbox {
  readonly #records: Repository<OutboxItem>
  #last = 0

  private constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'outbox', outboxItemCodec, CACHED)
  }

  static async open(database: Database, vault: Vault): Promise<Outbox> {
    const outbox = new Outbox(database, vault)
    const [newest] = await outbox.#records.list({ reverse: true, limit: 1 })
    outbox.#last = newest?.sequence ?? 0
    return outbox
  }

  /** A number above that of every item there is. */
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

  put(item: OutboxItem): StoreOp[] {
    return this.#records.put({ order: item.sequence }, item)
  }

  delete(sequence: number): StoreOp[] {
    return this.#records.delete({ order: sequence })
  }
}
