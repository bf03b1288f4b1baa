/** Words on the desktop when somebody writes and the page is not looked at: who wrote, never what. */
import { signal } from '@preact/signals'
import { go, to } from '../app/routes.ts'
import type { Store } from './store.ts'

const KEY = 'sotto.notify'

/** Whether the user wants them, and the browser allows them. */
export const notifying = signal(false)

const allowed = (): boolean => 'Notification' in globalThis && Notification.permission === 'granted'

export function loadNotify(storage: Storage): void {
  notifying.value = storage.getItem(KEY) === 'yes' && allowed()
}

/** Asks the browser where it was not asked yet; whether they are on afterwards. */
export async function setNotify(on: boolean, storage: Storage): Promise<boolean> {
  if (on && 'Notification' in globalThis && !allowed()) await Notification.requestPermission()
  notifying.value = on && allowed()
  storage.setItem(KEY, notifying.value ? 'yes' : 'no')
  return notifying.value
}

export function notify(store: Store, contact: string): void {
  const muted = store.conversations.value.some((chat) => chat.contact === contact && chat.muted)
  if (!notifying.value || muted || (document.visibilityState === 'visible' && document.hasFocus())) return
  const note = new Notification('Sotto', { body: `New message from ${store.nameOf(contact)}`, tag: contact })
  note.addEventListener('click', () => {
    window.focus()
    go(to.chat(contact))
    note.close()
  })
}
