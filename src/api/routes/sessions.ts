import { z } from 'zod'
import type { Route } from '../route.ts'
import { route } from '../route.ts'
import { accountId } from '../schemas.ts'

/** Sessions begin by themselves with the first message; this only fetches ahead what it needs, as often as one likes. */
export const sessionRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/sessions',
    group: 'session',
    scope: 'send',
    body: z.strictObject({ to: accountId }),
    async work({ application, body }) {
      const contact = await application.contact(body.to)
      const { devices } = await application.lookup(contact.accountId)
      return { accountId: contact.accountId, devices: devices.length }
    },
  }),
]
