import { ConflictError } from '../lib/errors.ts'
import { fixed, struct, u64 } from '../wire/codec.ts'
import type { Database, StoreOp } from './database.ts'
import { messageCodec } from './records.ts'
import type { Message } from './records.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

const placeCodec = struct({ contact: fixed(32), order: u64 })
interface Place {
  readonly contact: Uint8Array
  readonly order: number
}

/** Messages that are on their way are asked for several times. */
const CACHED = 256

/** Messages that one page holds at most. */
export const PAGE_MAX = 1_000

/** Messages by contact and order, and by their id, which is unique over all conversations. */
export class Messages {
  readonly #records: Repository<Message>
  readonly #places: Repository<Place>

  constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'messages', messageCodec, CACHED)
    this.#places = new Repository(database, vault, 'messageIds', placeCodec, CACHED)
  }

  async get(id: Uint8Array): Promise<Message | undefined> {
    const place = await this.#places.get({ id })
    return place === undefined ? undefined : this.#records.get(nameOf(place))
  }

  async has(id: Uint8Array): Promise<boolean> {
    return this.#places.has({ id })
  }

  /**
   * For a message that was not there before. Throws ConflictError where its id or its place is taken. Insertions into
   * one conversation have to follow one another, as the counters do.
   */
  async insert(message: Message): Promise<StoreOp[]> {
    if (await this.has(message.id)) throw new ConflictError('the message is there already')
    if (await this.#records.has(nameOf(message))) throw new ConflictError('the place in the conversation is taken')
    return this.put(message)
  }

  /** For a message read from here and changed in anything but id, contact and order. */
  put(message: Message): StoreOp[] {
    return [
      ...this.#records.put(nameOf(message), message),
      ...this.#places.put({ id: message.id }, { contact: message.contact, order: message.order }),
    ]
  }

  delete(message: Message): StoreOp[] {
    return [...this.#records.delete(nameOf(message)), ...this.#places.delete({ id: message.id })]
  }

  /**
   * Up to `limit` (1 to 1,000) messages older than the order `before`, or the newest ones, newest first. The order of the
   * last one is the cursor of the next page: pages neither repeat nor leave out a message, whatever arrives in between.
   */
  async page(
    contact: Uint8Array,
    query: { readonly before?: number; readonly limit: number },
  ): Promise<readonly Message[]> {
    const limit = Math.min(PAGE_MAX, Math.max(1, query.limit))
    const before = query.before === undefined ? {} : { before: query.before }
    return this.#records.list({ id: contact, ...before, reverse: true, limit })
  }

  /** Every message of a conversation, oldest first. */
  all(contact: Uint8Array): AsyncGenerator<Message> {
    return this.#records.iterate({ id: contact })
  }
}

function nameOf(place: Place): { readonly id: Uint8Array; readonly order: number } {
  return { id: place.contact, order: place.order }
}
