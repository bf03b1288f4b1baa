import type { MessagesPart } from '../application/messages.ts'
import type { Requests } from './transport.ts'
import { pathOf } from './transport.ts'

/** `id` and `operation` are used as Idempotency-Keys: the same one again does nothing new. */
export function messageCalls(requests: Requests): MessagesPart {
  const { get, list, post, put } = requests
  return {
    conversations: () => list('/conversations'),
    conversation: (accountId) => get(pathOf`/conversations/${accountId}`),
    updateConversation: (accountId, change) => requests.patch(pathOf`/conversations/${accountId}`, change),
    clearConversation: (accountId) => requests.delete(pathOf`/conversations/${accountId}/messages`),
    messages: (accountId, input) => get(pathOf`/conversations/${accountId}/messages`, { ...input }),
    message: (id) => get(pathOf`/messages/${id}`),
    search: ({ query, ...rest }) => get('/search', { q: query, ...rest }),
    starred: (input) => get('/starred', { ...input }),
    send: (accountId, { id, ...message }) => post('/messages', { to: accountId, ...message }, id),
    editMessage: (id, { text, operation }) => put(pathOf`/messages/${id}/text`, { text }, operation),
    react: (id, { emoji, operation }) => put(pathOf`/messages/${id}/reaction`, { emoji }, operation),
    flagMessage: (id, flags) => requests.patch(pathOf`/messages/${id}`, flags),
    deleteMessage: (id, { operation, ...how }) => post(pathOf`/messages/${id}/delete`, how, operation),
    takeBack: (id) => requests.delete(pathOf`/messages/${id}`),
    markRead: (accountId, input) => post(pathOf`/conversations/${accountId}/read`, input),
    why: (id) => get(pathOf`/messages/${id}/why`),
  }
}
