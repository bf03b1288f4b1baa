/** Messages and what a conversation says of them. Every method ending in `Ops` only reads, and returns what to write. */
import type { Clock } from '../../lib/clock.ts'
import { equal, toHex } from '../../lib/bytes.ts'
import { NotFoundError } from '../../lib/errors.ts'
import { CONTENT_KIND } from '../../wire/content.ts'
import { advance } from '../../protocol/message-status.ts'
import type { MessageStatus } from '../../protocol/message-status.ts'
import {
  afterIncoming,
  afterOutgoing,
  afterRead,
  emptyConversation,
  nextOrder,
} from '../../store/conversation-counters.ts'
import type { Conversations as ConversationRecords } from '../../store/conversations.ts'
import type { StoreOp } from '../../store/database.ts'
import type { Messages } from '../../store/messages.ts'
import { MESSAGE_STATUS, OUTBOX_PATH } from '../../store/records.ts'
import type { Conversation, Message } from '../../store/records.ts'
import type { Fact, Journal } from '../events/journal.ts'

/** What a change adds to a batch. */
export interface Part {
  readonly ops: readonly StoreOp[]
  readonly facts: readonly Fact[]
}

export interface ConversationStore {
  readonly messages: Messages
  readonly conversations: ConversationRecords
}

/** A message as it is about to be kept; order, state and times are given by the conversation. */
export interface Draft {
  readonly id: Uint8Array
  readonly contact: Uint8Array
  readonly contentKind: number
  readonly text: string
  readonly replyTo: Uint8Array | undefined
  readonly sentAt: number
}

/** How a message went: the path as in OUTBOX_PATH, and the holders' receipts. */
export interface Way {
  readonly path: Message['path']
  readonly receipts: number
}

const factOf = (way: Way | undefined): { path?: string; receipts?: number } =>
  way === undefined ? {} : { path: way.path === OUTBOX_PATH.direct ? 'direct' : 'mailbox', receipts: way.receipts }

/** Messages opened at a time while searching. */
const SEARCH_PAGE = 500
const folded = (text: string): string => text.normalize('NFKC').toLowerCase()

/** Marked as read in one call. */
const MARK_READ_MAX = 1_000

const STATUS_NAME = Object.fromEntries(Object.entries(MESSAGE_STATUS).map(([name, code]) => [code, name])) as Record<
  number,
  MessageStatus
>
export const statusName = (message: Pick<Message, 'status'>): MessageStatus => STATUS_NAME[message.status] ?? 'failed'

export class Conversations {
  readonly #store: ConversationStore
  readonly #journal: Journal
  readonly #clock: Clock

  constructor(components: { store: ConversationStore; journal: Journal; clock: Clock }) {
    this.#store = components.store
    this.#journal = components.journal
    this.#clock = components.clock
  }

  /** Adds an outgoing message. Throws ConflictError for an id that is taken. */
  async outgoingOps(draft: Draft): Promise<Part & { message: Message }> {
    return this.#add(draft, true)
  }

