/** What the tab itself tells: what it shows in its title, and a word before it is closed over something unsaved. */
import { effect } from '@preact/signals'
import { route } from '../app/routes.ts'
import { titleOf } from '../app/title.ts'
import type { Store } from './store.ts'

export function watchTab(store: Store, view: Window): void {
  effect(() => {
    view.document.title = titleOf(store, route.value)
  })
  view.addEventListener('beforeunload', (event) => {
    const sending = store.outgoing.list.value.length > 0
    if (store.drafts.unsaved.value || sending) event.preventDefault()
  })
  view.document.addEventListener('visibilitychange', () => {
    if (view.document.visibilityState === 'hidden') void store.drafts.flush()
  })
}
