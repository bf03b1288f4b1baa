import { concat } from '../lib/bytes.ts'
import { constant, fixed, opaque, struct } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import type { Database, StoreOp } from './database.ts'
import { Repository } from './repository.ts'
import { SeenIds } from './seen.ts'
import type { Vault } from './vault.ts'

/** The largest session book: 2,000 stored message keys for each of its sessions, and room. */
const BOOK_BYTES_MAX = 4 * 1_024 * 1_024

const storedBookCodec = struct({
  version: constant(1),
  contact: fixed(32),
  deviceId: fixed(16),
  book: opaque(BOOK_BYTES_MAX),
})
/** The sessions with one device of a contact, as the protocol encoded them. */
export type StoredBook = Coded<typeof storedBookCodec>

/** Session books by the contact's account id (32 bytes) and device id (16). */
export class Sessions {
  /** Set-up messages that were accepted once (32-byte ids). */
  readonly seenInitials: SeenIds
  readonly #records: Repository<StoredBook>

  constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'sessions', storedBookCodec)
    this.seenInitials = new SeenIds(database, vault, 'seenInitials')
  }

  async get(contact: Uint8Array, deviceId: Uint8Array): Promise<Uint8Array | undefined> {
    return (await this.#records.get({ id: concat(contact, deviceId) }))?.book
  }

  list(): AsyncGenerator<StoredBook> {
    return this.#records.iterate()
  }

  put(contact: Uint8Array, deviceId: Uint8Array, book: Uint8Array): StoreOp[] {
    return this.#records.put({ id: concat(contact, deviceId) }, { version: 1, contact, deviceId, book })
  }

  delete(contact: Uint8Array, deviceId: Uint8Array): StoreOp[] {
    return this.#records.delete({ id: concat(contact, deviceId) })
  }
}
