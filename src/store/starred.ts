import { constant, fixed, struct, u64 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import type { Database, StoreOp } from './database.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

const starCodec = struct({ version: constant(1), messageId: fixed(16), order: u64 })
/** A starred message; `order` is higher than that of every message starred before. */
export type Star = Omit<Coded<typeof starCodec>, 'version'>

/** Starred messages, in the order in which they were starred. */
export class Starred {
  readonly #records: Repository<Coded<typeof starCodec>>

  constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'starred', starCodec)
  }

  /** Newest first; those before the order `before`. */
  async page(query: { readonly before?: number; readonly limit: number }): Promise<readonly Star[]> {
    return this.#records.list({ ...query, reverse: true })
  }

  /** The place after all others. A number and no time: it stands in the clear. */
  async next(): Promise<number> {
    const [last] = await this.page({ limit: 1 })
    return (last?.order ?? 0) + 1
  }

  put(star: Star): StoreOp[] {
    return this.#records.put({ order: star.order }, { version: 1, ...star })
  }

  delete(order: number): StoreOp[] {
    return this.#records.delete({ order })
  }
}
