/** The lock that closes by itself has to know that somebody is here: reading and typing reach the daemon by no other way. */
import type { Store } from './store.ts'

/** Nor oftener; minutes are what the lock counts in. */
export const USE_EVERY_MS = 30_000

/** Tells of keys, pointers and of the tab that is looked at again, until the returned function ends it. */
export function watchUse(store: Store, view: Window): () => void {
  let told = -Infinity
  const used = (): void => {
    const now = performance.now()
    const isOpen = store.door.value === 'in' && store.loaded.value && store.link.value === 'live'
    if (!isOpen || now - told < USE_EVERY_MS) return
    told = now
    store.api.noteUse().catch(() => {})
  }
  const seen = (): void => {
    if (view.document.visibilityState === 'visible') used()
  }
  const options = { capture: true, passive: true } as const
  const kinds = ['keydown', 'pointerdown', 'pointermove', 'wheel'] as const
  for (const kind of kinds) view.addEventListener(kind, used, options)
  view.document.addEventListener('visibilitychange', seen)
  return () => {
    for (const kind of kinds) view.removeEventListener(kind, used, options)
    view.document.removeEventListener('visibilitychange', seen)
  }
}
