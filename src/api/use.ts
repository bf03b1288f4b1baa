import type { Route } from './route.ts'
import type { Caller } from './tokens.ts'

/** What the page does by itself when something comes in. */
const BY_ITSELF: ReadonlySet<string> = new Set(['/conversations/:id/read'])

/**
 * Whether a request shows that a user is there, for auto-lock: something is changed, with a token of the owner's own. To look at
 * things does not show it, since screens do so by themselves; who sits before one says `POST /use`. Nor do other programs' tokens.
 */
export function showsUser(
  { method, path, scope }: Pick<Route, 'method' | 'path' | 'scope'>,
  caller: Pick<Caller, 'scope'>,
): boolean {
  return method !== 'GET' && scope !== 'read' && caller.scope === 'admin' && !BY_ITSELF.has(path)
}
