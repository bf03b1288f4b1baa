/**
 * One line from the durable log to a reader, whatever carries it: read, write out no faster than the reader takes it, wait
 * for the bell, read on. So replay and live are one line, nothing is lost between them, and the most that is ever buffered
 * for a slow reader is one batch.
 */
import type { Application } from './application/application.ts'
import type { EventView } from './application/events.ts'
import type { LiveEvent } from './application/live.ts'
import { readLog, wantsOf } from './event-log.ts'

/** How live events are asked for in a list of types. */
const LIVE = 'live'
const BATCH = 128

export type Frame =
  | { readonly type: 'hello'; readonly first: number; readonly last: number; readonly since: number }
  | { readonly type: 'event'; readonly event: EventView }
  /** These numbers are no longer kept. */
  | { readonly type: 'gap'; readonly from: number; readonly to: number }
  /** With a filter: nothing up to this number was wanted. */
  | { readonly type: 'passed'; readonly number: number }
  /** What is true now; never numbered, never kept. */
  | { readonly type: 'live'; readonly event: LiveEvent }

/** Where a reader begins and what it wants. */
export interface Reading {
  readonly since?: number | undefined
  /** Begins after what this consumer has acknowledged; it is made where it is new. */
  readonly consumer?: string | undefined
  readonly types?: readonly string[] | undefined
}

/** Where frames go. */
export interface Sink {
  readonly open: boolean
  /** Resolves when the reader keeps up again. */
  send(frame: Frame): Promise<void>
  /** Sends it if the reader keeps up; drops it otherwise. */
  offer(frame: Frame): void
  /** Calls back once when it is over; the returned function calls it off. */
  onEnd(listener: () => void): () => void
}

/** The number after which a reader begins. */
export async function startOf(application: Application, reading: Reading): Promise<number> {
  if (reading.consumer === undefined) return reading.since ?? 0
  return (await application.consumer(reading.consumer)).acknowledged
}

/** Resolves when the sink is over. Throws what the application throws, LockedError above all. */
export async function pump(application: Application, reading: Reading, sink: Sink): Promise<void> {
  const bell = new Bell()
  const ring = (): void => {
    bell.ring()
  }
  const stops = [application.onEvent(ring), sink.onEnd(ring)]
  try {
    let cursor = await startOf(application, reading)
    const first = await application.eventsSince(cursor, 1)
    cursor = Math.min(cursor, first.last)
    await sink.send({ type: 'hello', first: first.first, last: first.last, since: cursor })
    if (reading.types?.includes(LIVE) ?? true) {
      stops.push(
        application.onLive((event) => {
          sink.offer({ type: 'live', event })
        }),
      )
    }
    while (sink.open) {
      bell.reset()
      const moved = await step(application, reading, sink, cursor)
      if (moved === cursor) await bell.rung()
      cursor = moved
    }
  } finally {
    for (const stop of stops) stop()
  }
}

/** Sends the next batch; the number that the reader has reached with it. */
async function step(application: Application, { types }: Reading, sink: Sink, cursor: number): Promise<number> {
  const wants = types === undefined ? undefined : wantsOf(types)
  const page = await readLog(application, cursor, BATCH, wants)
  if (page.gap !== null) await sink.send({ type: 'gap', ...page.gap })
  for (const event of page.events) await sink.send({ type: 'event', event })
  const reached = page.events.at(-1)?.number ?? page.gap?.to ?? cursor
  if (page.next > reached) await sink.send({ type: 'passed', number: page.next })
  return Math.max(cursor, page.next)
}

/** Something to wait for that may have happened already. */
export class Bell {
  #rang = false
  #wake = (): void => {}

  reset(): void {
    this.#rang = false
  }
  ring(): void {
    this.#rang = true
    this.#wake()
  }
  async rung(): Promise<void> {
    if (this.#rang) return
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }
}
