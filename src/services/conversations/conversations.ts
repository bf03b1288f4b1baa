/** Messages and what a conversation says of them. Every method ending in `Ops` only reads, and returns what to write. */
import { equal, toHex } from '../../lib/bytes.ts'
import { NotFoundError } from '../../lib/errors.ts'
import { CONTENT_KIND } from '../../wire/content.ts'
import { shown } from '../../protocol/message-marks.ts'
import { nextLamport, orderOf } from '../../protocol/message-order.ts'
import { readerExpiry, receivedTimer, writerExpiry } from '../../protocol/message-timer.ts'
import { advance } from '../../protocol/message-status.ts'
import type { MessageStatus } from '../../protocol/message-status.ts'
import {
  afterHeard,
  afterIncoming,
  afterOutgoing,
  afterRead,
  emptyConversation,
  isUnread,
} from '../../store/conversation-counters.ts'
import type { StoreOp } from '../../store/database.ts'
import { GONE, MESSAGE_STATUS, OUTBOX_PATH } from '../../store/records.ts'
import type { Conversation, Message, StoredMarks } from '../../store/records.ts'
import type { Change, Fact } from '../events/journal.ts'
import { shownMessage, statusName, wasRemoved } from './gone.ts'
import { operateOps, timerOps } from './operations.ts'
import type { Act, Operated, Said } from './operations.ts'
import type { ConversationComponents, Part } from './ports.ts'

export type { Part } from './ports.ts'

/** A message as it is about to be kept; order, state and times are given by the conversation. */
export interface Draft {
  readonly id: Uint8Array
  readonly contact: Uint8Array
  readonly contentKind: number
  readonly text: string
  readonly replyTo: Uint8Array | undefined
  readonly sentAt: number
}
/** A draft that came in, with what its extensions say. */
export interface IncomingDraft extends Draft {
  readonly lamport?: number
  readonly timerSeconds?: number
}

/** How a message went: the path as in OUTBOX_PATH, and the holders' receipts. */
export interface Way {
  readonly path: Message['path']
  readonly receipts: number
}

const factOf = (way: Way | undefined): { path?: string; receipts?: number } =>
  way === undefined ? {} : { path: way.path === OUTBOX_PATH.direct ? 'direct' : 'mailbox', receipts: way.receipts }

/** Marked as read in one call. */
const MARK_READ_MAX = 1_000
/** Places tried for a message whose own is taken; after that it stands last. */
const PLACES_TRIED_MAX = 16

/** An outgoing message: what its content says of its place and its end, and the timer that the conversation begins with. */
export interface Outgoing extends Part {
  readonly message: Message
  readonly lamport: number
  readonly begins: { readonly operation: Uint8Array; readonly seconds: number; readonly lamport: number } | undefined
}

export class Conversations {
  readonly #c: ConversationComponents

  constructor(components: ConversationComponents) {
    this.#c = components
  }

