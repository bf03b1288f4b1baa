import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { Button, IconButton } from '../../parts/button.tsx'
import { useStore } from '../../state/context.ts'
import { dayName } from '../../words/time.ts'
import { dayGroups, firstUnread, isRun } from './day-groups.ts'
import type { Desk } from './desk.ts'
import { MessageItem } from './message-item.tsx'
import { OutgoingItem } from './outgoing-item.tsx'
import { ScrollKeeper } from './scroll-keeper.ts'

/** How near to the oldest message the ones before it are asked for, in pixels. */
const NEAR_TOP = 700

export function MessageList({ desk }: { desk: Desk }): JSX.Element {
  const store = useStore()
  const thread = store.thread(desk.contact)
  const messages = thread.messages.value
  const sending = store.outgoing.list.value
  const outgoing = sending.filter(({ contact }) => contact === desk.contact)
  const chat = store.conversations.value.find(({ contact }) => contact === desk.contact)
  const box = useRef<HTMLDivElement>(null)
  const keeper = useRef(new ScrollKeeper()).current
  const atEnd = useSignal(true)
  const shown = useRef<object | null>(null)
  const divider = useRef<string | null | undefined>(undefined)
  if (thread.ready.value && divider.current === undefined) divider.current = firstUnread(messages, chat?.unread ?? 0)

  const settle = (): void => {
    const element = box.current
    if (element === null || !thread.ready.value) return
    keeper.note(element)
    atEnd.value = keeper.atEnd
    if (element.scrollTop < NEAR_TOP) void store.attempt(() => thread.loadOlder())
    if (keeper.atEnd && !thread.detached.value) void markRead()
  }
  const markRead = async (): Promise<void> => {
    const unread = store.conversations.value.find(({ contact }) => contact === desk.contact)
    if (unread === undefined || (unread.unread === 0 && !unread.markedUnread)) return
    if (document.visibilityState !== 'visible' || !document.hasFocus()) return
    const last = thread.messages.value.findLast((message) => !message.outgoing)
    if (last !== undefined) await store.attempt(() => store.api.markRead(desk.contact, { upTo: last.id }))
  }

  useLayoutEffect(() => {
    const element = box.current
    if (element === null || !thread.ready.value) return
    keeper.place(element, divider.current ?? null)
    settle()
  }, [messages, sending, thread.ready.value])
  useEffect(() => {
    const again = (): void => {
      settle()
    }
    window.addEventListener('focus', again)
    document.addEventListener('visibilitychange', again)
    const sizes = new ResizeObserver(() => {
      if (box.current !== null) keeper.hold(box.current)
    })
    const element = box.current
    if (element !== null) sizes.observe(element)
    element?.addEventListener('keydown', walk)
    return () => {
      window.removeEventListener('focus', again)
      document.removeEventListener('visibilitychange', again)
      sizes.disconnect()
      element?.removeEventListener('keydown', walk)
    }
  }, [])
  // The counter may come after the message itself.
  useEffect(settle, [chat?.unread])
  useEffect(() => {
    const target = desk.target.value
    if (target === null || target === shown.current || box.current === null) return
    if (keeper.show(box.current, target.id)) shown.current = target
  }, [desk.target.value, messages])

  const toEnd = async (): Promise<void> => {
    if (thread.detached.value) await store.attempt(() => thread.backToNewest())
    keeper.atEnd = true
    if (box.current !== null) keeper.hold(box.current)
  }

  return (
    <div class="messages-frame">
      <div class="messages" ref={box} onScroll={settle} role="region" aria-label="Messages" tabIndex={-1}>
        {thread.loading.value && (
          <p class="quiet centred" role="status">
            Loading older messages…
          </p>
        )}
        {thread.complete.value && (
          <p class="quiet centred">The conversation begins here. Only the two of you can read it.</p>
        )}
        {dayGroups(messages).map((group) => (
          <section key={group.day} class="day" aria-label={dayName(group.at, Date.now())}>
            <h2 class="day-name">{dayName(group.at, Date.now())}</h2>
            <ul>
              {group.messages.map((message, at) => (
                <li key={message.id} data-message={message.id}>
                  {message.id === divider.current && (
                    <div class="divider" role="separator" aria-label="New messages">
                      <span aria-hidden="true">New messages</span>
                    </div>
                  )}
                  <MessageItem
                    message={message}
                    desk={desk}
                    run={isRun(group.messages[at - 1], message)}
                    last={message.id === messages.at(-1)?.id}
                  />
                </li>
              ))}
            </ul>
          </section>
        ))}
        {outgoing.length > 0 && (
          <ul class="day" aria-label="Being sent">
            {outgoing.map((message) => (
              <OutgoingItem key={message.key} message={message} desk={desk} />
            ))}
          </ul>
        )}
      </div>
      {thread.detached.value ? (
        <div class="to-end wide">
          <Button icon="down" onPress={toEnd}>
            These are older messages: go to the newest
          </Button>
        </div>
      ) : (
        !atEnd.value && (
          <div class="to-end">
            <IconButton icon="down" label="Go to the newest message" onPress={toEnd} />
            {(chat?.unread ?? 0) > 0 && <span class="badge">{chat?.unread}</span>}
          </div>
        )
      )}
    </div>
  )
}

/** Arrows walk from message to message, Enter opens the options of the one that has the focus. */
function walk(event: KeyboardEvent): void {
  const { target, key } = event
  if (!(target instanceof HTMLElement) || !target.matches('article')) return
  if (key === 'Enter') {
    event.preventDefault()
    target.querySelector<HTMLElement>('[aria-haspopup=menu]')?.click()
  }
  if (key !== 'ArrowUp' && key !== 'ArrowDown') return
  event.preventDefault()
  const all = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('article')]
  all[all.indexOf(target) + (key === 'ArrowUp' ? -1 : 1)]?.focus()
}
