import type { Application, EventView } from '../application.ts'
import type { Route } from '../route.ts'
import { route } from '../route.ts'
import * as schema from '../schemas.ts'

const LIMIT = 100
/** Also the path of the WebSocket. */
export const EVENTS_PATH = '/events'

interface EventPage {
  readonly events: readonly EventView[]
  readonly first: number
  readonly last: number
}

/** Numbered facts. With `wait`, an empty answer is held back until something happens (long poll). */
export const eventRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: EVENTS_PATH,
    group: 'read',
    query: schema.events,
    async work({ application, query, signal, pause }) {
      const { since = 0, limit = LIMIT, wait = 0 } = query
      const arrival = new AbortController()
      // Listening before looking: an event between the two is not missed.
      const off = application.onEvent(() => {
        arrival.abort()
      })
      try {
        const page = await application.eventsSince(since, limit)
        if (page.events.length > 0 || wait === 0) return toPage(page, since)
        await pause(wait * 1_000, AbortSignal.any([signal, arrival.signal]))
        // A caller ahead of this log (its home was restored) is taken back to its end.
        const from = Math.min(since, page.last)
        return toPage(await application.eventsSince(from, limit), from)
      } finally {
        off()
      }
    },
  }),
]

/** The page, and which numbers after `since` are no longer kept (null: none is missing). */
function toPage(page: EventPage, since: number): EventPage & { readonly gap: Gap | null } {
  return { events: page.events, first: page.first, last: page.last, gap: gapAfter(since, page) }
}

export interface Gap {
  readonly from: number
  readonly to: number
}

/** The numbers between what a reader has seen and what is still kept. */
export function gapAfter(since: number, page: Awaited<ReturnType<Application['eventsSince']>>): Gap | null {
  // Events may be trimmed while a page is read: what it does hold is not missing.
  const next = page.events[0]?.number ?? page.last + 1
  const to = Math.min(page.first, next) - 1
  return to > since ? { from: since + 1, to } : null
}
