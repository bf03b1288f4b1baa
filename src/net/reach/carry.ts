/**
 * Carries bytes both ways between two streams. libp2p's own relay reads as fast as it can and keeps what the other side does not
 * take; here a stream is not read while much waits, so that a circuit costs its two windows and no more.
 */
import type { Stream } from '@libp2p/interface'
import type { Clock } from '../../lib/clock.ts'
import { LimitError, NetworkError, TimeoutError } from '../../lib/errors.ts'

/** After one side has ended, the other has so long to end as well. */
const LINGER_MS = 15_000
/** Above it the stream is not read. */
const WAITING_BYTES_MAX = 65_536

export interface Carry {
  readonly clock: Clock
  /** In either direction together. */
  readonly bytesMax: number
  readonly forMs: number
  /** Resolves when so many bytes may pass. */
  readonly pace: (bytes: number) => Promise<void>
  /** Both streams are gone. */
  readonly onEnd: () => void
}

/** Begins; the returned function cuts both streams. */
export function carry(a: Stream, b: Stream, init: Carry): () => void {
  let left = init.bytesMax
  let ended = false
  const cut = (error: Error = new NetworkError('the relay ends the circuit')): void => {
    a.abort(error)
    b.abort(error)
    finish()
  }
  const cancels = [
    init.clock.after(init.forMs, () => {
      cut(new TimeoutError('the circuit lasted for as long as it may'))
    }),
  ]
  const finish = (): void => {
    if (ended) return
    ended = true
    for (const cancel of cancels) cancel()
    init.onEnd()
  }
  const spend = (bytes: number): boolean => {
    left -= bytes
    if (left < 0) cut(new LimitError('the circuit carried as much as it may'))
    return left >= 0
  }
  const onClosed = (failed: boolean): void => {
    if (failed) cut()
    else if (a.status !== 'open' && b.status !== 'open') finish()
    else cancels.push(init.clock.after(LINGER_MS, cut))
  }
  oneWay(a, b, { pace: init.pace, spend, onClosed, isOver: () => ended })
  oneWay(b, a, { pace: init.pace, spend, onClosed, isOver: () => ended })
  if (a.status !== 'open' || b.status !== 'open') cut()
  return () => {
    cut()
  }
}

interface OneWay {
  readonly pace: (bytes: number) => Promise<void>
  readonly spend: (bytes: number) => boolean
  readonly onClosed: (failed: boolean) => void
  readonly isOver: () => boolean
}

type Piece = Parameters<Stream['send']>[0]

function oneWay(from: Stream, to: Stream, { pace, spend, onClosed, isOver }: OneWay): void {
  const pieces: Piece[] = []
  let waiting = 0
  let moving = false
  let over = false
  const move = async (): Promise<void> => {
    if (moving) return
    moving = true
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
      await pace(piece.byteLength)
      if (isOver()) return
      if (!to.send(piece)) await to.onDrain()
      waiting -= piece.byteLength
    }
    moving = false
    if (over) await to.close()
    else if (from.readStatus === 'paused') from.resume()
  }
  /** Not in the middle of an event: `resume` gives what it kept first and opens the window after that. */
  const holdBack = (): void => {
    if (waiting > WAITING_BYTES_MAX && from.readStatus === 'readable') from.pause()
  }
  const moved = (): void => {
    move().catch(() => {
      onClosed(true)
    })
  }
  from.addEventListener('message', ({ data }) => {
    if (isOver() || !spend(data.byteLength)) return
    pieces.push(data)
    waiting += data.byteLength
    queueMicrotask(holdBack)
    moved()
  })
  from.addEventListener('end', () => {
    over = true
    moved()
  })
  from.addEventListener('close', ({ error }) => {
    onClosed(error !== undefined)
  })
}
