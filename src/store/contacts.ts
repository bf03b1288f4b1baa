import { fromHex, toHex } from '../lib/bytes.ts'
import type { Database, StoreOp, Tracker } from './database.ts'
import { contactCodec } from './records.ts'
import type { Contact } from './records.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/** Contacts kept opened: each envelope asks for one, and a record with its cards has about 25 KiB. */
const CACHED = 2_000

/** The contact as it is from now on; `undefined` for one that is gone. */
export type ContactWatcher = (accountId: Uint8Array, contact: Contact | undefined) => void

/** Contacts by account id (32 bytes). */
export class Contacts {
  readonly #records: Repository<Contact>
  /** Account ids (hex) of all of them, once somebody has asked. */
  #ids: Set<string> | undefined
  #changes = 0
  readonly #watchers = new Set<ContactWatcher>()

  constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'contacts', contactCodec, CACHED)
  }

  async get(accountId: Uint8Array): Promise<Contact | undefined> {
    return this.#records.get({ id: accountId })
  }

  /** All of them, in no particular order. */
  async list(): Promise<readonly Contact[]> {
    const ids = this.#ids
    if (ids === undefined) {
      const before = this.#changes
      const contacts = await this.#records.list()
      if (before === this.#changes) this.#ids = new Set(contacts.map(({ accountId }) => toHex(accountId)))
      return contacts
    }
    const contacts = await Promise.all(
      [...ids].map(async (id) => this.#records.get({ id: fromHex(id) ?? new Uint8Array(0) })),
    )
    return contacts.filter((contact) => contact !== undefined)
  }

  async count(): Promise<number> {
    return this.#records.count()
  }

  put(contact: Contact): StoreOp[] {
    return this.#records.put({ id: contact.accountId }, contact, this.#tracker(contact.accountId, contact))
  }

  delete(accountId: Uint8Array): StoreOp[] {
    return this.#records.delete({ id: accountId }, this.#tracker(accountId, undefined))
  }

  /** Calls back on every change that reads see from then on, and where it fails with what is true instead, until the returned function ends it. */
  watch(watcher: ContactWatcher): () => void {
    this.#watchers.add(watcher)
    return () => {
      this.#watchers.delete(watcher)
    }
  }

  #tracker(accountId: Uint8Array, contact: Contact | undefined): Tracker {
    return {
      accepted: () => {
        this.#changes++
        if (contact === undefined) this.#ids?.delete(toHex(accountId))
        else this.#ids?.add(toHex(accountId))
        for (const watcher of this.#watchers) watcher(accountId, contact)
      },
      committed() {},
      failed: () => {
        this.#changes++
        this.#ids = undefined
        void this.#tellAgain(accountId)
      },
    }
  }

  /** What watchers heard never came about. Where nothing can be read they keep to it. */
  async #tellAgain(accountId: Uint8Array): Promise<void> {
    try {
      for (let before = NaN; before !== this.#changes;) {
        before = this.#changes
        const contact = await this.get(accountId)
        if (before === this.#changes) for (const watcher of this.#watchers) watcher(accountId, contact)
      }
    } catch {}
  }
}
