import type { Database, StoreOp } from './database.ts'
import { contactCodec } from './records.ts'
import type { Contact } from './records.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/** Contacts by account id (32 bytes). */
export class Contacts {
  readonly #records: Repository<Contact>

  constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'contacts', contactCodec)
  }

  async get(accountId: Uint8Array): Promise<Contact | undefined> {
    return this.#records.get({ id: accountId })
  }

  /** All of them, in no particular order. */
  async list(): Promise<readonly Contact[]> {
    return this.#records.list()
  }

  async count(): Promise<number> {
    return this.#records.count()
  }

  put(contact: Contact): StoreOp[] {
    return this.#records.put({ id: contact.accountId }, contact)
  }

  delete(accountId: Uint8Array): StoreOp[] {
    return this.#records.delete({ id: accountId })
  }
}
