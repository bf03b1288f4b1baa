/**
 * The reading end of an event stream: reconnects and resumes by number, over whatever line there is. For programs and the page
 * alike: nothing here needs more than a browser has.
 */
import { DaemonError, LockedError, UsageError } from '../../lib/errors.ts'
import type { EventView } from '../application/events.ts'
import type { LiveEvent } from '../application/live.ts'

export type StreamItem =
  | { readonly type: 'hello'; readonly first: number; readonly last: number; readonly since: number }
  | { readonly type: 'event'; readonly event: EventView }
  | { readonly type: 'gap'; readonly from: number; readonly to: number }
  /** Nothing up to this number was asked for. */
  | { readonly type: 'passed'; readonly number: number }
  | { readonly type: 'live'; readonly event: LiveEvent }

/** Where to begin, and what is wanted: without `types` all events and what is live. */
export interface Following {
  readonly since?: number
  /** After what this consumer acknowledged. What it has not comes again with every new line. */
  readonly consumer?: string
  /** `message:received`, all of a noun (`message`), or `live`. */
  readonly types?: readonly string[]
}

/** One connection, as far as it goes. */
export interface Line {
  items(): AsyncGenerator<StreamItem>
  /** Why it ended: a code of RFC 6455 or ours; 0 before. */
  readonly closeCode: number
}
/** Opens a line to a path below `/api/v1`. */
export type OpenLine = (path: string, signal?: AbortSignal) => Line

const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 2_000
/** What a line keeps for a reader that is behind. */
export const LINE_ITEMS_MAX = 1_000

/**
 * Every event from the beginning that was asked for, then those to come, in order and without loss, over dropped connections and
 * restarts of the daemon. Ends when `signal` fires. A connection that fails before the first hello is an error; later ones
 * are retried. Throws DaemonError, LockedError, UsageError for a token that is not valid.
 */
export async function* follow(open: OpenLine, following: Following, signal?: AbortSignal): AsyncGenerator<StreamItem> {
  let cursor = following.since ?? 0
  let greeted = false
  let delayMs = RETRY_FIRST_MS
  const stopped = (): boolean => signal?.aborted === true
  while (!stopped()) {
    const line = open(pathFor(following, cursor), signal)
    for await (const item of line.items()) {
      greeted = true
      delayMs = RETRY_FIRST_MS
      cursor = reached(item, cursor)
      yield item
    }
    if (stopped()) return
    const refusal = refusalOf(line.closeCode)
    if (refusal !== undefined) throw refusal
    if (!greeted) throw new DaemonError('the event stream cannot be opened; is the daemon running?')
    await rest(delayMs, signal)
    delayMs = Math.min(RETRY_MAX_MS, delayMs * 2)
  }
}

function pathFor({ consumer, types }: Following, cursor: number): string {
  const query = new URLSearchParams(consumer === undefined ? { since: String(cursor) } : { consumer })
  if (types !== undefined) query.set('types', types.join(','))
  return `/events?${query.toString()}`
}

function reached(item: StreamItem, cursor: number): number {
  if (item.type === 'event') return item.event.number
  if (item.type === 'gap') return item.to
  if (item.type === 'passed') return item.number
  // A log that is shorter than what was seen is another one: its home was restored.
  return item.type === 'hello' ? Math.min(cursor, item.last) : cursor
}

function refusalOf(code: number): Error | undefined {
  if (code === 4401) return new UsageError('the API token is no longer valid; run the command again')
  if (code === 4423) return new LockedError('the keys are sealed; run: sotto unlock')
  return undefined
}

/** What came and was not taken yet, and the end of it. */
export class Arrivals {
  readonly #items: StreamItem[] = []
  readonly #hungry: () => void
  #ended = false
  #wake = (): void => {}

  /** @param hungry called when everything was taken. */
  constructor(hungry: () => void = () => {}) {
    this.#hungry = hungry
  }

  get size(): number {
    return this.#items.length
  }

  add(text: string): void {
    this.#items.push(JSON.parse(text) as StreamItem)
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  async *taken(): AsyncGenerator<StreamItem> {
    for (;;) {
      const item = this.#items.shift()
      if (item !== undefined) yield item
      else if (this.#ended) return
      else await this.#more()
    }
  }

  async #more(): Promise<void> {
    this.#hungry()
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }
}

/** Resolves after `delayMs`, or when the signal fires. */
export async function rest(delayMs: number, signal?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, delayMs)
    signal?.addEventListener('abort', done, { once: true })
  })
}
