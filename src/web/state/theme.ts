/** Light, dark, or as the system has it; the only thing besides the token that the browser keeps. */
import { signal } from '@preact/signals'

export type Theme = 'auto' | 'light' | 'dark'
const KEY = 'sotto.theme'

export const theme = signal<Theme>('auto')

export function loadTheme(storage: Storage, root: HTMLElement): void {
  const kept = storage.getItem(KEY)
  setTheme(kept === 'light' || kept === 'dark' ? kept : 'auto', storage, root)
}
export function setTheme(next: Theme, storage: Storage, root: HTMLElement): void {
  theme.value = next
  root.dataset['theme'] = next
  storage.setItem(KEY, next)
}