  /** Adds an incoming message, or nothing where it is there already. */
  async incomingOps(draft: Draft): Promise<Part> {
    if ((await this.#store.messages.get(draft.id)) !== undefined) return { ops: [], facts: [] }
    return this.#add(draft, false)
  }

  /**
   * Moves messages we sent forward to `status`; never backwards, and never those of another contact. `way` is how the proof
   * of it came about; who is `stored` says how many holders proved it last, also where they are fewer than before.
   */
  async advanceOps(contact: Uint8Array, ids: readonly Uint8Array[], status: MessageStatus, way?: Way): Promise<Part> {
    const ops: StoreOp[] = []
    const facts: Fact[] = []
    for (const id of ids) {
      const message = await this.#store.messages.get(id)
      if (message === undefined || !message.outgoing || toHex(message.contact) !== toHex(contact)) continue
      const next = advance(statusName(message), status)
      const recount = next === status && status === 'stored'
      const grown = way !== undefined && (recount ? way.receipts !== message.receipts : way.receipts > message.receipts)
      if (next === statusName(message) && !grown) continue
      ops.push(...this.#store.messages.put({ ...message, ...way, status: MESSAGE_STATUS[next] }))
      facts.push({ type: `message:${next}`, data: { id: toHex(id), contact: toHex(contact), ...factOf(way) } })
    }
    return { ops, facts }
  }

  /**
   * Marks incoming messages as read, up to and including `upTo` (or all). `receipts` makes, in the same batch, what tells
   * the sender. Returns how many were marked.
   */
  async markRead(
    contact: Uint8Array,
    upTo: Uint8Array | undefined,
    receipts: (ids: readonly Uint8Array[]) => readonly StoreOp[],
  ): Promise<number> {
    return this.#journal.commit(async () => {
      const conversation = await this.#conversation(contact)
      const limit = upTo === undefined ? conversation.lastOrder : await this.#orderIn(contact, upTo)
      const unread = await this.#unread(conversation, limit)
      if (unread.length === 0) return { ops: [], facts: [], result: 0 }
      const readAt = this.#clock.now()
      return {
        ops: [
          ...unread.flatMap((message) => this.#store.messages.put({ ...message, readAt, status: MESSAGE_STATUS.read })),
          ...this.#store.conversations.put(afterRead(conversation, unread.length)),
          ...receipts(unread.map(({ id }) => id)),
        ],
        facts: [{ type: 'conversation:read', data: { contact: toHex(contact), marked: unread.length } }],
        result: unread.length,
      }
    })
  }

  async find(id: Uint8Array): Promise<Message | undefined> {
    return this.#store.messages.get(id)
  }

  async require(id: Uint8Array): Promise<Message> {
    const message = await this.#store.messages.get(id)
    if (message === undefined) throw new NotFoundError('no such message')
    return message
  }

  /** Newest first. */
  async page(contact: Uint8Array, options: { before?: number; limit: number }): Promise<readonly Message[]> {
    return this.#store.messages.page(contact, options)
  }

  /**
   * Up to `limit` texts that contain `query`, compared without case in NFKC, newest first; of one contact, or of one
   * conversation after another. Opens every message it passes, so it costs about 30 µs for each.
   */
  async search(query: string, contacts: readonly Uint8Array[], limit: number): Promise<readonly Message[]> {
    const wanted = folded(query)
    const found: Message[] = []
    for (const contact of contacts) {
      let before: number | undefined
      do {
        const page = await this.page(contact, { limit: SEARCH_PAGE, ...(before === undefined ? {} : { before }) })
        found.push(...page.filter(({ text }) => folded(text).includes(wanted)))
        before = page.length < SEARCH_PAGE ? undefined : page.at(-1)?.order
      } while (before !== undefined && found.length < limit)
      if (found.length >= limit) break
    }
    return found.slice(0, limit)
  }

  async all(): Promise<readonly Conversation[]> {
    return this.#store.conversations.all()
  }

  async #orderIn(contact: Uint8Array, id: Uint8Array): Promise<number> {
    const message = await this.require(id)
    if (!equal(message.contact, contact)) throw new NotFoundError('no such message in this conversation')
    return message.order
  }

  /** Unread messages up to the order `limit`, newest first, as many as one call marks. */
  async #unread(conversation: Conversation, limit: number): Promise<readonly Message[]> {
    const wanted = Math.min(conversation.unread, MARK_READ_MAX)
    const found: Message[] = []
    let before = limit + 1
    while (found.length < wanted) {
      const messages = await this.#store.messages.page(conversation.contact, { before, limit: MARK_READ_MAX })
      found.push(...messages.filter((message) => !message.outgoing && message.readAt === 0))
      const oldest = messages.at(-1)
      if (oldest === undefined) break
      before = oldest.order
    }
    return found.slice(0, wanted)
  }

  async #add(draft: Draft, outgoing: boolean): Promise<Part & { message: Message }> {
    const before = await this.#conversation(draft.contact)
    const committedAt = this.#clock.now()
    const message: Message = {
      ...draft,
      version: 1,
      order: nextOrder(before),
      outgoing,
      committedAt,
      status: outgoing ? MESSAGE_STATUS.queued : MESSAGE_STATUS.delivered,
      path: OUTBOX_PATH.none,
      receipts: 0,
      readAt: 0,
    }
    const conversation = outgoing ? afterOutgoing(before, message) : afterIncoming(before, message)
    const fact: Fact = {
      type: outgoing ? 'message:queued' : 'message:received',
      data: {
        id: toHex(message.id),
        contact: toHex(message.contact),
        kind: message.contentKind === CONTENT_KIND.text ? 'text' : 'unsupported',
      },
    }
    return {
      message,
      ops: [...(await this.#store.messages.insert(message)), ...this.#store.conversations.put(conversation)],
      facts: [fact],
    }
  }

  async #conversation(contact: Uint8Array): Promise<Conversation> {
    return (await this.#store.conversations.get(contact)) ?? emptyConversation(contact)
  }
}
