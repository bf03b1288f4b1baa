/** How a conversation's counters move. Pure: the caller stores the result in the batch that stores the message. */
import type { Conversation, Message } from './records.ts'

/** The conversation with `contact` before its first message. */
export function emptyConversation(contact: Uint8Array): Conversation {
  const none = { lastOrder: 0, lastMessage: undefined, lastAt: 0, unread: 0, muted: false, pinned: false }
  return { version: 1, contact, ...none }
}

/** The order that the next message takes: from 1, never given twice, also when messages are deleted. */
export function nextOrder(conversation: Conversation): number {
  return conversation.lastOrder + 1
}

/** After a message that came in: it is the last one, and unread unless it is marked as read already. */
export function afterIncoming(conversation: Conversation, message: Message): Conversation {
  return { ...afterOutgoing(conversation, message), unread: conversation.unread + (message.readAt === 0 ? 1 : 0) }
}

/** After a message that this user wrote. */
export function afterOutgoing(conversation: Conversation, message: Message): Conversation {
  return {
    ...conversation,
    lastOrder: message.order,
    lastMessage: message.id,
    lastAt: Math.max(conversation.lastAt, message.committedAt),
  }
}

/** After the user saw `count` messages that were unread. */
export function afterRead(conversation: Conversation, count: number): Conversation {
  return { ...conversation, unread: Math.max(0, conversation.unread - count) }
}
