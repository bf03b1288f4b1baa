/**
 * Carries bytes both ways between two streams. libp2p's own relay reads as fast as it can and keeps what the other side does not
 * take; here a stream is not read while much waits, so that a circuit costs its two windows and no more.
 */
import type { Stream } from '@libp2p/interface'
import type { Clock } from '../../lib/clock.ts'
import { LimitError, NetworkError, TimeoutError } from '../../lib/errors.ts'
import { mergeHeld } from '../frames/held.ts'
import { Waiting, costOf } from './waiting.ts'

/** A circuit over which nothing passes for so long is cut; libp2p pings every connection more often than that. */
const SILENT_MS = 120_000
/** After one side has ended, so long. */
const LINGER_MS = 15_000
/** Who takes nothing for so long takes nothing any more. */
const STALL_MS = 30_000
/** Above it the stream is not read. */
const WAITING_BYTES_MAX = 65_536

export interface Carry {
  readonly clock: Clock
  /** In either direction together; a piece counts as 256 at least. */
  readonly bytesMax: number
  readonly forMs: number
  /** Resolves when so many bytes may pass. */
  readonly pace: (bytes: number) => Promise<void>
  /** Bytes passed. */
  readonly onMoved: () => void
  /** Both streams are gone. */
  readonly onEnd: () => void
}

/** What is carried. */
export interface Line {
  /** Resets both streams. */
  cut(): void
  /** Bytes of it that are in memory here. */
  held(): number
}

/** Begins. */
export function carry(a: Stream, b: Stream, init: Carry): Line {
  let left = init.bytesMax
  let ended = false
  const cut = (error: Error = new NetworkError('the relay ends the circuit')): void => {
    if (ended) return
    a.abort(error)
    b.abort(error)
    finish()
  }
  const silence = new Silence(init.clock, () => {
    cut(new TimeoutError('nothing passes over the circuit'))
  })
  const cancelEnd = init.clock.after(init.forMs, () => {
    cut(new TimeoutError('the circuit lasted for as long as it may'))
  })
  const finish = (): void => {
    if (ended) return
    ended = true
    cancelEnd()
    silence.stop()
    init.onEnd()
  }
  const way: OneWay = {
    clock: init.clock,
    pace: init.pace,
    cut,
    isOver: () => ended,
    spend: (bytes) => {
      left -= costOf(bytes)
      if (left < 0) cut(new LimitError('the circuit carried as much as it may'))
      return left >= 0
    },
    onMoved: () => {
      silence.broken()
      init.onMoved()
    },
    onClosed: (failed) => {
      if (failed) cut()
      else if (a.status !== 'open' && b.status !== 'open') finish()
      else silence.within(LINGER_MS)
    },
  }
  const held = [oneWay(a, b, way), oneWay(b, a, way)]
  if (a.status !== 'open' || b.status !== 'open') cut()
  return { cut, held: () => held.reduce((sum, each) => sum + each(), 0) }
}

/** Tells when nothing was heard for some time. One timer, not one for every piece. */
class Silence {
  readonly #clock: Clock
  readonly #onSilent: () => void
  #limitMs = SILENT_MS
  #sinceMs: number
  #cancel: () => void = () => {}

  constructor(clock: Clock, onSilent: () => void) {
    this.#clock = clock
    this.#onSilent = onSilent
    this.#sinceMs = clock.now()
    this.#arm()
  }

  broken(): void {
    this.#sinceMs = this.#clock.now()
  }

  /** From now on it is told after so long. */
  within(limitMs: number): void {
    this.#limitMs = limitMs
    this.broken()
    this.stop()
    this.#arm()
  }

  stop(): void {
    this.#cancel()
  }

  #arm(): void {
    this.#cancel = this.#clock.after(this.#sinceMs + this.#limitMs - this.#clock.now(), () => {
      if (this.#clock.now() - this.#sinceMs >= this.#limitMs) this.#onSilent()
      else this.#arm()
    })
  }
}

interface OneWay {
  readonly clock: Clock
  readonly pace: (bytes: number) => Promise<void>
  readonly cut: (error?: Error) => void
  readonly isOver: () => boolean
  readonly spend: (bytes: number) => boolean
  readonly onMoved: () => void
  readonly onClosed: (failed: boolean) => void
}

/** The returned function tells how much is held. */
function oneWay(from: Stream, to: Stream, way: OneWay): () => number {
  const waiting = new Waiting()
  let moving = false
  let over = false
  const move = async (): Promise<void> => {
    if (moving) return
    moving = true
    for (let piece = waiting.next(); piece !== undefined; piece = waiting.next()) {
      await way.pace(costOf(piece.length))
      if (way.isOver()) return
      if (!to.send(piece)) await drained(to, way)
      way.onMoved()
      if (waiting.cost <= WAITING_BYTES_MAX / 2 && from.readStatus === 'paused') from.resume()
    }
    moving = false
    if (over) await to.close()
  }
  /** Not in the middle of an event: `resume` gives what it kept first and opens the window after that. */
  const holdBack = (): void => {
    if (waiting.cost > WAITING_BYTES_MAX && from.readStatus === 'readable') from.pause()
  }
  const moved = (): void => {
    move().catch(() => {
      way.onClosed(true)
    })
  }
  mergeHeld(from)
  from.addEventListener('message', ({ data }) => {
    if (way.isOver() || !way.spend(data.byteLength)) return
    waiting.push(data)
    queueMicrotask(holdBack)
    moved()
  })
  from.addEventListener('end', () => {
    over = true
    moved()
  })
  from.addEventListener('close', ({ error }) => {
    way.onClosed(error !== undefined)
  })
  return () => from.readBufferLength + waiting.cost + to.writeBufferLength
}

/**
 * Until the stream has sent all that it holds: who opens the window byte by byte would else be sent a piece for each into our memory.
 * libp2p's own `onDrain` waits no more once it has waited for the first time.
 */
async function drained(to: Stream, { clock, cut }: OneWay): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>()
  const onDrain = (): void => {
    // the stream itself sends on a turn later
    queueMicrotask(() => {
      if (to.writeBufferLength === 0) resolve(undefined)
    })
  }
  const onClose = (): void => {
    reject(new NetworkError('the stream is gone'))
  }
  to.addEventListener('drain', onDrain)
  to.addEventListener('close', onClose)
  const cancel = clock.after(STALL_MS, () => {
    cut(new TimeoutError('the peer takes nothing'))
  })
  try {
    await promise
  } finally {
    cancel()
    to.removeEventListener('drain', onDrain)
    to.removeEventListener('close', onClose)
  }
}
