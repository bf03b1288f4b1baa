import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { Dialog } from '../parts/dialog.tsx'
import { useStore } from '../state/context.ts'
import { singleKeys } from '../state/keys.ts'
import type { Store } from '../state/store.ts'
import { sortedChats } from '../screens/chats/order.ts'
import { go, route, to } from './routes.ts'

/** What each key does with Alt held; where the user wants it, also alone, outside of text fields. */
const KEYS: readonly (readonly [key: string, does: string])[] = [
  ['?', 'Show these keys'],
  ['/', 'Search messages and people'],
  ['n', 'Add a contact'],
  ['c', 'Chats'],
  ['p', 'Contacts (people)'],
  ['w', 'Network'],
  ['s', 'Settings'],
  ['g', 'Guide'],
  ['j / k', 'Next, previous conversation'],
  ['m', 'Go to the message box'],
  ['l', 'Lock (with Alt only)'],
]
const IN_MESSAGES: readonly (readonly [key: string, does: string])[] = [
  ['↑ ↓', 'Previous, next message'],
  ['Enter', 'Options of the message'],
  ['Esc', 'End a reply or an edit; back to the list'],
  ['Enter', 'In the box: send'],
  ['Shift + Enter', 'In the box: a new line'],
  ['↑', 'In the empty box: edit your last message'],
]

export function Shortcuts(): JSX.Element | null {
  const store = useStore()
  const shown = useSignal(false)
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const key = keyOf(event)
      if (key === undefined) return
      if (key === '?') shown.value = true
      else if (!act(key, store)) return
      event.preventDefault()
    }
    document.addEventListener('keydown', onKey)
    return () => {
      document.removeEventListener('keydown', onKey)
    }
  }, [])
  if (!shown.value) return null
  return (
    <Dialog title="Keys" onClose={() => (shown.value = false)}>
      <KeyTable title="Anywhere" keys={KEYS} />
      <KeyTable title="In a conversation" keys={IN_MESSAGES} />
      <p class="quiet">
        {singleKeys.value
          ? 'Hold Alt to use the first ones while you type.'
          : 'Hold Alt for the first ones. Without it they do nothing, unless you switch single-letter keys on in the settings.'}
      </p>
    </Dialog>
  )
}

function KeyTable({ title, keys }: { title: string; keys: typeof KEYS }): JSX.Element {
  return (
    <table class="keys">
      <caption>{title}</caption>
      <tbody>
        {keys.map(([key, does]) => (
          <tr key={does}>
            <th scope="row">
              <kbd>{key}</kbd>
            </th>
            <td>{does}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** The key that is meant for the page; undefined for all others. */
function keyOf(event: KeyboardEvent): string | undefined {
  if (event.defaultPrevented || event.repeat || event.isComposing || event.ctrlKey || event.metaKey) return undefined
  if (document.querySelector('dialog[open]') !== null) return undefined
  if (event.altKey) return withAlt(event)
  if (!singleKeys.value || isTyping(event.target)) return undefined
  // Too near to the others for what it does.
  return event.key === 'l' ? undefined : event.key
}

/** On some keyboards Alt makes another character of the key: its place says which it was. */
function withAlt({ key, code, shiftKey }: KeyboardEvent): string {
  if (key.length === 1 && key >= ' ' && key <= '~') return key.toLowerCase()
  if (code === 'Slash') return shiftKey ? '?' : '/'
  return code.replace(/^Key/, '').toLowerCase()
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [role=menuitem]')
}

/** Whether the key means something. */
function act(key: string, store: Store): boolean {
  const address = PLACES[key]
  if (address !== undefined) go(address)
  else if (key === '/') search()
  else if (key === 'j' || key === 'k') step(store, key === 'j' ? 1 : -1)
  else if (key === 'm') document.querySelector<HTMLElement>('.composer textarea')?.focus()
  else if (key === 'l') void store.attempt(() => store.lock())
  else return false
  return true
}

const PLACES: Readonly<Record<string, string>> = {
  n: to.addContact,
  c: to.chats,
  p: to.contacts,
  w: to.network,
  s: to.settings,
  g: to.guide,
}

function search(): void {
  if (route.value.screen !== 'chats') go(to.chats)
  requestAnimationFrame(() => document.querySelector<HTMLElement>('input[type=search]')?.focus())
}

function step(store: Store, by: number): void {
  const list = sortedChats(store.conversations.value)
  const now = route.value
  const at = now.screen === 'chats' ? list.findIndex(({ contact }) => contact === now.contact) : -1
  const next = list[at < 0 ? 0 : at + by]
  if (next !== undefined) go(to.chat(next.contact))
}
