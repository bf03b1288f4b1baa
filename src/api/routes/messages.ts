import { ConflictError } from '../../lib/errors.ts'
import type { MessageView } from '../application.ts'
import type { Route } from '../route.ts'
import { given, list, route } from '../route.ts'
import * as schema from '../schemas.ts'

const PAGE_SIZE = 50

/** Conversations and what is said in them. A conversation has its contact's account id. */
export const messageRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/conversations',
    group: 'read',
    work: async (call) => list(await call.application.conversations()),
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
    params: schema.byAccount,
    body: schema.markRead,
    work: (call) => call.application.markRead(call.params.id, given(call.body ?? {})),
  }),
  route({
    method: 'GET',
    path: '/search',
    group: 'read',
    query: schema.search,
    async work({ application, query }) {
      const { q, contact, limit = PAGE_SIZE } = query
      return list(await application.search(contact === undefined ? { query: q, limit } : { query: q, contact, limit }))
    },
  }),
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

/** An id that is known already answers with the first message; it must be the one that was asked for again. */
function sameMessage(message: MessageView, to: string, text: string): MessageView {
  if (message.contact === to && message.text === text) return message
  throw new ConflictError('this Idempotency-Key was used for another message; take a new one')
}
