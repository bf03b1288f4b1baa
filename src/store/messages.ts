import { ConflictError } from '../lib/errors.ts'
import { fixed, struct, u64 } from '../wire/codec.ts'
import type { KeyRange } from './buckets.ts'
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

/** Characters of text after which one step of a walk ends: what one batch rewrites is held in memory several times. */
export const STEP_BYTES_MAX = 4 * 1_024 * 1_024

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

  /** Whether a message of the conversation has this place. */
  async taken(contact: Uint8Array, order: number): Promise<boolean> {
    return this.#records.has({ id: contact, order })
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

  /**
   * The next messages of a walk through a conversation, from the order `from` on or, `newest` first, down from below `before`:
   * as many as `limit`, or as have `STEP_BYTES_MAX` of text, whichever is reached first. None where the walk is at its end.
   */
  async step(
    contact: Uint8Array,
    walk: { readonly from?: number; readonly before?: number; readonly newest?: boolean; readonly limit: number },
  ): Promise<readonly Message[]> {
    const { newest: reverse = false, ...rest } = walk
    const found: Message[] = []
    let bytes = 0
    for await (const message of this.#records.iterate({ id: contact, ...rest, reverse })) {
      found.push(message)
      bytes += message.text.length
      if (bytes >= STEP_BYTES_MAX) break
    }
    return found
  }

  /** The keys of a conversation's messages. */
  range(contact: Uint8Array): KeyRange {
    return this.#records.range({ id: contact })
  }

  /** Every message of a conversation, oldest first; from the order `from` on, up to `limit` of them. */
  all(contact: Uint8Array, walk: { readonly from?: number; readonly limit?: number } = {}): AsyncGenerator<Message> {
    return this.#records.iterate({ id: contact, ...walk })
  }
}

function nameOf(place: Place): { readonly id: Uint8Array; readonly order: number } {
  return { id: place.contact, order: place.order }
}
