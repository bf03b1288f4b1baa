/**
 * Frames on a stream: `u32 length (big endian) | length bytes`, 1 ≤ length ≤ the protocol's cap.
 *
 * libp2p's streams have no read deadline, and `send()` returning false is only a hint behind which memory grows. So:
 * a frame has to be whole within its deadline, what is read and not taken yet pauses the stream, what is written and
 * not sent yet is bounded, and every error resets the stream at once.
 */
import type { Stream } from '@libp2p/interface'
import { concat, u32be } from '../../lib/bytes.ts'
import type { Clock } from '../../lib/clock.ts'
import { LimitError, NetworkError, TimeoutError } from '../../lib/errors.ts'
import { FrameSplitter } from './frame-splitter.ts'
import { mergeHeld } from './held.ts'
import { WRITE_STALL_MS } from '../protocols.ts'
import type { ProtocolLimits } from '../protocols.ts'

interface Waiter {
  readonly resolve: (frame: Uint8Array | undefined) => void
  readonly reject: (error: Error) => void
}

/** Reads frames one at a time; while nobody takes them, the peer is held back by the stream's window. */
export class FrameReader {
  readonly #stream: Stream
  readonly #limits: ProtocolLimits
  readonly #clock: Clock
  readonly #splitter: FrameSplitter
  readonly #frames: Uint8Array[] = []
  #bytes = 0
  #receivedBytes = 0
  #waiter: Waiter | undefined
  #ended = false
  #error: Error | undefined
  #paused = false
  #resuming = false
  #cancelDeadline: (() => void) | undefined

  /** @param firstFrameDue whether the first frame has to come within the deadline, too */
  constructor(stream: Stream, limits: ProtocolLimits, clock: Clock, firstFrameDue: boolean) {
    this.#stream = stream
    this.#limits = limits
    this.#clock = clock
    this.#splitter = new FrameSplitter(limits.frameBytesMax)
    mergeHeld(stream)
    stream.addEventListener('close', (event) => {
      this.#end(event.error)
    })
    stream.addEventListener('end', () => {
      this.#end(undefined)
    })
    stream.addEventListener('message', (event) => {
      this.#onData(event.data instanceof Uint8Array ? [event.data] : event.data)
    })
    if (firstFrameDue) this.#armDeadline()
    if (stream.status !== 'open') this.#end(undefined)
  }

  /** All that came, parts of frames included. */
  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** Whether everything that came was taken, and the next frame is waited for. */
  get waiting(): boolean {
    return this.#waiter !== undefined
  }

  /** The next frame, or `undefined` at the end of the stream. One caller at a time. */
  async next(): Promise<Uint8Array | undefined> {
    const frame = this.#frames.shift()
    if (frame !== undefined) {
      this.#bytes -= frame.length
      this.#resumeWhenLow()
      return frame
    }
    if (this.#error !== undefined) throw this.#error
    if (this.#ended) return undefined
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
    })
  }

