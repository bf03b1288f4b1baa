/**
 * A bot's loop: every event handed over once it can be, acknowledged once it was handled. A process that is killed in between is
 * handed the same event again, so a handler whose work must count once keys it by the event's number.
 */
import { LimitError, NotFoundError, RateError, UsageError } from '../../lib/errors.ts'
import type { ConsumerView, EventView } from '../application/events.ts'
import type { Following, StreamItem } from './follow.ts'
import { rest } from './follow.ts'

export interface Consuming {
  readonly name: string
  /** Where a new consumer begins; without it at the end of the log. */
  readonly from?: number
  readonly types?: readonly string[]
  readonly signal?: AbortSignal
  /** These numbers were trimmed before the consumer came for them. */
  readonly onGap?: (gap: { readonly from: number; readonly to: number }) => void
}

export interface ConsumingClient {
  consumer(name: string, input?: { from?: number }): Promise<ConsumerView>
  acknowledge(name: string, number: number): Promise<ConsumerView>
  follow(following: Following, signal?: AbortSignal): AsyncGenerator<StreamItem>
}

const AGAIN_MS = 250

/**
 * Hands events to `handler` one after another, in order, each once in the life of this process. Resolves when `signal` fires.
 * Throws what the handler throws (the event is then not acknowledged), and what `follow` throws.
 */
export async function consume(
  client: ConsumingClient,
  options: Consuming,
  handler: (event: EventView) => Promise<void> | void,
): Promise<void> {
  const { name, from, types, signal, onGap } = options
  await client.consumer(name, from === undefined ? {} : { from })
  const acks = new Acks(client, name)
  let done = 0
  try {
    for await (const item of client.follow({ consumer: name, ...(types === undefined ? {} : { types }) }, signal)) {
      if (item.type === 'live') continue
      if (item.type === 'hello') done = Math.min(Math.max(done, item.since), item.last)
      if (item.type === 'gap') onGap?.({ from: item.from, to: item.to })
      if (item.type === 'event' && item.event.number > done) await handler(item.event)
      done = Math.max(done, numberOf(item))
      acks.raise(done)
    }
  } finally {
    await acks.close()
  }
}

function numberOf(item: Exclude<StreamItem, { readonly type: 'live' }>): number {
  if (item.type === 'event') return item.event.number
  if (item.type === 'gap') return item.to
  return item.type === 'passed' ? item.number : 0
}

/** Acknowledges the newest number, one request at a time: what is handled meanwhile goes with the next one. */
class Acks {
  readonly #client: ConsumingClient
  readonly #name: string
  readonly #closing = new AbortController()
  #wanted = 0
  #told = 0
  #running: Promise<void> | undefined

  constructor(client: ConsumingClient, name: string) {
    this.#client = client
    this.#name = name
  }

  raise(number: number): void {
    this.#wanted = number
    if (number > this.#told) this.#running ??= this.#run()
  }

  /** Waits for the last one, but not for a daemon that is away: it hands out again what it did not hear of. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#wanted > this.#told) {
      const number = this.#wanted
      try {
        await this.#client.acknowledge(this.#name, number)
        this.#told = number
      } catch (error) {
        if (this.#closing.signal.aborted || isFinal(error)) break
        await rest(error instanceof RateError ? Math.max(AGAIN_MS, error.retryAfterMs) : AGAIN_MS, this.#closing.signal)
      }
    }
    this.#running = undefined
  }
}

/** Asking again would not help; the events come again with the next line. */
function isFinal(error: unknown): boolean {
  return error instanceof UsageError || error instanceof NotFoundError || error instanceof LimitError
}
