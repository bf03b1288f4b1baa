import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { IconButton } from './button.tsx'
import { Icon } from './icon.tsx'
import type { IconName } from './icon.tsx'

export interface MenuItem {
  readonly label: string
  readonly icon?: IconName
  readonly danger?: boolean
  readonly onPress: () => unknown
}

export interface MenuProps {
  readonly label: string
  readonly items: readonly MenuItem[]
  readonly icon?: IconName
}

/** A button with a list of commands: arrows walk, Home and End jump, Escape goes back to the button. */
export function Menu({ label, items, icon = 'more' }: MenuProps): JSX.Element {
  const [open, setOpen] = useState(false)
  const [side, setSide] = useState('')
  const root = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)

  const hide = (focus: boolean): void => {
    setOpen(false)
    if (focus) button.current?.focus()
  }

  useLayoutEffect(() => {
    const list = root.current?.querySelector('[role=menu]')
    if (list == null || button.current === null) return
    setSide(sideFor(button.current.getBoundingClientRect(), list.getBoundingClientRect()))
  }, [open])
  useEffect(() => {
    if (!open) return undefined
    const list = entries(root.current)
    list[0]?.focus()
    const outside = (event: Event): void => {
      if (event.target instanceof Node && root.current?.contains(event.target) !== true) hide(false)
    }
    document.addEventListener('pointerdown', outside)
    return () => {
      document.removeEventListener('pointerdown', outside)
    }
  }, [open])

  const onKeyDown = (event: KeyboardEvent): void => {
    const list = entries(root.current)
    const at = list.findIndex((entry) => entry === document.activeElement)
    const next = NEXT[event.key]?.(at, list.length)
    if (event.key === 'Escape' || event.key === 'Tab') hide(true)
    if (event.key === 'Escape') event.preventDefault()
    event.stopPropagation()
    if (next === undefined) return
    event.preventDefault()
    list[next]?.focus()
  }

  return (
    <div class="menu" ref={root}>
      <IconButton
        icon={icon}
        label={label}
        menu
        expanded={open}
        buttonRef={button}
        onPress={() => {
          if (open) hide(true)
          else setOpen(true)
        }}
      />
      {open && (
        <div class={`menu-list ${side}`} role="menu" aria-label={label} tabIndex={-1} onKeyDown={onKeyDown}>
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              tabIndex={-1}
              class={item.danger === true ? 'danger' : ''}
              onClick={() => {
                hide(true)
                void item.onPress()
              }}
            >
              {item.icon !== undefined && <Icon name={item.icon} />}
              {item.label}
            </button>
          ))}
        </div>
      )}
    </div>
  )
}

/** What stands at the foot of the window: the message box, in pixels. */
const FOOT = 76

/** Where there is room for the list beside its button. */
function sideFor(button: DOMRect, list: DOMRect): string {
  const above = button.bottom + list.height + FOOT > window.innerHeight && button.top > list.height ? 'above' : ''
  return button.left + list.width <= window.innerWidth ? `${above} rightwards` : above
}

const NEXT: Readonly<Record<string, (at: number, length: number) => number>> = {
  ArrowDown: (at, length) => (at + 1) % length,
  ArrowUp: (at, length) => (at - 1 + length) % length,
  Home: () => 0,
  End: (_at, length) => length - 1,
}

const entries = (root: HTMLElement | null): readonly HTMLElement[] => [
  ...(root?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? []),
]
