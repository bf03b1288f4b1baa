/** Whether single letters do something outside of text fields. Off at first: who speaks to the computer would press them by speaking. */
import { signal } from '@preact/signals'

const KEY = 'sotto.keys'

export const singleKeys = signal(false)

export function loadKeys(storage: Storage): void {
  singleKeys.value = storage.getItem(KEY) === 'yes'
}
export function setSingleKeys(on: boolean, storage: Storage): void {
  singleKeys.value = on
  storage.setItem(KEY, on ? 'yes' : 'no')
}
