/** What it takes for a message to be gone: its text, its marks, its words, its star and pin, in one batch. */
import { concat, equal } from '../../lib/bytes.ts'
import { DAY_MS } from '../../lib/time.ts'
import { shown } from '../../protocol/message-marks.ts'
import { advance } from '../../protocol/message-status.ts'
import type { MessageStatus } from '../../protocol/message-status.ts'
import { afterGone } from '../../store/conversation-counters.ts'
import type { StoreOp } from '../../store/database.ts'
import { UNMARKED } from '../../store/marks.ts'
import { GONE, MESSAGE_STATUS } from '../../store/records.ts'
import type { Conversation, Message, StoredMarks } from '../../store/records.ts'
import type { ConversationComponents } from './ports.ts'

/** A copy of a message may come for as long as its sender tries, and a day for clocks. */
export const COPIES_MS = 31 * DAY_MS

const STATUS_NAME = Object.fromEntries(Object.entries(MESSAGE_STATUS).map(([name, code]) => [code, name])) as Record<
  number,
  MessageStatus
>
export const statusName = ({ status }: Pick<Message, 'status'>): MessageStatus => STATUS_NAME[status] ?? 'failed'

export type Wiper = Pick<ConversationComponents, 'store' | 'index' | 'clock'>

/** A conversation in the course of one change: what became of it, and what to write besides itself. */
export interface Step {
  readonly conversation: Conversation
  readonly ops: readonly StoreOp[]
}

export const authorOf = ({ outgoing }: Pick<Message, 'outgoing'>): 'own' | 'theirs' => (outgoing ? 'own' : 'theirs')

/** The message with the text that it shows. */
export function shownMessage(message: Message, marks: StoredMarks): Message {
  const edit = message.gone === GONE.no ? shown(marks, authorOf(message)).edit : undefined
  return edit === undefined ? message : { ...message, text: edit.text }
}

/** Leaves nothing but the message's place. */
export async function goneOps(
  c: Wiper,
  conversation: Conversation,
  message: Message,
  how: typeof GONE.deleted | typeof GONE.expired,
): Promise<Step> {
  // What was not delivered yet is not to be delivered any more.
  const status = MESSAGE_STATUS[advance(statusName(message), 'taken-back')]
  const nothing = { text: '', replyTo: undefined, timerSeconds: 0, expiresAt: 0, marked: false }
  const left = { ...message, ...nothing, gone: how, status }
  const ops = [...(await wipeOps(c, message)), ...c.store.messages.put(left)]
  return { conversation: afterGone(conversation, message), ops }
}

/** Takes the message away from this device, its place too. A late copy of it does not come back. */
export async function removeOps(c: Wiper, conversation: Conversation, message: Message): Promise<Step> {
  const until = message.committedAt + COPIES_MS
  const note =
    message.outgoing || until <= c.clock.now() ? [] : c.store.removed.put(noteName(message.contact, message.id), until)
  const ops = [...(await wipeOps(c, message)), ...c.store.messages.delete(message), ...note]
  return { conversation: afterGone(conversation, message), ops }
}

export async function wasRemoved(c: Pick<Wiper, 'store'>, contact: Uint8Array, id: Uint8Array): Promise<boolean> {
  return c.store.removed.has(noteName(contact, id))
}

/** An id (16 bytes) of one conversation, as the store remembers ids. */
export const noteName = (contact: Uint8Array, id: Uint8Array): Uint8Array => concat(id, contact.subarray(0, 16))

/** The conversation whose newest message may be among those that were removed. */
export async function withLast(
  c: Pick<Wiper, 'store'>,
  conversation: Conversation,
  removed: readonly Message[],
): Promise<Conversation> {
  const { lastMessage, contact } = conversation
  if (lastMessage === undefined || !removed.some(({ id }) => equal(id, lastMessage))) return conversation
  const newest = await c.store.messages.page(contact, { limit: removed.length + 1 })
  const last = newest.find(({ id }) => !removed.some((each) => equal(each.id, id)))
  return { ...conversation, lastMessage: last?.id }
}

async function wipeOps(c: Wiper, message: Message): Promise<readonly StoreOp[]> {
  const { store } = c
  const marks = await store.marks.of(message)
  return [
    ...(message.gone === GONE.no ? await c.index.indexOps(shownMessage(message, marks), undefined) : []),
    ...(marks === UNMARKED ? [] : store.marks.delete(message.contact, message.id)),
    ...(marks.starred === 0 ? [] : store.starred.delete(marks.starred)),
    ...(message.expiresAt === 0 ? [] : store.expiries.delete(message.id)),
  ]
}
