import type { Access, PageSession } from '../application/access.ts'
import type { Requests, Transport } from './transport.ts'
import { pathOf } from './transport.ts'

export function accessCalls(requests: Requests, transport: Transport): Access {
  const { list, post } = requests
  return {
    tokens: () => list('/tokens'),
    createToken: (request) => post('/tokens', request),
    revokeToken: (id) => requests.delete(pathOf`/tokens/${id}`),
    rotateToken: () => post('/token/rotate'),
    pageCode: () => post('/page-codes'),
    pageSession: async (code) =>
      (await transport.request({ method: 'POST', path: '/page-session', token: code })) as PageSession,
  }
}
