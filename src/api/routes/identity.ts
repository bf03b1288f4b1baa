import type { Application } from '../application.ts'
import type { Route } from '../route.ts'
import { given, route } from '../route.ts'
import * as schema from '../schemas.ts'

/** The account of this home: made once, unlocked after each start, rotated, published. */
export const identityRoutes: readonly Route[] = [
  route({ method: 'GET', path: '/identity', group: 'read', work: (call) => call.application.identity() }),
  route({
    method: 'POST',
    path: '/identity',
    group: 'write',
    status: 201,
    body: schema.createIdentity,
    async work({ application, body }) {
      return created(await application.createIdentity(given(body)))
    },
  }),
  route({
    method: 'POST',
    path: '/identity/unlock',
    group: 'write',
    body: schema.unlock,
    work: (call) => call.application.unlock(call.body.passphrase),
  }),
  route({
    method: 'POST',
    path: '/identity/lock',
    group: 'write',
    status: 204,
    work: (call) => call.application.lock(),
  }),
  route({
    method: 'POST',
    path: '/identity/rotate',
    group: 'rotate',
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
    method: 'GET',
    path: '/invite',
    group: 'read',
    query: schema.invite,
    work: (call) => call.application.invite({ token: call.query.token ?? false }),
  }),
]

function created(made: Awaited<ReturnType<Application['createIdentity']>>) {
  return { accountId: made.identity.accountId, identity: made.identity, phrase: made.phrase }
}
