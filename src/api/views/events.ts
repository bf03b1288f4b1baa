import { z } from 'zod'
import type { ConsumerView, EventView } from '../application/events.ts'
import type { LiveEvent } from '../application/live.ts'
import type { EventPage } from '../event-log.ts'
import type { Frame } from '../event-pump.ts'
import { account, count, time, viewOf } from './view.ts'

export const eventView = viewOf<EventView>()(
  z.object({ number: z.number().int().min(1), at: time, type: z.string(), data: z.unknown() }),
)

const gap = z.object({ from: count, to: count })
export const eventPage = viewOf<EventPage>()(
  z.object({ events: z.array(eventView), first: count, last: count, gap: gap.nullable(), next: count }),
)

export const consumerView = viewOf<ConsumerView>()(
  z.object({ name: z.string(), acknowledged: count, createdAt: time, seenAt: time }),
)

const liveEvent = viewOf<LiveEvent>()(
  z.discriminatedUnion('type', [
    z.object({ type: z.literal('typing'), contact: account, typing: z.boolean() }),
    z.object({ type: z.literal('presence'), contact: account, online: z.boolean() }),
  ]),
)

/** One frame of the WebSocket; on the SSE stream the `data` of one event. */
export const frameView = viewOf<Frame>()(
  z.discriminatedUnion('type', [
    z.object({ type: z.literal('hello'), first: count, last: count, since: count }),
    z.object({ type: z.literal('event'), event: eventView }),
    z.object({ type: z.literal('gap'), from: count, to: count }),
    z.object({ type: z.literal('passed'), number: count }),
    z.object({ type: z.literal('live'), event: liveEvent }),
  ]),
)
