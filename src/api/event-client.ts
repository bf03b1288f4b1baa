/** The reading end of an event stream: reconnects and resumes by number, so its reader sees each event once. */
import { WebSocket } from 'ws'
import { DaemonError, LockedError, UsageError } from '../lib/errors.ts'
import type { EventView } from './application.ts'
import type { Endpoint } from './http.ts'

export type StreamItem =
  | { readonly type: 'hello'; readonly first: number; readonly last: number }
  | { readonly type: 'event'; readonly event: EventView }
  | { readonly type: 'gap'; readonly from: number; readonly to: number }

const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 2_000
const QUEUE_MAX = 1_000
const OPEN_MS = 5_000

/** See `ApiClient.events`. A connection that fails before the first hello is an error; later ones are retried. */
export async function* followEvents(
  endpoint: Endpoint,
  token: string,
  since: number,
  signal?: AbortSignal,
): AsyncGenerator<StreamItem> {
  let cursor = since
  let greeted = false
  let delayMs = RETRY_FIRST_MS
  const stopped = (): boolean => signal?.aborted === true
  while (!stopped()) {
    const stream = new Stream(endpoint, token, cursor, signal)
    for await (const item of stream.items()) {
      greeted = true
      delayMs = RETRY_FIRST_MS
      if (item.type === 'hello') cursor = Math.min(cursor, item.last)
      if (item.type === 'gap') cursor = item.to
      if (item.type === 'event') cursor = item.event.number
      yield item
    }
    if (stopped()) return
    const refusal = refusalOf(stream.closeCode)
    if (refusal !== undefined) throw refusal
    if (!greeted) throw new DaemonError('the event stream cannot be opened; is the daemon running?')
    await rest(delayMs, signal)
    delayMs = Math.min(RETRY_MAX_MS, delayMs * 2)
  }
}

function refusalOf(code: number): Error | undefined {
  if (code === 4401) return new UsageError('the API token is no longer valid; run the command again')
  if (code === 4423) return new LockedError('the keys are sealed; run: sotto unlock')
  return undefined
}

/** One connection, as far as it goes. */
class Stream {
  closeCode = 0
  readonly #socket: WebSocket
  readonly #queue: StreamItem[] = []
  #ended = false
  #wake = (): void => {}

  constructor(endpoint: Endpoint, token: string, since: number, signal?: AbortSignal) {
    const headers = { authorization: `Bearer ${token}` }
    const socket = new WebSocket(urlOf(endpoint, since), {
      headers,
      handshakeTimeout: OPEN_MS,
      perMessageDeflate: false,
    })
    this.#socket = socket
    const abort = (): void => {
      socket.terminate()
    }
    signal?.addEventListener('abort', abort, { once: true })
    socket.on('unexpected-response', (_request, response) => {
      this.closeCode = response.statusCode === 401 ? 4401 : 0
      socket.terminate()
    })
    socket.on('error', () => {
      socket.terminate()
    })
    socket.on('message', (data) => {
      // oxlint-disable-next-line typescript/no-base-to-string -- a Buffer under the default binaryType
      this.#queue.push(JSON.parse(data.toString()) as StreamItem)
      if (this.#queue.length >= QUEUE_MAX) socket.pause()
      this.#wake()
    })
    socket.on('close', (code) => {
      signal?.removeEventListener('abort', abort)
      if (this.closeCode === 0) this.closeCode = code
      this.#ended = true
      this.#wake()
    })
  }

  async *items(): AsyncGenerator<StreamItem> {
    try {
      for (;;) {
        const item = this.#queue.shift()
        if (item !== undefined) yield item
        else if (this.#ended) return
        else await this.#more()
      }
    } finally {
      this.#socket.terminate()
    }
  }

  async #more(): Promise<void> {
    if (this.#socket.isPaused) this.#socket.resume()
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }
}

function urlOf(endpoint: Endpoint, since: number): string {
  const path = `/api/v1/events?since=${since}`
  return 'socketPath' in endpoint
    ? `ws+unix:${endpoint.socketPath}:${path}`
    : `ws://${endpoint.host}:${endpoint.port}${path}`
}

async function rest(delayMs: number, signal?: AbortSignal): Promise<void> {
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
