import { z } from 'zod'
import type { TokenRequest } from '../application/access.ts'
import { RequestError } from '../errors.ts'
import type { Route } from '../route.ts'
import { given, list, route } from '../route.ts'

const DAYS_MAX = 3_650
const tokenId = z.strictObject({ id: z.string().regex(/^[0-9a-f]{16}$/) })
const createToken = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$/),
  scopes: z
    .array(z.enum(['read', 'send', 'admin']))
    .min(1)
    .max(3),
  days: z.number().int().min(1).max(DAYS_MAX).optional(),
})

/** Who may ask what. Told to the owner only: a token cannot look at tokens unless it could make them. */
export const tokenRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/tokens',
    group: 'read',
    scope: 'admin',
    work: async (call) => list(await call.access.tokens()),
  }),
  route({
    method: 'POST',
    path: '/tokens',
    group: 'write',
    status: 201,
    secret: true,
    body: createToken,
    work: (call) => call.access.createToken(given(call.body) as TokenRequest),
  }),
  route({
    method: 'DELETE',
    path: '/tokens/:id',
    group: 'write',
    status: 204,
    params: tokenId,
    work: (call) => call.access.revokeToken(call.params.id),
  }),
  route({
    method: 'POST',
    path: '/token/rotate',
    group: 'rotate',
    work: (call) => call.access.rotateToken(),
  }),
  route({
    method: 'POST',
    path: '/page-codes',
    group: 'write',
    status: 201,
    secret: true,
    work: (call) => call.access.pageCode(),
  }),
  route({
    method: 'POST',
    path: '/page-session',
    group: 'write',
    status: 201,
    open: true,
    async work({ access, bearer }) {
      if (bearer === undefined) throw new RequestError(401, 'unauthorized', 'a code is needed: run sotto open')
      return access.pageSession(bearer)
    },
  }),
]
