/** The numbered log and who reads it, for the local API. */
import type { ConsumerView, EventsPart, EventView } from '../../api/application/events.ts'
import type { Consumer } from '../../store/consumers.ts'
import type { Daemon } from '../daemon.ts'
import { eventView } from '../views.ts'
import { roomsOf } from './rooms.ts'

export function eventsPart(daemon: Daemon): EventsPart {
  return {
    async eventsSince(
      since: number,
      limit: number,
    ): Promise<{ events: readonly EventView[]; first: number; last: number }> {
      const { events } = roomsOf(daemon).store
      return { events: (await events.since(since, limit)).map(eventView), first: events.first(), last: events.last() }
    },

    onEvent(listener: (number: number) => void): () => void {
      return daemon.onEvent(listener)
    },

    async consumers(): Promise<readonly ConsumerView[]> {
      return (await roomsOf(daemon).consumers.all()).map(consumerView)
    },

    async consumer(name: string, input: { from?: number } = {}): Promise<ConsumerView> {
      return consumerView(await roomsOf(daemon).consumers.open(name, input.from))
    },

    async acknowledge(name: string, number: number): Promise<ConsumerView> {
      return consumerView(await roomsOf(daemon).consumers.acknowledge(name, number))
    },

    async removeConsumer(name: string): Promise<void> {
      await roomsOf(daemon).consumers.remove(name)
    },
  }
}

function consumerView({ name, acknowledged, createdAt, seenAt }: Consumer): ConsumerView {
  return {
    name,
    acknowledged,
    createdAt: new Date(createdAt).toISOString(),
    seenAt: new Date(seenAt).toISOString(),
  }
}
