import type { JSX } from 'preact'

/** Strokes on a 24 × 24 field. */
const PATHS = {
  chats: 'M4 5h16v11H9l-5 4z',
  people:
    'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14.5a6 6 0 0 1 3.5 5.5',
  network:
    'M12 3v4M12 17v4M3 12h4M17 12h4M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM6 6l2.5 2.5M15.500 15.500 18 18M18 6l-2.500 2.500M8.500 15.500 6 18',
  settings:
    'M4 7h9M17 7h3M4 17h3M11 17h9M15 9.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5zM9 19.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5z',
  guide:
    'M4 5.500A2.500 2.500 0 0 1 6.500 3H20v15H6.500A2.500 2.500 0 0 0 4 20.500zM4 20.500A2.500 2.500 0 0 0 6.500 21H20v-3',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16.500 16.500 21 21',
  plus: 'M12 5v14M5 12h14',
  back: 'M15 5l-7 7 7 7',
  more: 'M5.500 12h.01M12 12h.01M18.500 12h.01',
  lock: 'M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3',
  send: 'M4 12 20 4l-5 16-3.500-6.500zM11.500 13.500 20 4',
  reply: 'M9 6 4 11l5 5M4 11h9a6 6 0 0 1 6 6v1',
  smile: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8.500 14.500a4.500 4.500 0 0 0 7 0M9 9.500h.01M15 9.500h.01',
  star: 'm12 3.500 2.600 5.500 5.900.800-4.300 4.100 1.100 5.900L12 16.900 6.700 19.800l1.100-5.900L3.500 9.800l5.900-.800z',
  pin: 'M9 3h6l-1 6 3.500 4h-11L10 9zM12 13v8',
  mute: 'M4 4l16 16M6.500 10.500V15L5 17h11M9 5.500A5 5 0 0 1 17 10v3M10.500 20h3',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3 2',
  tray: 'M4 13l2.500-8h11L20 13v6H4zM4 13h5a3 3 0 0 0 6 0h5',
  check: 'm5 12.500 4.500 4.500L19 7.500',
  checks: 'm2 12.500 4.500 4.500L14 9M10.500 16.500l.500.500L22 7',
  cross: 'M6 6l12 12M18 6 6 18',
  undo: 'M8 5 4 9l4 4M4 9h9a6 6 0 0 1 0 12h-3',
  warning: 'M12 4 2.500 20h19zM12 10v4M12 17h.01',
  shield:
    'M12 3l7.500 3v5.500c0 4.500-3 8-7.500 9.500-4.500-1.500-7.500-5-7.500-9.500V6zM8.500 12l2.500 2.500 4.500-4.500',
  copy: 'M9 9h11v11H9zM15 9V4H4v11h5',
  down: 'M12 5v14M6 13l6 6 6-6',
  bell: 'M6 16V11a6 6 0 0 1 12 0v5l1.500 2h-15zM10.500 21h3',
  timer: 'M12 21a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 9v4M10 2h4',
  keyboard: 'M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M8 14h8',
} as const

export type IconName = keyof typeof PATHS

/** Never the only carrier of a meaning: words stand beside it, or name its button. */
export function Icon({ name, class: extra = '' }: { name: IconName; class?: string }): JSX.Element {
  return (
    <svg class={`icon icon-${name} ${extra}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  )
}
