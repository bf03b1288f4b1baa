import type { Database, StoreOp } from './database.ts'
import { conversationCodec } from './records.ts'
import type { Conversation } from './records.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

const CACHED = 1_000

/** Counters of conversations by the contact's account id (32 bytes). `conversation-counters.ts` moves them. */
export class Conversations {
  readonly #records: Repository<Conversation>

  constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'conversations', conversationCodec, CACHED)
  }

  async get(contact: Uint8Array): Promise<Conversation | undefined> {
    return this.#records.get({ id: contact })
  }

  /** All of them: pinned ones first, then by the time of the last message, newest first. */
  async all(): Promise<readonly Conversation[]> {
    const all = await this.#records.list()
    return all.sort((a, b) => Number(b.pinned) - Number(a.pinned) || b.lastAt - a.lastAt)
  }

  put(conversation: Conversation): StoreOp[] {
    return this.#records.put({ id: conversation.contact }, conversation)
  }

  delete(contact: Uint8Array): StoreOp[] {
    return this.#records.delete({ id: contact })
  }
}
