import { z } from 'zod'
import type { Route } from '../route.ts'
import { list, route } from '../route.ts'
import { accountId } from '../schemas.ts'

/** The daemon itself and the network around it. */
export const networkRoutes: readonly Route[] = [
  route({ method: 'GET', path: '/status', group: 'read', work: (call) => call.application.status() }),
  route({
    method: 'GET',
    path: '/keys/:accountId',
    group: 'lookup',
    params: z.strictObject({ accountId }),
    work: (call) => call.application.lookup(call.params.accountId),
  }),
  route({ method: 'GET', path: '/mailbox', group: 'read', work: (call) => call.application.mailbox() }),
  route({ method: 'GET', path: '/net', group: 'read', work: (call) => call.application.net() }),
  route({ method: 'GET', path: '/zone', group: 'read', work: (call) => call.application.zone() }),
  route({
    method: 'GET',
    path: '/peers',
    group: 'read',
    work: async (call) => list(await call.application.peers()),
  }),
]