  #onData(chunks: Iterable<Uint8Array>): void {
    try {
      for (const chunk of chunks) {
        this.#receivedBytes += chunk.length
        for (const frame of this.#splitter.push(chunk)) this.#deliver(frame)
      }
    } catch (error) {
      this.#fail(error as Error)
      return
    }
    if (this.#bytes <= this.#limits.frameBytesMax) this.#watchPartial()
    else if (!this.#resuming) this.#pause()
  }

  #deliver(frame: Uint8Array): void {
    this.#disarmDeadline()
    const waiter = this.#waiter
    this.#waiter = undefined
    if (waiter !== undefined) {
      waiter.resolve(frame)
      return
    }
    this.#frames.push(frame)
    this.#bytes += frame.length
  }

  /** A frame that has begun has to end; nobody is late while we do not read. */
  #watchPartial(): void {
    if (this.#splitter.partial && this.#cancelDeadline === undefined) this.#armDeadline()
  }

  #armDeadline(): void {
    this.#cancelDeadline = this.#clock.after(this.#limits.frameDeadlineMs, () => {
      this.#fail(new TimeoutError('a frame took too long'))
    })
  }

  #disarmDeadline(): void {
    this.#cancelDeadline?.()
    this.#cancelDeadline = undefined
  }

  #pause(): void {
    if (this.#paused || this.#ended) return
    this.#paused = true
    this.#disarmDeadline()
    if (this.#stream.readStatus === 'readable') this.#stream.pause()
  }

  #resumeWhenLow(): void {
    if (!this.#paused || this.#bytes * 2 > this.#limits.frameBytesMax) return
    this.#paused = false
    // yamux would lose a pause within the resume, and let the peer send until the read buffer is over its limit
    this.#resuming = true
    if (this.#stream.readStatus === 'paused') this.#stream.resume()
    this.#resuming = false
    if (this.#bytes > this.#limits.frameBytesMax) this.#pause()
    else if (!this.#ended) this.#watchPartial()
  }

  #fail(error: Error): void {
    if (this.#ended) return
    this.#error = error
    this.#stream.abort(error)
    this.#end(error)
  }

  #end(error: Error | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.#disarmDeadline()
    if (error !== undefined) this.#error ??= new NetworkError('the stream was reset', { cause: error })
    const waiter = this.#waiter
    this.#waiter = undefined
    if (this.#error === undefined) waiter?.resolve(undefined)
    else waiter?.reject(this.#error)
  }
}

interface Pending {
  readonly frame: Uint8Array
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Writes frames in the order in which they were given. Small frames of one turn leave in one piece. */
export class FrameWriter {
  readonly #stream: Stream
  readonly #limits: ProtocolLimits
  readonly #clock: Clock
  readonly #queue: Uint8Array[] = []
  readonly #waiting: Pending[] = []
  readonly #onRoom: () => void
  #bytes = 0
  #scheduled = false
  #blocked = false
  #cancelStall: (() => void) | undefined
  #ended = false

  /** @param onRoom called whenever less may wait than before */
  constructor(stream: Stream, limits: ProtocolLimits, clock: Clock, onRoom: () => void = () => {}) {
    this.#stream = stream
    this.#limits = limits
    this.#clock = clock
    this.#onRoom = onRoom
    stream.addEventListener('drain', () => {
      this.#onDrain()
    })
    stream.addEventListener('close', () => {
      this.#end()
    })
    if (stream.status !== 'open') this.#end()
  }

  /** Bytes given to us that the peer's window has not taken yet. */
  get backlogBytes(): number {
    if (this.#ended) return 0
    const waitingBytes = this.#waiting.reduce((sum, { frame }) => sum + frame.length, 0)
    return this.#bytes + waitingBytes + this.#stream.writeBufferLength
  }

  /** Ends the stream's writing half after the last frame; the other half stays open. Throws what the stream does. */
  async finish(signal: AbortSignal): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    this.#cancelStall?.()
    for (const pending of this.#waiting.splice(0)) pending.reject(gone())
    if (this.#queue.length > 0) this.#stream.send(concat(...this.#queue.splice(0)))
    await this.#stream.close({ signal })
  }

  /** Queues the frame if there is room; false where there is none or the stream is gone. */
  tryWrite(frame: Uint8Array): boolean {
    return this.#waiting.length === 0 && this.#accept(frame)
  }

  /** Queues the frame, waiting for room. Throws {@link NetworkError}, or the signal's reason. */
  async write(frame: Uint8Array, signal?: AbortSignal): Promise<void> {
    if (frame.length > this.#limits.frameBytesMax) throw new LimitError('frame length out of bounds')
    signal?.throwIfAborted()
    if (this.tryWrite(frame)) return
    if (this.#ended) throw gone()
    await new Promise<void>((resolve, reject) => {
      const pending: Pending = { frame, resolve: settle(resolve), reject: settle(reject) }
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(pending), 1)
        reject(signal?.reason as Error)
      }
      function settle<A extends unknown[]>(action: (...args: A) => void): (...args: A) => void {
        return (...args) => {
          signal?.removeEventListener('abort', onAbort)
          action(...args)
        }
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(pending)
    })
  }

  #accept(frame: Uint8Array): boolean {
    if (this.#ended || this.#bytes + frame.length > this.#limits.writeBytesMax) return false
    this.#queue.push(u32be(frame.length), frame)
    this.#bytes += frame.length
    this.#schedule()
    return true
  }

  #schedule(): void {
    if (this.#scheduled || this.#blocked) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#ended || this.#blocked || this.#queue.length === 0) return
    const bytes = concat(...this.#queue.splice(0))
    this.#bytes = 0
    try {
      this.#blocked = !this.#stream.send(bytes)
    } catch (error) {
      this.#stream.abort(error as Error)
      this.#end()
      return
    }
    if (this.#blocked) this.#armStall()
    this.#admit()
    this.#onRoom()
  }

  #admit(): void {
    while (this.#waiting[0] !== undefined && this.#accept(this.#waiting[0].frame)) this.#waiting.shift()?.resolve()
  }

  /** The stream itself sends on a turn later. What it still holds after that has to leave first, or it would grow. */
  #onDrain(): void {
    queueMicrotask(() => {
      if (this.#ended) return
      this.#blocked = this.#stream.writeBufferLength > 0
      if (this.#blocked) this.#armStall()
      else this.#cancelStall?.()
      this.#flush()
      this.#admit()
      this.#onRoom()
    })
  }

  #armStall(): void {
    this.#cancelStall?.()
    this.#cancelStall = this.#clock.after(WRITE_STALL_MS, () => {
      this.#stream.abort(new TimeoutError('the peer does not read'))
      this.#end()
    })
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#cancelStall?.()
    this.#queue.length = 0
    for (const pending of this.#waiting.splice(0)) pending.reject(gone())
    this.#onRoom()
  }
}

function gone(): NetworkError {
  return new NetworkError('the stream is gone')
}
