import { z } from 'zod'
import type { ConversationView, MessageView, Page, ReactionView, WhyView } from '../application/messages.ts'
import { account, count, id16, time, viewOf } from './view.ts'

const path = z.enum(['none', 'direct', 'mailbox'])
const state = z.enum(['queued', 'stored', 'delivered', 'read', 'expired', 'failed', 'taken-back'])

export const reactionView = viewOf<ReactionView>()(z.object({ own: z.boolean(), emoji: z.string(), at: time }))

export const messageView = viewOf<MessageView>()(
  z.object({
    id: id16,
    contact: account,
    outgoing: z.boolean(),
    kind: z.enum(['text', 'unsupported']),
    text: z.string(),
    replyTo: id16.nullable(),
    sentAt: time,
    committedAt: time,
    status: state,
    stored: count,
    storedOf: count,
    path,
    editedAt: time.nullable(),
    gone: z.enum(['no', 'deleted', 'expired']),
    reactions: z.array(reactionView),
    starred: z.boolean(),
    pinned: z.boolean(),
    timerSeconds: z.number().nullable(),
    expiresAt: time.nullable(),
    cursor: z.string(),
  }),
)

export const messagePage = viewOf<Page<MessageView>>()(
  z.object({ items: z.array(messageView), next: z.string().nullable() }),
)

export const conversationView = viewOf<ConversationView>()(
  z.object({
    contact: account,
    name: z.string(),
    lastMessage: messageView.nullable(),
    unread: count,
    muted: z.boolean(),
    pinned: z.boolean(),
    markedUnread: z.boolean(),
    timerSeconds: z.number().nullable(),
    draft: z.string(),
    pins: z.array(id16),
  }),
)

const device = z.object({
  deviceId: id16,
  path,
  attempts: count,
  nextAttemptAt: time.nullable(),
  expiresAt: time,
  holders: z.array(z.object({ peerId: z.string(), at: time })),
  proved: z.object({ holders: count, at: time }).nullable(),
  steps: z.array(z.object({ at: time, event: z.string(), detail: z.string() })),
})
export const whyView = viewOf<WhyView>()(
  z.object({ id: id16, status: state, devices: z.array(device), summary: z.string() }),
)
export const markedView = z.object({ marked: count })
