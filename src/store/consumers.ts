import { utf8 } from '../lib/bytes.ts'
import { constant, struct, text, u64 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import type { Database, StoreOp } from './database.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/** Bytes of a name, with the token that it belongs to; which characters it may have is the API's to say. */
const NAME_BYTES_MAX = 96
/** Consumers kept opened: all that there can be. */
const CACHED = 64

const consumerCodec = struct({
  version: constant(1),
  name: text(NAME_BYTES_MAX),
  acknowledged: u64,
  createdAt: u64,
  seenAt: u64,
})
/** A reader of the event log and the highest number that it acknowledged. Times in ms. */
export type Consumer = Coded<typeof consumerCodec>

/** Named readers of the event log, sealed: their names say what the owner runs. */
export class Consumers {
  readonly #records: Repository<Consumer>

  constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'consumers', consumerCodec, CACHED)
  }

  async get(name: string): Promise<Consumer | undefined> {
    return this.#records.get({ id: utf8(name) })
  }

  async all(): Promise<readonly Consumer[]> {
    return this.#records.list()
  }

  put(consumer: Consumer): StoreOp[] {
    return this.#records.put({ id: utf8(consumer.name) }, consumer)
  }

  delete(name: string): StoreOp[] {
    return this.#records.delete({ id: utf8(name) })
  }
}
