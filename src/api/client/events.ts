import type { ConsumerView, EventsPart, EventView } from '../application/events.ts'
import type { Requests } from './transport.ts'
import { pathOf } from './transport.ts'

export interface EventPage {
  readonly events: readonly EventView[]
  readonly first: number
  readonly last: number
  /** Numbers after `since` that are no longer kept. */
  readonly gap: { readonly from: number; readonly to: number } | null
}

export interface EventCalls extends Omit<EventsPart, 'eventsSince' | 'onEvent'> {
  /** With `waitSeconds` (≤ 30) an empty answer is held back until something happens. */
  eventsSince(since: number, limit: number, waitSeconds?: number, types?: readonly string[]): Promise<EventPage>
  /** What the consumer has not acknowledged yet, from the oldest on. */
  eventsFor(consumer: string, limit: number, waitSeconds?: number): Promise<EventPage>
  /** A consumer as it is. Throws NotFoundError. */
  consumerNow(name: string): Promise<ConsumerView>
}

export function eventCalls(requests: Requests): EventCalls {
  const { get, list, post, put } = requests
  return {
    eventsSince: (since, limit, wait = 0, types) => get('/events', { since, limit, wait, types: types?.join(',') }),
    eventsFor: (consumer, limit, wait = 0) => get('/events', { consumer, limit, wait }),
    consumers: () => list('/events/consumers'),
    consumer: (name, input = {}) => put(pathOf`/events/consumers/${name}`, input),
    consumerNow: (name) => get(pathOf`/events/consumers/${name}`),
    acknowledge: (name, number) => post(pathOf`/events/consumers/${name}/ack`, { number }),
    removeConsumer: (name) => requests.delete(pathOf`/events/consumers/${name}`),
  }
}
