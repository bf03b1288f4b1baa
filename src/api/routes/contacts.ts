import type { ContactChange } from '../application/contacts.ts'
import type { Route } from '../route.ts'
import { given, list, route } from '../route.ts'
import * as schema from '../schemas.ts'

const params = schema.byAccount

/** People: asked, accepted, named, blocked, verified. */
export const contactRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/contacts',
    group: 'read',
    work: async (call) => list(await call.application.contacts()),
  }),
  route({
    method: 'POST',
    path: '/contacts',
    group: 'session',
    status: 201,
    body: schema.addContact,
    work: (call) => call.application.addContact(given(call.body) as { target: string }),
  }),
  route({
    method: 'GET',
    path: '/contacts/:id',
    group: 'read',
    params,
    work: (call) => call.application.contact(call.params.id),
  }),
  route({
    method: 'PATCH',
    path: '/contacts/:id',
    group: 'write',
    params,
    body: schema.updateContact,
    work: (call) => call.application.updateContact(call.params.id, given(call.body) as ContactChange),
  }),
  route({
    method: 'DELETE',
    path: '/contacts/:id',
    group: 'write',
    deadlineMs: 30_000,
    status: 204,
    params,
    work: (call) => call.application.removeContact(call.params.id),
  }),
  route({
    method: 'POST',
    path: '/contacts/:id/accept',
    group: 'write',
    params,
    body: schema.acceptContact,
    work: (call) => call.application.acceptContact(call.params.id, given(call.body ?? {})),
  }),
  route({
    method: 'POST',
    path: '/contacts/:id/block',
    group: 'write',
    params,
    work: (call) => call.application.blockContact(call.params.id),
  }),
  route({
    method: 'POST',
    path: '/contacts/:id/unblock',
    group: 'write',
    params,
    work: (call) => call.application.unblockContact(call.params.id),
  }),
  route({
    method: 'GET',
    path: '/contacts/:id/safety-number',
    group: 'read',
    params,
    work: (call) => call.application.safetyNumber(call.params.id),
  }),
  route({
    method: 'POST',
    path: '/contacts/:id/verify',
    group: 'write',
    params,
    body: schema.verifyContact,
    work: (call) => call.application.verifyContact(call.params.id, given(call.body) as { verified?: boolean }),
  }),
]
