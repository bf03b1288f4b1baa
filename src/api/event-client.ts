/** A line to the daemon's event stream in Node, over the unix socket or the loopback port; it waits for its reader. */
import { WebSocket } from 'ws'
import type { Line, OpenLine, StreamItem } from './client/follow.ts'
import { Arrivals, LINE_ITEMS_MAX } from './client/follow.ts'
import type { Endpoint } from './http.ts'

const PREFIX = '/api/v1'
const OPEN_MS = 5_000

export function nodeLine(endpoint: Endpoint, token: string): OpenLine {
  return (path, signal) => new NodeLine(urlOf(endpoint, path), token, signal)
}

class NodeLine implements Line {
  closeCode = 0
  readonly #socket: WebSocket
  readonly #arrivals = new Arrivals(() => {
    if (this.#socket.isPaused) this.#socket.resume()
  })

  constructor(url: string, token: string, signal: AbortSignal | undefined) {
    const headers = { authorization: `Bearer ${token}` }
    const socket = new WebSocket(url, { headers, handshakeTimeout: OPEN_MS, perMessageDeflate: false })
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
      this.#arrivals.add(data.toString())
      if (this.#arrivals.size >= LINE_ITEMS_MAX) socket.pause()
    })
    socket.on('close', (code) => {
      signal?.removeEventListener('abort', abort)
      if (this.closeCode === 0) this.closeCode = code
      this.#arrivals.end()
    })
  }

  async *items(): AsyncGenerator<StreamItem> {
    try {
      yield* this.#arrivals.taken()
    } finally {
      this.#socket.terminate()
    }
  }
}

function urlOf(endpoint: Endpoint, path: string): string {
  return 'socketPath' in endpoint
    ? `ws+unix:${endpoint.socketPath}:${PREFIX}${path}`
    : `ws://${endpoint.host}:${endpoint.port}${PREFIX}${path}`
}
