/** Times as people say them, in the browser's own language for dates. */

const DAY_MS = 86_400_000

export const clock = (iso: string): string =>
  new Date(iso).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })

export const whole = (iso: string): string =>
  new Date(iso).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })

const dayStart = (date: Date): number => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime()
/** A day with its own name: the same for every time of it. */
export const dayKey = (iso: string): number => dayStart(new Date(iso))

/** Today, Yesterday, a weekday within the last week, or the date. */
export function dayName(iso: string, now: number): string {
  const date = new Date(iso)
  const days = Math.round((dayStart(new Date(now)) - dayStart(date)) / DAY_MS)
  if (days === 0) return 'Today'
  if (days === 1) return 'Yesterday'
  if (days > 1 && days < 7) return date.toLocaleDateString(undefined, { weekday: 'long' })
  const sameYear = new Date(now).getFullYear() === date.getFullYear()
  const year = sameYear ? {} : ({ year: 'numeric' } as const)
  return date.toLocaleDateString(undefined, { day: 'numeric', month: 'long', ...year })
}

/** In a list: the time of today, else the day. */
export const listTime = (iso: string, now: number): string => {
  const day = dayName(iso, now)
  return day === 'Today' ? clock(iso) : day
}

/** How long ago, roughly. */
export function ago(iso: string, now: number): string {
  const minutes = Math.floor((now - new Date(iso).getTime()) / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 60) return `${minutes} min ago`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours} h ago`
  const days = Math.floor(hours / 24)
  return days === 1 ? 'yesterday' : `${days} days ago`
}

const UNITS = [
  [604_800, 'week'],
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
] as const

/** 90 → "90 seconds", 3,600 → "1 hour": the largest unit that leaves nothing over. */
export function duration(seconds: number): string {
  const [size, unit] = UNITS.find(([size]) => seconds % size === 0 && seconds >= size) ?? [1, 'second']
  const count = seconds / size
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

/** Timers that a conversation can have, in seconds: 5 s to 4 weeks. */
export const TIMERS_SECONDS: readonly number[] = [5, 60, 300, 3_600, 28_800, 86_400, 604_800, 2_419_200]
