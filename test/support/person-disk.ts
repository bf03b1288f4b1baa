/** What a person's daemon has on its disk, opened with the passphrase from a copy: messages, and what waits to go. */
import { join } from 'node:path'
import { selectProvider } from '../../src/crypto/select.ts'
import { systemRng } from '../../src/lib/rng.ts'
import type { Message, OutboxItem } from '../../src/store/records.ts'
import { openStore } from '../../src/store/store.ts'
import type { Store } from '../../src/store/store.ts'
import { openVault } from '../../src/store/vault.ts'
import type { Vault } from '../../src/store/vault.ts'
import { withCopy } from './disk-copy.ts'

export interface PersonSnapshot {
  readonly messages: readonly Message[]
  /** What is at work, quiet things too. */
  readonly outbox: readonly OutboxItem[]
}

export class PersonDisk {
  readonly #home: string
  readonly #vault: Vault

  private constructor(home: string, vault: Vault) {
    this.#home = home
    this.#vault = vault
  }

  /** The passphrase is stretched once; its key serves for every look. */
  static async open(home: string, passphrase: string): Promise<PersonDisk> {
    const tools = { crypto: selectProvider(undefined), rng: systemRng }
    return new PersonDisk(home, await openVault(join(home, 'vault'), passphrase, tools))
  }

  async look(): Promise<PersonSnapshot> {
    return this.#withStore(async (store) => {
      const messages: Message[] = []
      for (const { accountId } of await store.contacts.list()) {
        for await (const message of store.messages.all(accountId)) messages.push(message)
      }
      return { messages, outbox: await all(store.outbox.all()) }
    })
  }

  /** The ids of the letters that carried these messages, hexadecimal. */
  async lettersOf(messageIds: readonly Uint8Array[]): Promise<readonly string[]> {
    return this.#withStore(async (store) => {
      const told = await Promise.all(messageIds.map(async (id) => store.history.of(id)))
      return told
        .flat()
        .flatMap(({ letterId }) => (letterId === undefined ? [] : [Buffer.from(letterId).toString('hex')]))
    })
  }

  async #withStore<T>(look: (store: Store) => Promise<T>): Promise<T> {
    return withCopy(join(this.#home, 'account'), async (db) => look(await openStore(db, this.#vault)))
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