  /**
   * Adds an outgoing message. `timerOperation` names the setting of the timer that the user wants new conversations to begin
   * with, where this is one. Throws ConflictError for an id that is taken.
   */
  async outgoingOps(draft: Draft, timerOperation: Uint8Array): Promise<Outgoing> {
    const before = await this.#conversation(draft.contact)
    const isNew = !isBegun(before)
    const seconds = isNew ? (this.#c.choices().defaultTimerSeconds ?? 0) : 0
    const lamport = nextLamport(before.lamport)
    const stamp = { lamport, operation: timerOperation }
    const began = seconds === 0 ? before : { ...before, timerSeconds: seconds, timerStamp: stamp }
    const { timerSeconds } = began
    const message = await this.#place(began, { ...this.#fresh(draft), outgoing: true, timerSeconds }, lamport)
    return {
      ...(await this.#added(afterOutgoing(began, message), message)),
      message,
      lamport,
      begins: seconds === 0 ? undefined : { ...stamp, seconds },
    }
  }

  /** Adds an incoming message in its causal place, with what came of it earlier; or nothing where it is there already. */
  async incomingOps(draft: IncomingDraft): Promise<Part> {
    const { store } = this.#c
    const { lamport: said, timerSeconds, ...rest } = draft
    if (await store.messages.has(draft.id)) return NOTHING
    if (await wasRemoved(this.#c, draft.contact, draft.id)) return NOTHING
    const { conversation, lamport } = afterHeard(await this.#conversation(draft.contact), said, draft.sentAt)
    const early = await store.marks.arrived(draft.contact, draft.id)
    const fresh = { ...this.#fresh(rest), timerSeconds: receivedTimer(timerSeconds) }
    const placed = await this.#place(conversation, withEarly(fresh, early?.marks), lamport)
    const added = await this.#added(afterIncoming(conversation, placed), placed, early?.marks)
    const forgotten = early === undefined || placed.marked ? [] : store.marks.delete(draft.contact, draft.id)
    return { ops: [...added.ops, ...(early?.ops ?? []), ...forgotten], facts: added.facts }
  }

  /** Edits, reactions and deletions, of either side. */
  async operateOps(said: Said, act: Act): Promise<Operated> {
    return operateOps(this.#c, said, act)
  }

  /** How long new messages are to stay, as either side says. */
  async timerOps(said: Said, seconds: number): Promise<Part> {
    return timerOps(this.#c, said, seconds)
  }

  /** The number under which this user says the next thing in the conversation. */
  async nextLamport(contact: Uint8Array): Promise<number> {
    return nextLamport((await this.#conversation(contact)).lamport)
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
      const expiresAt = writerExpiry(message, next, this.#c.clock.now(), this.#c.choices().readReceipts)
      ops.push(...this.#store.messages.put({ ...message, ...way, status: MESSAGE_STATUS[next], expiresAt }))
      if (expiresAt !== message.expiresAt) ops.push(...this.#expiryOps(id, expiresAt))
      facts.push({ type: `message:${next}`, data: { id: toHex(id), contact: toHex(contact), ...factOf(way) } })
    }
    return { ops, facts }
  }

  /**
   * Marks incoming messages as read, up to and including `upTo` (or all), in steps that the writer does not wait for.
   * `receipts` makes, in the batch of each, what tells the sender. Returns how many were marked.
   */
  async markRead(
    contact: Uint8Array,
    upTo: Uint8Array | undefined,
    receipts: (ids: readonly Uint8Array[]) => readonly StoreOp[],
  ): Promise<number> {
    let before: number | undefined
    let marked = 0
    for (;;) {
      const step = await this.#c.journal.commit(async () => {
        const conversation = await this.#conversation(contact)
        before ??= (upTo === undefined ? conversation.lastOrder : await this.#orderIn(contact, upTo)) + 1
        return this.#readStep(conversation, before, MARK_READ_MAX - marked, receipts)
      })
      marked += step.marked
      before = step.before
      if (before === undefined || marked >= MARK_READ_MAX) return marked
    }
  }

  /** Marks what is unread among the messages right below `before`; where the next step goes on, if it is to. */
  async #readStep(
    conversation: Conversation,
    before: number,
    most: number,
    receipts: (ids: readonly Uint8Array[]) => readonly StoreOp[],
  ): Promise<Change<{ readonly marked: number; readonly before: number | undefined }>> {
    const { contact, unread: left, unreadFrom, markedUnread } = conversation
    const walk = { from: unreadFrom, before, newest: true, limit: most }
    const looked = left === 0 || before <= unreadFrom ? [] : await this.#store.messages.step(contact, walk)
    const unread = looked.filter(isUnread)
    const isLast = looked.length === 0 || unread.length >= left
    const result = { marked: unread.length, before: isLast ? undefined : looked.at(-1)?.order }
    if (unread.length === 0 && !markedUnread) return { ...NOTHING, result }
    const readAt = this.#c.clock.now()
    return {
      ops: [
        ...unread.flatMap((message) => this.#readOps(message, readAt)),
        ...this.#store.conversations.put(afterRead(conversation, unread.length)),
        ...receipts(unread.map(({ id }) => id)),
      ],
      facts: [{ type: 'conversation:read', data: { contact: toHex(contact), marked: unread.length } }],
      result,
    }
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

  /** The conversation with a contact; one without a message where none was written yet. */
  async get(contact: Uint8Array): Promise<Conversation> {
    return this.#conversation(contact)
  }

  async all(): Promise<readonly Conversation[]> {
    return this.#store.conversations.all()
  }

  async #orderIn(contact: Uint8Array, id: Uint8Array): Promise<number> {
    const message = await this.require(id)
    if (!equal(message.contact, contact)) throw new NotFoundError('no such message in this conversation')
    return message.order
  }

  #readOps(message: Message, readAt: number): readonly StoreOp[] {
    const expiresAt = readerExpiry(message, readAt)
    const read = { ...message, readAt, expiresAt, status: MESSAGE_STATUS.read }
    return [...this.#store.messages.put(read), ...(expiresAt === 0 ? [] : this.#expiryOps(message.id, expiresAt))]
  }

  #expiryOps(messageId: Uint8Array, at: number): readonly StoreOp[] {
    this.#c.wiping.expires(messageId, at)
    return this.#store.expiries.put({ messageId, at })
  }

  #fresh(draft: Draft): Unplaced {
    return {
      ...draft,
      outgoing: false,
      committedAt: this.#c.clock.now(),
      path: OUTBOX_PATH.none,
      receipts: 0,
      readAt: 0,
      timerSeconds: 0,
      expiresAt: 0,
      gone: GONE.no,
      marked: false,
    }
  }

  /** Its causal place, or the next free one; where very many want the same, the end, where nothing stands yet. */
  async #place({ contact, lastOrder }: Conversation, message: Unplaced, lamport: number): Promise<Message> {
    const status = message.outgoing ? MESSAGE_STATUS.queued : MESSAGE_STATUS.delivered
    const wanted = orderOf(lamport, message.id)
    for (let order = wanted; order < wanted + PLACES_TRIED_MAX; order++) {
      if (!(await this.#store.messages.taken(contact, order))) return { ...message, order, status }
    }
    return { ...message, order: lastOrder + 1, status }
  }

  async #added(conversation: Conversation, message: Message, marks?: StoredMarks): Promise<Part> {
    const { id, contact, contentKind, outgoing, gone } = message
    const kind = contentKind === CONTENT_KIND.text ? 'text' : 'unsupported'
    const isShown = gone === GONE.no && contentKind === CONTENT_KIND.text
    const seen = marks === undefined ? message : shownMessage(message, marks)
    return {
      ops: [
        ...(await this.#store.messages.insert(message)),
        ...this.#store.conversations.put(conversation),
        ...(isShown ? await this.#c.index.indexOps(undefined, seen) : []),
      ],
      facts: [
        {
          type: outgoing ? 'message:queued' : gone === GONE.no ? 'message:received' : 'message:deleted',
          data: { id: toHex(id), contact: toHex(contact), kind },
        },
      ],
    }
  }

  async #conversation(contact: Uint8Array): Promise<Conversation> {
    return (await this.#store.conversations.get(contact)) ?? emptyConversation(contact)
  }

  get #store(): ConversationComponents['store'] {
    return this.#c.store
  }
}

/** Something was said, also where it was said to a home of this account that is lost, and only its number was restored. */
function isBegun({ lastOrder, lamport, timerSeconds, timerStamp }: Conversation): boolean {
  return lastOrder > 0 || lamport > 0 || timerSeconds > 0 || timerStamp !== undefined
}

type Unplaced = Omit<Message, 'order' | 'status'>

const NOTHING: Part = { ops: [], facts: [] }

/** A message whose marks came first: gone where its author deleted it, else marked. */
function withEarly(message: Unplaced, marks: StoredMarks | undefined): Unplaced {
  if (marks === undefined) return message
  if (!shown(marks, 'theirs').deleted) return { ...message, marked: true }
  return { ...message, text: '', replyTo: undefined, timerSeconds: 0, gone: GONE.deleted }
}
