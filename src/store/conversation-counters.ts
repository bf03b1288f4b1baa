/** How a conversation's counters move. Pure: the caller stores the result in the batch that stores the message. */
import { hasLostCount, lamportOf, receivedLamport } from '../protocol/message-order.ts'
import { equal } from '../lib/bytes.ts'
import { GONE } from './records.ts'
import type { Conversation, Message } from './records.ts'

/** The conversation with `contact` before its first message. */
export function emptyConversation(contact: Uint8Array): Conversation {
  return {
    contact,
    lastOrder: 0,
    lastMessage: undefined,
    lastAt: 0,
    unread: 0,
    muted: false,
    pinned: false,
    unreadFrom: 0,
    lamport: 0,
    heard: undefined,
    timerSeconds: 0,
    timerStamp: undefined,
    draft: '',
    markedUnread: false,
    pins: [],
  }
}

/** Came in, is still there, and was not seen. */
export function isUnread({ outgoing, readAt, gone }: Pick<Message, 'outgoing' | 'readAt' | 'gone'>): boolean {
  return !outgoing && readAt === 0 && gone === GONE.no
}

/** After a message that came in, wherever its place is: unread unless it is marked as read already, or gone. */
export function afterIncoming(conversation: Conversation, message: Message): Conversation {
  const added = afterOutgoing(conversation, message)
  if (!isUnread(message)) return added
  const unreadFrom = conversation.unread === 0 ? message.order : Math.min(conversation.unreadFrom, message.order)
  return { ...added, unread: conversation.unread + 1, unreadFrom }
}

/** After a message that this user wrote. */
export function afterOutgoing(conversation: Conversation, message: Message): Conversation {
  const newest = message.order > conversation.lastOrder
  return {
    ...conversation,
    ...(newest ? { lastOrder: message.order, lastMessage: message.id } : {}),
    lamport: Math.max(conversation.lamport, lamportOf(message.order)),
    lastAt: Math.max(conversation.lastAt, message.committedAt),
  }
}

/** After the user saw `count` messages that were unread. */
export function afterRead(conversation: Conversation, count: number): Conversation {
  return { ...conversation, unread: Math.max(0, conversation.unread - count), markedUnread: false }
}

/** After a message lost what it said, or went whole; `message` is what it was before. */
export function afterGone(conversation: Conversation, message: Message): Conversation {
  const unread = Math.max(0, conversation.unread - (isUnread(message) ? 1 : 0))
  const pins = conversation.pins.filter((id) => !equal(id, message.id))
  return { ...conversation, unread, pins: pins.length === conversation.pins.length ? conversation.pins : pins }
}

/** Something of this user's numbered `lamport`. */
export function afterSaid(conversation: Conversation, lamport: number): Conversation {
  return lamport <= conversation.lamport ? conversation : { ...conversation, lamport }
}

/** What a contact said under the number `said`: the number under which it counts, whether it lost count, and the conversation that has heard it. */
export function afterHeard(
  conversation: Conversation,
  said: number | undefined,
  sentAt: number,
): { readonly conversation: Conversation; readonly lamport: number; readonly lost: boolean } {
  const { heard } = conversation
  const word = said === undefined ? undefined : { lamport: said, sentAt }
  const lost = word !== undefined && hasLostCount(heard, word)
  const lamport = receivedLamport(lost ? undefined : said, conversation.lamport)
  const isHigher = word !== undefined && word.lamport > (heard?.lamport ?? -1)
  const counted = afterSaid(conversation, lamport)
  return { conversation: isHigher ? { ...counted, heard: word } : counted, lamport, lost }
}
