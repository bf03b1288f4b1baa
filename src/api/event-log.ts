/** Reading the numbered log for one who wants all of it, or some kinds only: what was passed over moves the reader on too. */
import type { Application } from './application/application.ts'
import type { EventView } from './application/events.ts'

/** Events looked at by one answer with a filter at most: the rest is the next answer's. */
const SCANNED_MAX = 10_000
const SCAN = 1_000

type Log = Pick<Application, 'eventsSince'>

export interface Gap {
  readonly from: number
  readonly to: number
}

export interface EventPage {
  readonly events: readonly EventView[]
  readonly first: number
  readonly last: number
  /** Numbers after `since` that are no longer kept; null where none is missing. */
  readonly gap: Gap | null
  /** Everything up to this number was looked at: go on after it. */
  readonly next: number
}

/** Whether a reader wants events of a type: all, those of a noun (`message`), or one (`message:received`). */
export type Wants = (type: string) => boolean

/** No list: everything. */
export function wantsOf(types: readonly string[] | undefined): Wants {
  if (types === undefined) return () => true
  const wanted = new Set(types)
  return (type) => wanted.has(type) || wanted.has(type.slice(0, Math.max(0, type.indexOf(':'))))
}

/** Up to `limit` events after `since` that are wanted. A reader ahead of the log is taken back to its end. */
export async function readLog(log: Log, since: number, limit: number, wants: Wants | undefined): Promise<EventPage> {
  const events: EventView[] = []
  const size = wants === undefined ? limit : Math.max(limit, SCAN)
  for (let from = since, looked = 0; ;) {
    const page = await log.eventsSince(from, size)
    const { first, last } = page
    const gap = gapAfter(from, page)
    // A gap is told at the beginning of an answer, so that it never stands behind events.
    if (gap !== null && looked > 0) return { events, first, last, gap: null, next: from }
    const taken = page.events.filter(({ type }) => wants?.(type) ?? true).slice(0, limit - events.length)
    events.push(...taken)
    looked += page.events.length
    const full = events.length >= limit
    const end = full ? events.at(-1)?.number : page.events.at(-1)?.number
    const next = end ?? gap?.to ?? Math.min(from, last)
    const over = full || page.events.length < size || looked >= SCANNED_MAX || wants === undefined
    if (over || gap !== null) return { events, first, last, gap, next }
    from = next
  }
}

/** The numbers between what a reader has seen and what is still kept. */
export function gapAfter(since: number, page: Awaited<ReturnType<Application['eventsSince']>>): Gap | null {
  // Events may be trimmed while a page is read: what it does hold is not missing.
  const next = page.events[0]?.number ?? page.last + 1
  const to = Math.min(page.first, next) - 1
  return to > since ? { from: since + 1, to } : null
}
