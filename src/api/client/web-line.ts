/** A line over the platform's own WebSocket: a browser sets no header there, so the first frame brings the token. */
import type { Line, OpenLine, StreamItem } from './follow.ts'
import { Arrivals, LINE_ITEMS_MAX } from './follow.ts'

const PREFIX = '/api/v1'
/** A browser's socket cannot be told to wait: a reader this far behind is cut off, and resumes by number. */
const BEHIND_MAX = 10 * LINE_ITEMS_MAX

export interface WebLineOptions {
  /** `ws://127.0.0.1:PORT`; the page's own origin where it is left out. */
  readonly origin?: string
  /** Asked before each connection. */
  readonly token: () => string | undefined
}

export function webLine(options: WebLineOptions): OpenLine {
  return (path, signal) => new WebLine(options, path, signal)
}

class WebLine implements Line {
  closeCode = 0
  readonly #socket: WebSocket
  readonly #arrivals = new Arrivals()

  constructor({ origin, token }: WebLineOptions, path: string, signal: AbortSignal | undefined) {
    const socket = new WebSocket((origin ?? location.origin.replace(/^http/, 'ws')) + PREFIX + path)
    this.#socket = socket
    const abort = (): void => {
      socket.close()
    }
    signal?.addEventListener('abort', abort, { once: true })
    socket.addEventListener('open', () => {
      socket.send(JSON.stringify({ type: 'auth', token: token() ?? '' }))
    })
    socket.addEventListener('message', ({ data }) => {
      this.#arrivals.add(String(data))
      if (this.#arrivals.size >= BEHIND_MAX) socket.close()
    })
    socket.addEventListener('close', ({ code }) => {
      signal?.removeEventListener('abort', abort)
      this.closeCode = code
      this.#arrivals.end()
    })
  }

  async *items(): AsyncGenerator<StreamItem> {
    try {
      yield* this.#arrivals.taken()
    } finally {
      this.#socket.close()
    }
  }
}
