/** The address behind `#` as a value: the daemon serves one page only. */
import { signal } from '@preact/signals'

export type Route =
  | { readonly screen: 'chats'; readonly contact: string | null; readonly message: string | null }
  | { readonly screen: 'contacts'; readonly contact: string | null; readonly part: 'card' | 'add' | 'verify' | null }
  | { readonly screen: 'search'; readonly query: string }
  | { readonly screen: 'starred' }
  | { readonly screen: 'network' }
  | { readonly screen: 'settings'; readonly part: string | null }
  | { readonly screen: 'guide'; readonly page: string | null }

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split('?', 2)
  const [screen, first, second, third] = path.split('/').map(decoded)
  switch (screen) {
    case 'c':
      return { screen: 'chats', contact: first || null, message: second === 'm' ? third || null : null }
    case 'contacts':
      if (first === 'add') return { screen: 'contacts', contact: null, part: 'add' }
      if (!first) return { screen: 'contacts', contact: null, part: null }
      return { screen: 'contacts', contact: first, part: second === 'verify' ? 'verify' : 'card' }
    case 'search':
      return { screen: 'search', query: new URLSearchParams(query).get('q') ?? '' }
    case 'starred':
    case 'network':
      return { screen }
    case 'settings':
      return { screen, part: first || null }
    case 'guide':
      return { screen, page: first || null }
    default:
      return { screen: 'chats', contact: null, message: null }
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return ''
  }
}

/** Addresses of the screens. */
export const to = {
  chats: '#/',
  chat: (contact: string): string => `#/c/${contact}`,
  message: (contact: string, id: string): string => `#/c/${contact}/m/${id}`,
  contacts: '#/contacts',
  addContact: '#/contacts/add',
  contact: (contact: string): string => `#/contacts/${contact}`,
  verify: (contact: string): string => `#/contacts/${contact}/verify`,
  search: (query: string): string => `#/search?${new URLSearchParams({ q: query }).toString()}`,
  starred: '#/starred',
  network: '#/network',
  settings: '#/settings',
  guide: '#/guide',
  guidePage: (page: string): string => `#/guide/${page}`,
} as const

export const route = signal<Route>(parseRoute(''))

/** Keeps `route` in step with the address; the returned function ends it. */
export function watchRoute(view: Window): () => void {
  const read = (): void => {
    route.value = parseRoute(view.location.hash)
  }
  read()
  view.addEventListener('hashchange', read)
  return () => {
    view.removeEventListener('hashchange', read)
  }
}

export function go(hash: string): void {
  if (location.hash === hash) return
  location.hash = hash
}
/** Goes there without a step in the history. */
export function replace(hash: string): void {
  history.replaceState(null, '', hash)
  route.value = parseRoute(hash)
}
