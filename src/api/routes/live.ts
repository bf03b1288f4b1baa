import { z } from 'zod'
import type { Route } from '../route.ts'
import { route } from '../route.ts'
import { byAccount } from '../schemas.ts'

/** What is true now and kept nowhere. */
export const liveRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/conversations/:id/typing',
    group: 'write',
    scope: 'send',
    status: 204,
    params: byAccount,
    body: z.strictObject({ typing: z.boolean() }),
    work: (call) => call.application.setTyping(call.params.id, call.body.typing),
  }),
]
