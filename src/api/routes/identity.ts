import type { CreatedIdentity } from '../application/account.ts'
import type { Route } from '../route.ts'
import { given, route } from '../route.ts'
import * as schema from '../schemas.ts'

/** Argon2id and the network take longer than a request has otherwise. */
const SLOW_MS = 30_000

/** The account of this home: made once, unlocked after each start, rotated, published. */
export const identityRoutes: readonly Route[] = [
  route({ method: 'GET', path: '/identity', group: 'read', work: (call) => call.application.identity() }),
  route({
    method: 'POST',
    path: '/identity',
    group: 'write',
    status: 201,
    secret: true,
    deadlineMs: SLOW_MS,
    body: schema.createIdentity,
    async work({ application, body }) {
      const made = await application.createIdentity(given(body))
      return { ...created(made), recovered: made.recovered }
    },
  }),
  route({
    method: 'POST',
    path: '/identity/unlock',
    group: 'write',
    deadlineMs: SLOW_MS,
    body: schema.unlock,
    work: (call) => call.application.unlock(call.body.passphrase),
  }),
  route({
    method: 'POST',
    path: '/identity/lock',
    group: 'write',
    deadlineMs: SLOW_MS,
    status: 204,
    work: (call) => call.application.lock(),
  }),
  route({
    method: 'POST',
    path: '/identity/rotate',
    group: 'rotate',
    secret: true,
    status: 201,
    body: schema.rotateIdentity,
    async work({ application, body }) {
      return created(await application.rotateIdentity(body))
    },
  }),
  route({
    method: 'POST',
    path: '/identity/publish',
    group: 'publish',
    work: (call) => call.application.publishIdentity(),
  }),
  route({ method: 'GET', path: '/prekeys', group: 'read', work: (call) => call.application.prekeys() }),
  route({
    method: 'POST',
    path: '/prekeys/rotate',
    group: 'rotate',
    work: (call) => call.application.rotatePrekeys(),
  }),
  route({
    method: 'GET',
    path: '/invite',
    group: 'read',
    // With `token` it opens a lane for a guest.
    scope: 'send',
    deadlineMs: SLOW_MS,
    query: schema.invite,
    work: (call) => call.application.invite({ token: call.query.token ?? false }),
  }),
]

function created(made: Pick<CreatedIdentity, 'identity' | 'phrase'>) {
  return { accountId: made.identity.accountId, identity: made.identity, phrase: made.phrase }
}
