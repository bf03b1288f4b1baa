/**
 * Event streams over WebSocket. Each is a pump that reads the durable log and writes it out no faster than the consumer
 * reads; a new event only wakes it. So replay and live are one line, nothing is lost between them, and the most that is
 * ever buffered for a slow consumer is one batch.
 *
 * Frames out: `{type:'hello', first, last}`, then `{type:'event', event}` in order; `{type:'gap', from, to}` where
 * numbers are no longer kept. Frames in: `{type:'auth', token}` first, if the upgrade request had no Authorization.
 */
import type { WebSocket } from 'ws'
import type { Clock } from '../lib/clock.ts'
import { nameOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { Application } from './application.ts'
import { gapAfter } from './routes/events.ts'
import { authFrame } from './schemas.ts'

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
const BATCH = 128
const HIGH_WATER_BYTES = 262_144
const GRACE_MS = 1_000

export interface StreamOptions {
  readonly application: Application
  readonly clock: Clock
  readonly log: Logger
  readonly limits: StreamLimits
  readonly accepts: (token: string) => boolean
}

export class EventStreams {
  readonly #options: StreamOptions
  readonly #open = new Set<WebSocket>()
  #pending = 0

  constructor(options: StreamOptions) {
    this.#options = options
  }

  /** Takes over an upgraded socket. `authorised`: its upgrade request carried the token already. */
  attach(socket: WebSocket, since: number, authorised: boolean): void {
    const { streamsMax, pendingMax } = this.#options.limits
    if (authorised ? this.#open.size - this.#pending >= streamsMax : this.#pending >= pendingMax) {
      this.#refuse(socket)
      return
    }
    this.#open.add(socket)
    socket.on('error', () => {
      socket.terminate()
    })
    const stopHeartbeat = this.#heartbeat(socket)
    socket.on('close', () => {
      this.#open.delete(socket)
      stopHeartbeat()
    })
    if (authorised) this.#run(socket, since)
    else this.#awaitToken(socket, since)
  }

  #refuse(socket: WebSocket): void {
    socket.on('error', () => {
      socket.terminate()
    })
    this.#close(socket, CLOSE.tooMany)
  }

  closeAll(code: number): void {
    for (const socket of this.#open) this.#close(socket, code)
  }

  #awaitToken(socket: WebSocket, since: number): void {
    const { clock, limits, accepts } = this.#options
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
      if (token === undefined || !accepts(token)) {
        cancel()
        this.#close(socket, CLOSE.unauthorised)
        return
      }
      settled()
      if (this.#open.size - this.#pending > limits.streamsMax) this.#close(socket, CLOSE.tooMany)
      else this.#run(socket, since)
    })
  }

  #run(socket: WebSocket, since: number): void {
    socket.on('message', () => {
      this.#close(socket, CLOSE.badFrame)
    })
    this.#pump(socket, since).catch((error: unknown) => {
      const locked = nameOf(error) === 'LockedError'
      if (!locked) this.#options.log.warn('event stream failed', { error: nameOf(error) })
      this.#close(socket, locked ? CLOSE.locked : CLOSE.unexpected)
    })
  }

  async #pump(socket: WebSocket, since: number): Promise<void> {
    const { application } = this.#options
    const bell = new Bell()
    const off = application.onEvent(() => {
      bell.ring()
    })
    const gone = (): void => {
      off()
      bell.ring()
    }
    socket.once('close', gone)
    try {
      let cursor = since
      for (let greeted = false; socket.readyState === socket.OPEN; greeted = true) {
        bell.reset()
        const page = await application.eventsSince(cursor, BATCH)
        if (!greeted) {
          await this.#send(socket, { type: 'hello', first: page.first, last: page.last })
          // A reader ahead of this log (its home was restored) is taken back to its end.
          cursor = Math.min(cursor, page.last)
        }
        const gap = gapAfter(cursor, page)
        if (gap !== null) await this.#send(socket, { type: 'gap', ...gap })
        cursor = gap?.to ?? cursor
        for (const event of page.events) {
          await this.#send(socket, { type: 'event', event })
          cursor = event.number
        }
        if (page.events.length === 0) await bell.rung()
      }
    } finally {
      socket.off('close', gone)
      off()
    }
  }

  /** Resolves when the consumer keeps up again; closes it where it does not. */
  async #send(socket: WebSocket, frame: object): Promise<void> {
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
    socket.close(code)
    const cancel = this.#options.clock.after(GRACE_MS, () => {
      socket.terminate()
    })
    socket.once('close', cancel)
  }
}

function tokenOf(data: WebSocket.RawData): string | undefined {
  try {
    // oxlint-disable-next-line typescript/no-base-to-string -- a Buffer under the default binaryType
    return authFrame.parse(JSON.parse(data.toString())).token
  } catch {
    return undefined
  }
}

/** Something to wait for that may have happened already. */
class Bell {
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
