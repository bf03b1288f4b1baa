/**
 * Event streams over WebSocket and SSE: how many there are, who may open one, and what closes them. What goes over them is
 * the pump's (`event-pump.ts`), here are the lines that it writes to.
 *
 * WebSocket frames in: `{type:'auth', token}` first, if the upgrade request had no Authorization; nothing else ever.
 */
import type { WebSocket } from 'ws'
import type { Clock } from '../lib/clock.ts'
import { nameOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { Application } from './application/application.ts'
import { ownConsumers } from './consumers.ts'
import { RequestError } from './errors.ts'
import type { Frame, Reading, Sink } from './event-pump.ts'
import { pump } from './event-pump.ts'
import { authFrame } from './schemas.ts'
import { SseSink } from './sse.ts'
import type { Caller } from './tokens.ts'

/** Why a stream was closed. 4xxx are ours; the rest is RFC 6455. */
export const CLOSE = {
  goingAway: 1001,
  unexpected: 1011,
  tooMany: 1013,
  badFrame: 4400,
  unauthorised: 4401,
  slow: 4408,
  locked: 4423,
} as const
/** The same in the last event of an SSE stream. */
const REASONS: Readonly<Record<number, string>> = {
  [CLOSE.goingAway]: 'going-away',
  [CLOSE.unexpected]: 'unexpected',
  [CLOSE.unauthorised]: 'unauthorized',
  [CLOSE.locked]: 'locked',
}

export interface StreamLimits {
  /** A first frame with the token must come within this time. */
  readonly authMs: number
  /** A consumer that takes nothing for this long is closed. */
  readonly slowMs: number
  readonly heartbeatMs: number
  readonly streamsMax: number
  /** Streams that have shown no token yet: they must not take the places of those that have. */
  readonly pendingMax: number
}
export const STREAM_LIMITS: StreamLimits = {
  authMs: 700,
  slowMs: 15_000,
  heartbeatMs: 30_000,
  streamsMax: 64,
  pendingMax: 16,
}
/** The largest frame that a client may send. */
export const FRAME_MAX_BYTES = 4_096
const HIGH_WATER_BYTES = 262_144
const GRACE_MS = 1_000
/** What waits for a reader that may no longer read is dropped. */
const DROPS: ReadonlySet<number> = new Set([CLOSE.unauthorised, CLOSE.locked])

export interface StreamOptions {
  readonly application: Application
  readonly clock: Clock
  readonly log: Logger
  readonly limits: StreamLimits
  /** Whose token it is; undefined where it is nobody's. */
  readonly ownerOf: (token: string) => Caller | undefined
}

interface Stream {
  /** Undefined until it has shown a token. */
  owner: Caller | undefined
  close(code: number): void
}

export class EventStreams {
  readonly #options: StreamOptions
  readonly #open = new Set<Stream>()
  #pending = 0

  constructor(options: StreamOptions) {
    this.#options = options
  }

  /** Those that have shown no token yet among them. */
  get size(): number {
    return this.#open.size
  }

  /** Takes over an upgraded socket. `token`: what its upgrade request carried, checked already. */
  attach(socket: WebSocket, reading: Reading, token: string | undefined): void {
    const { limits, ownerOf } = this.#options
    socket.on('error', () => {
      socket.terminate()
    })
    if (token === undefined ? this.#pending >= limits.pendingMax : this.#full()) {
      this.#close(socket, CLOSE.tooMany)
      return
    }
    const owner = token === undefined ? undefined : ownerOf(token)
    if (token !== undefined && owner === undefined) {
      // It was revoked since the upgrade was allowed.
      this.#close(socket, CLOSE.unauthorised)
      return
    }
    const stream: Stream = {
      owner,
      close: (code) => {
        this.#close(socket, code)
      },
    }
    this.#open.add(stream)
    const stopHeartbeat = this.#heartbeat(socket)
    socket.on('close', () => {
      this.#open.delete(stream)
      stopHeartbeat()
    })
    if (owner === undefined) this.#awaitToken(socket, reading, stream)
    else this.#run(socket, reading, owner)
  }

  /**
   * The text of an SSE stream; `hangUp` cuts its line. Throws RequestError 429 where there are too many streams, 401 for a token that
   * was revoked meanwhile.
   */
  serve(reading: Reading, token: string, signal: AbortSignal, hangUp: () => void): AsyncIterable<Uint8Array> {
    if (this.#full()) throw new RequestError(429, 'too-many-streams', 'too many event streams are open; close one')
    const { application, clock, limits, log, ownerOf } = this.#options
    const owner = ownerOf(token)
    if (owner === undefined) throw new RequestError(401, 'unauthorized', 'this token is good no longer')
    const sink = new SseSink(clock, limits)
    const close = (code: number): void => {
      sink.end(REASONS[code] ?? 'unexpected', DROPS.has(code))
    }
    const stream: Stream = { owner, close }
    this.#open.add(stream)
    const onAbort = (): void => {
      close(CLOSE.goingAway)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    sink.onEnd(() => {
      this.#open.delete(stream)
      signal.removeEventListener('abort', onAbort)
      // Who does not read on must not keep the line, nor what stands on it.
      if (!signal.aborted) signal.addEventListener('abort', clock.after(GRACE_MS, hangUp), { once: true })
    })
    pump(ownConsumers(application, owner), reading, sink).catch((error: unknown) => {
      const code = closeCodeFor(error, log)
      sink.fail(error, REASONS[code] ?? 'unexpected', DROPS.has(code))
    })
    return sink.chunks()
  }

  closeAll(code: number): void {
    for (const stream of this.#open) stream.close(code)
  }

  /** Closes the streams of a token that is not valid any more. */
  closeOf(owner: string): void {
    for (const stream of this.#open) if (stream.owner?.id === owner) stream.close(CLOSE.unauthorised)
  }

  #full(): boolean {
    return this.#open.size - this.#pending >= this.#options.limits.streamsMax
  }

  #awaitToken(socket: WebSocket, reading: Reading, stream: Stream): void {
    const { clock, limits, ownerOf } = this.#options
    const cancel = clock.after(limits.authMs, () => {
      this.#close(socket, CLOSE.unauthorised)
    })
    this.#pending++
    let pending = true
    const settled = (): void => {
      cancel()
      if (pending) this.#pending--
      pending = false
    }
    socket.on('close', settled)
    socket.once('message', (data) => {
      const token = tokenOf(data)
      const owner = token === undefined ? undefined : ownerOf(token)
      stream.owner = owner
      if (owner === undefined) {
        cancel()
        this.#close(socket, CLOSE.unauthorised)
        return
      }
      settled()
      if (this.#open.size - this.#pending > limits.streamsMax) this.#close(socket, CLOSE.tooMany)
      else this.#run(socket, reading, owner)
    })
  }

  #run(socket: WebSocket, reading: Reading, owner: Caller): void {
    const { application, log } = this.#options
    socket.on('message', () => {
      this.#close(socket, CLOSE.badFrame)
    })
    pump(ownConsumers(application, owner), reading, this.#sinkOf(socket)).catch((error: unknown) => {
      this.#close(socket, closeCodeFor(error, log))
    })
  }

  #sinkOf(socket: WebSocket): Sink {
    return {
      get open() {
        return socket.readyState === socket.OPEN
      },
      send: async (frame) => this.#send(socket, frame),
      offer(frame) {
        const ready = socket.readyState === socket.OPEN && socket.bufferedAmount < HIGH_WATER_BYTES
        if (ready) socket.send(JSON.stringify(frame))
      },
      onEnd(listener) {
        socket.once('close', listener)
        return () => socket.off('close', listener)
      },
    }
  }

  /** Resolves when the consumer keeps up again; closes it where it does not. */
  async #send(socket: WebSocket, frame: Frame): Promise<void> {
    if (socket.readyState !== socket.OPEN) return
    if (socket.bufferedAmount < HIGH_WATER_BYTES) {
      socket.send(JSON.stringify(frame))
      return
    }
    const { clock, limits } = this.#options
    const cancel = clock.after(limits.slowMs, () => {
      this.#close(socket, CLOSE.slow)
    })
    await new Promise<void>((resolve) => {
      socket.send(JSON.stringify(frame), () => {
        resolve()
      })
    })
    cancel()
  }

  #heartbeat(socket: WebSocket): () => void {
    const { clock, limits } = this.#options
    let alive = true
    let cancel = (): void => {}
    socket.on('pong', () => {
      alive = true
    })
    const beat = (): void => {
      if (!alive) {
        socket.terminate()
        return
      }
      alive = false
      if (socket.readyState === socket.OPEN) socket.ping()
      cancel = clock.after(limits.heartbeatMs, beat)
    }
    cancel = clock.after(limits.heartbeatMs, beat)
    return () => {
      cancel()
    }
  }

  /** Says why, then hangs up on whoever does not answer. */
  #close(socket: WebSocket, code: number): void {
    if (socket.readyState === socket.CLOSED || socket.readyState === socket.CLOSING) return
    if (DROPS.has(code) && socket.bufferedAmount > 0) {
      socket.terminate()
      return
    }
    socket.close(code)
    const cancel = this.#options.clock.after(GRACE_MS, () => {
      socket.terminate()
    })
    socket.once('close', cancel)
  }
}

function closeCodeFor(error: unknown, log: Logger): number {
  const name = nameOf(error)
  if (name === 'LockedError') return CLOSE.locked
  log.warn('event stream failed', { error: name })
  return CLOSE.unexpected
}

function tokenOf(data: WebSocket.RawData): string | undefined {
  try {
    // oxlint-disable-next-line typescript/no-base-to-string -- a Buffer under the default binaryType
    return authFrame.parse(JSON.parse(data.toString())).token
  } catch {
    return undefined
  }
}
