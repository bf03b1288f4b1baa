import type { Database, StoreOp } from './database.ts'
import { outboxItemCodec } from './records.ts'
import type { OutboxItem } from './records.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/** Records deleted by one batch of a sweep. */
const SWEEP_OPS_MAX = 1_000
const NOTHING = new Uint8Array(0)

/** How messages came to where they are, once the outbox is done with them: its items without anything that was sent. */
export class History {
  readonly #database: Database
  readonly #records: Repository<OutboxItem>

  constructor(database: Database, vault: Vault) {
    this.#database = database
    this.#records = new Repository(database, vault, 'history', outboxItemCodec)
  }

  put(item: OutboxItem): StoreOp[] {
    const bare = { ...item, content: NOTHING, sealed: undefined, letter: undefined, former: [] }
    return this.#records.put({ id: item.messageId, order: item.sequence }, bare)
  }

  /** The items of a message, by ascending sequence. */
  async of(messageId: Uint8Array): Promise<readonly OutboxItem[]> {
    return this.#records.list({ id: messageId })
  }

  /** Deletes what was done before `before` (ms) and says how much. */
  async sweep(before: number): Promise<number> {
    let removed = 0
    let ops: StoreOp[] = []
    for await (const item of this.#records.iterate()) {
      if ((item.trace.at(-1)?.at ?? item.createdAt) >= before) continue
      ops.push(...this.#records.delete({ id: item.messageId, order: item.sequence }))
      removed++
      if (ops.length < SWEEP_OPS_MAX) continue
      await this.#database.batch(ops)
      ops = []
    }
    await this.#database.batch(ops)
    return removed
  }
}
