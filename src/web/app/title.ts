/** The title of the tab: the screen or the contact that is shown; nothing of anybody's while the keys are sealed. */
import type { Store } from '../state/store.ts'
import type { Route } from './routes.ts'

const PRODUCT = 'Sotto'
const SCREENS: Readonly<Record<Route['screen'], string>> = {
  chats: 'Chats',
  contacts: 'Contacts',
  search: 'Search',
  starred: 'Starred messages',
  network: 'Network',
  settings: 'Settings',
  guide: 'Guide',
}

export function titleOf(store: Store, now: Route): string {
  if (!store.loaded.value) return PRODUCT
  const unread = store.unread.value
  return `${unread > 0 ? `(${unread}) ` : ''}${placeOf(store, now)} – ${PRODUCT}`
}

function placeOf(store: Store, now: Route): string {
  if (now.screen === 'contacts' && now.part === 'add') return 'Add a contact'
  const contact = now.screen === 'chats' || now.screen === 'contacts' ? now.contact : null
  if (contact === null || !store.byAccount.value.has(contact)) return SCREENS[now.screen]
  const verifies = now.screen === 'contacts' && now.part === 'verify'
  return verifies ? `Verify ${store.nameOf(contact)}` : store.nameOf(contact)
}
