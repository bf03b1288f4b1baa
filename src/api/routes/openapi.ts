import { openApiDocument } from '../openapi.ts'
import type { Route } from '../route.ts'
import { route } from '../route.ts'

/** The document that describes all routes, this one among them. */
export function openApiRoute(routes: () => readonly Route[]): Route {
  return route({
    method: 'GET',
    path: '/openapi.json',
    group: 'read',
    work: async ({ application }) => openApiDocument(routes(), (await application.status()).version),
  })
}
