import type { ContactsPart } from '../application/contacts.ts'
import type { Requests } from './transport.ts'
import { pathOf } from './transport.ts'

export function contactCalls(requests: Requests): ContactsPart {
  const { get, list, post } = requests
  return {
    invite: ({ token }) => get('/invite', { token }),
    contacts: () => list('/contacts'),
    contact: (accountId) => get(pathOf`/contacts/${accountId}`),
    addContact: (input) => post('/contacts', input),
    acceptContact: (accountId, input) => post(pathOf`/contacts/${accountId}/accept`, input),
    updateContact: (accountId, input) => requests.patch(pathOf`/contacts/${accountId}`, input),
    blockContact: (accountId) => post(pathOf`/contacts/${accountId}/block`),
    unblockContact: (accountId) => post(pathOf`/contacts/${accountId}/unblock`),
    removeContact: (accountId) => requests.delete(pathOf`/contacts/${accountId}`),
    safetyNumber: (accountId) => get(pathOf`/contacts/${accountId}/safety-number`),
    verifyContact: (accountId, input) => post(pathOf`/contacts/${accountId}/verify`, input),
  }
}
