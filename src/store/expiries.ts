import { constant, fixed, struct, u64 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import type { Database, StoreOp } from './database.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

const expiryCodec = struct({ version: constant(1), messageId: fixed(16), at: u64 })
/** When (ms) a message disappears. */
export type Expiry = Omit<Coded<typeof expiryCodec>, 'version'>

/** Messages whose end is known. Times are sealed, not indexed: whoever waits for them keeps them in memory. */
export class Expiries {
  readonly #records: Repository<Coded<typeof expiryCodec>>

  constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'expiries', expiryCodec)
  }

  all(): AsyncGenerator<Expiry> {
    return this.#records.iterate()
  }

  put(expiry: Expiry): StoreOp[] {
    return this.#records.put({ id: expiry.messageId }, { version: 1, ...expiry })
  }

  delete(messageId: Uint8Array): StoreOp[] {
    return this.#records.delete({ id: messageId })
  }
}
