import { NotFoundError } from '../../lib/errors.ts'
import type { Application } from '../application/application.ts'
import type { ConsumerView } from '../application/events.ts'
import type { EventPage } from '../event-log.ts'
import { readLog, wantsOf } from '../event-log.ts'
import { Bell, startOf } from '../event-pump.ts'
import type { Route } from '../route.ts'
import { ByteAnswer, given, list, route } from '../route.ts'
import * as schema from './events-schemas.ts'

const LIMIT = 100
/** Also the path of the WebSocket. */
export const EVENTS_PATH = '/events'
/** An answer that was held back longest, and time to write it. */
const POLL_MS = 40_000

/** Numbered facts. With `wait`, an empty answer is held back until something happens (long poll). */
const readingRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: EVENTS_PATH,
    group: 'read',
    deadlineMs: POLL_MS,
    query: schema.events,
    async work({ application, query, signal, pause }): Promise<EventPage> {
      const { limit = LIMIT, wait = 0, types } = query
      const wants = types === undefined ? undefined : wantsOf(types)
      const read = async (after: number): Promise<EventPage> => readLog(application, after, limit, wants)
      const since = await startOf(application, query)
      if (wait === 0) return read(since)
      return heldBack(application, read, since, async (over) => pause(wait * 1_000, AbortSignal.any([signal, over])))
    },
  }),
  route({
    method: 'GET',
    path: '/events/stream',
    group: 'read',
    deadlineMs: Number.POSITIVE_INFINITY,
    query: schema.stream,
    async work({ query, streams, bearer = '', lastEventId, signal, hangUp }) {
      // A consumer's place is what it acknowledged, not what once was on its way to it.
      const { since, consumer, types } = query
      const seen = consumer === undefined ? (lastEventId ?? since) : undefined
      const reading = { since: seen, consumer, types }
      return new ByteAnswer('text/event-stream', streams.serve(reading, bearer, signal, hangUp))
    },
  }),
]

/** Readers that the daemon remembers, of this token (see `consumers.ts`). To read is to have read: a token for reading acknowledges too. */
const consumerRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/events/consumers',
    group: 'read',
    work: async (call) => list(await call.application.consumers()),
  }),
  route({
    method: 'GET',
    path: '/events/consumers/:name',
    group: 'read',
    params: schema.byName,
    async work({ application, params }): Promise<ConsumerView> {
      const found = (await application.consumers()).find(({ name }) => name === params.name)
      if (found === undefined) throw new NotFoundError('no such consumer')
      return found
    },
  }),
  route({
    method: 'PUT',
    path: '/events/consumers/:name',
    group: 'read',
    scope: 'read',
    params: schema.byName,
    body: schema.makeConsumer,
    work: ({ application, params, body }) => application.consumer(params.name, given(body ?? {})),
  }),
  route({
    method: 'POST',
    path: '/events/consumers/:name/ack',
    group: 'read',
    scope: 'read',
    params: schema.byName,
    body: schema.acknowledge,
    work: ({ application, params, body }) => application.acknowledge(params.name, body.number),
  }),
  route({
    method: 'DELETE',
    path: '/events/consumers/:name',
    group: 'write',
    scope: 'read',
    status: 204,
    params: schema.byName,
    work: ({ application, params }) => application.removeConsumer(params.name),
  }),
]

export const eventRoutes: readonly Route[] = [...readingRoutes, ...consumerRoutes]

/** Reads until there is something to tell or `pause` is over. */
async function heldBack(
  { onEvent }: Pick<Application, 'onEvent'>,
  read: (after: number) => Promise<EventPage>,
  since: number,
  pause: (over: AbortSignal) => Promise<void>,
): Promise<EventPage> {
  const bell = new Bell()
  // Listening before looking: an event between the two is not missed.
  const off = onEvent(() => {
    bell.ring()
  })
  const over = new AbortController()
  let late = false
  const end = pause(over.signal).then(() => {
    late = true
  })
  try {
    for (let page = await read(since); ; page = await read(page.next)) {
      if (page.events.length > 0 || page.gap !== null || late) return page
      if (page.next >= page.last) await Promise.race([bell.rung(), end])
      bell.reset()
    }
  } finally {
    off()
    over.abort()
  }
}
