import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { IconButton } from '../parts/button.tsx'
import { Icon } from '../parts/icon.tsx'
import { useStore } from '../state/context.ts'

/** While one of them has the focus or the pointer none goes by itself; when the last is dismissed the focus goes back. */
export function NoticeList(): JSX.Element {
  const { notices } = useStore()
  const region = useRef<HTMLDivElement>(null)
  const before = useRef<EventTarget | null>(null)
  const isInside = (target: EventTarget | null): boolean =>
    target instanceof Node && region.current?.contains(target) === true
  const dismiss = (key: number, at: number): void => {
    const others = [...(region.current?.querySelectorAll<HTMLElement>('button') ?? [])].filter((_, i) => i !== at)
    notices.dismiss(key)
    const next = others[Math.min(at, others.length - 1)] ?? placeFor(before.current)
    next?.focus()
  }
  useEffect(() => {
    const here = new AbortController()
    const on = (type: string, act: (event: Event) => void): void => {
      region.current?.addEventListener(type, act, { signal: here.signal })
    }
    on('mouseenter', () => {
      notices.hold()
    })
    on('mouseleave', () => {
      notices.release()
    })
    on('focusin', (event) => {
      const from = cameFrom(event)
      if (!isInside(from)) before.current = from
      notices.hold()
    })
    on('focusout', (event) => {
      if (!isInside(cameFrom(event))) notices.release()
    })
    return () => {
      here.abort()
    }
  }, [])
  return (
    <div class="notices" role="region" aria-label="Notices" ref={region}>
      {notices.list.value.map(({ key, kind, text, next }, at) => (
        <div key={key} class={`notice ${kind}`} role={kind === 'fault' ? 'alert' : 'status'}>
          <Icon name={ICONS[kind]} />
          <p>
            {text} {next}
          </p>
          <IconButton
            icon="cross"
            label="Dismiss"
            onPress={() => {
              dismiss(key, at)
            }}
          />
        </div>
      ))}
    </div>
  )
}

/** The other end of a move of the focus. */
const cameFrom = (event: Event): EventTarget | null => (event as FocusEvent).relatedTarget

const ICONS = { done: 'check', fault: 'warning', news: 'bell' } as const

/** Where the focus was, or the screen's title. */
function placeFor(before: EventTarget | null): HTMLElement | null {
  if (before instanceof HTMLElement && before.isConnected) return before
  return document.querySelector<HTMLElement>('main h1[tabindex], #main')
}
