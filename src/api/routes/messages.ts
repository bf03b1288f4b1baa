import { ConflictError } from '../../lib/errors.ts'
import type { ConversationChange, MessageFlags, MessageView, SearchInput } from '../application/messages.ts'
import type { Route } from '../route.ts'
import { given, list, route } from '../route.ts'
import * as schema from '../schemas.ts'
import * as asked from './message-schemas.ts'

const PAGE_SIZE = 50
/** 64 KiB of text, each byte escaped. */
const DRAFT_BODY_MAX_BYTES = 6 * 64 * 1_024 + 1_024

/** A conversation has its contact's account id. */
const conversationRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/conversations',
    group: 'read',
    work: async (call) => list(await call.application.conversations()),
  }),
  route({
    method: 'GET',
    path: '/conversations/:id',
    group: 'read',
    params: schema.byAccount,
    work: (call) => call.application.conversation(call.params.id),
  }),
  route({
    method: 'PATCH',
    path: '/conversations/:id',
    group: 'write',
    scope: 'send',
    bodyMaxBytes: DRAFT_BODY_MAX_BYTES,
    params: schema.byAccount,
    body: asked.updateConversation,
    work: (call) => call.application.updateConversation(call.params.id, given(call.body) as ConversationChange),
  }),
  route({
    method: 'DELETE',
    path: '/conversations/:id/messages',
    group: 'write',
    deadlineMs: 30_000,
    status: 204,
    params: schema.byAccount,
    work: (call) => call.application.clearConversation(call.params.id),
  }),
  route({
    method: 'GET',
    path: '/conversations/:id/messages',
    group: 'read',
    params: schema.byAccount,
    query: schema.page,
    work({ application, params, query }) {
      const { cursor, limit = PAGE_SIZE } = query
      return application.messages(params.id, cursor === undefined ? { limit } : { cursor, limit })
    },
  }),
  route({
    method: 'POST',
    path: '/conversations/:id/read',
    group: 'write',
    scope: 'send',
    params: schema.byAccount,
    body: schema.markRead,
    work: (call) => call.application.markRead(call.params.id, given(call.body ?? {})),
  }),
  route({
    method: 'GET',
    path: '/search',
    group: 'read',
    query: asked.search,
    work({ application, query }) {
      const { q, limit = PAGE_SIZE, ...where } = query
      return application.search(given({ query: q, limit, ...where }) as SearchInput)
    },
  }),
  route({
    method: 'GET',
    path: '/starred',
    group: 'read',
    query: schema.page,
    work({ application, query }) {
      const { cursor, limit = PAGE_SIZE } = query
      return application.starred(cursor === undefined ? { limit } : { cursor, limit })
    },
  }),
]

const textRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/messages',
    group: 'message',
    status: 202,
    bodyMaxBytes: schema.MESSAGE_BODY_MAX_BYTES,
    body: schema.sendMessage,
    async work({ application, body, idempotencyKey, messageIdFor }) {
      schema.checkTextSize(body.text)
      const key = idempotencyKey === undefined ? undefined : schema.validate(schema.idempotencyKey, idempotencyKey)
      const id = key === undefined ? undefined : messageIdFor(key)
      const { to, text, replyTo } = body
      return sameMessage(await application.send(to, given({ text, replyTo, id }) as { text: string }), to, text)
    },
  }),
  route({
    method: 'GET',
    path: '/messages/:id',
    group: 'read',
    params: schema.byMessage,
    work: (call) => call.application.message(call.params.id),
  }),
  route({
    method: 'DELETE',
    path: '/messages/:id',
    group: 'write',
    scope: 'send',
    params: schema.byMessage,
    work: (call) => call.application.takeBack(call.params.id),
  }),
  route({
    method: 'GET',
    path: '/messages/:id/why',
    group: 'read',
    params: schema.byMessage,
    work: (call) => call.application.why(call.params.id),
  }),
]

/** What is done to a message. With an Idempotency-Key, doing it again does nothing new. */
const operationRoutes: readonly Route[] = [
  route({
    method: 'PUT',
    path: '/messages/:id/text',
    group: 'message',
    bodyMaxBytes: schema.MESSAGE_BODY_MAX_BYTES,
    params: schema.byMessage,
    body: asked.editMessage,
    async work({ application, params, body, operation }) {
      schema.checkTextSize(body.text)
      return application.editMessage(params.id, given({ text: body.text, operation }) as { text: string })
    },
  }),
  route({
    method: 'PUT',
    path: '/messages/:id/reaction',
    group: 'message',
    params: schema.byMessage,
    body: asked.react,
    work: ({ application, params, body, operation }) =>
      application.react(params.id, given({ emoji: body.emoji, operation }) as { emoji: string | null }),
  }),
  route({
    method: 'POST',
    path: '/messages/:id/delete',
    group: 'message',
    status: 204,
    params: schema.byMessage,
    body: asked.deleteMessage,
    work: ({ application, params, body, operation }) =>
      application.deleteMessage(params.id, given({ for: body.for, operation }) as { for: 'both' | 'me' }),
  }),
  route({
    method: 'PATCH',
    path: '/messages/:id',
    group: 'write',
    scope: 'send',
    params: schema.byMessage,
    body: asked.flagMessage,
    work: (call) => call.application.flagMessage(call.params.id, given(call.body) as MessageFlags),
  }),
]

/** Conversations and what is said in them. */
export const messageRoutes: readonly Route[] = [...conversationRoutes, ...textRoutes, ...operationRoutes]

/** An id that is known already answers with the first message; it must be the one that was asked for again. */
function sameMessage(message: MessageView, to: string, text: string): MessageView {
  const changed = message.editedAt !== null || message.gone !== 'no'
  if (message.contact === to && (changed || message.text === text)) return message
  throw new ConflictError('this Idempotency-Key was used for another message; take a new one')
}
