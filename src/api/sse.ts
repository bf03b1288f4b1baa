/**
 * An event stream as Server-Sent Events (WHATWG HTML, 9.2): each event under its number as `id`, so that `Last-Event-ID` of a
 * reader that comes back says where to go on. The text is pulled by the socket: what nobody reads is not made.
 */
import type { Clock } from '../lib/clock.ts'
import { utf8 } from '../lib/bytes.ts'
import type { Frame, Sink } from './event-pump.ts'

/** Text that may wait for the socket. */
const HIGH_WATER_CHARS = 262_144

export interface SseLimits {
  /** A reader that takes nothing for this long is cut off. */
  readonly slowMs: number
  readonly heartbeatMs: number
}

export class SseSink implements Sink {
  readonly #clock: Clock
  readonly #limits: SseLimits
  readonly #ends = new Set<() => void>()
  #waiting: string[] = []
  #size = 0
  #open = true
  #begun = false
  #fault: Error | undefined
  #wake = (): void => {}
  #drained = (): void => {}

  constructor(clock: Clock, limits: SseLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  get open(): boolean {
    return this.#open
  }

  async send(frame: Frame): Promise<void> {
    this.#begun = true
    this.#push(sseText(frame))
    if (this.#size < HIGH_WATER_CHARS || !this.#open) return
    const cancel = this.#clock.after(this.#limits.slowMs, () => {
      this.end('slow')
    })
    await new Promise<void>((resolve) => {
      this.#drained = resolve
    })
    cancel()
  }

  offer(frame: Frame): void {
    if (this.#size < HIGH_WATER_CHARS) this.#push(sseText(frame))
  }

  onEnd(listener: () => void): () => void {
    this.#ends.add(listener)
    return () => {
      this.#ends.delete(listener)
    }
  }

  /** Says why, and that is the last of it. `drop`: what still waits is not for this reader any more. */
  end(reason: string, drop = false): void {
    if (!this.#open) return
    if (drop) this.#waiting = []
    this.#push(`event: end\ndata: ${JSON.stringify({ type: 'end', reason })}\n\n`)
    this.#open = false
    this.#wake()
    this.#drained()
    for (const listener of this.#ends) listener()
    this.#ends.clear()
  }

  /** The same; where nothing was sent yet, the error is the answer. */
  fail(error: unknown, reason: string, drop: boolean): void {
    if (!this.#begun) this.#fault = error instanceof Error ? error : new TypeError('not an error')
    this.end(reason, drop)
  }

  /** What goes out, as fast as it is taken; comments in between keep the line alive. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        if (this.#fault !== undefined) throw this.#fault
        if (this.#waiting.length > 0) yield utf8(this.#take())
        else if (!this.#open) return
        else await this.#more()
      }
    } finally {
      this.end('gone')
    }
  }

  #push(text: string): void {
    if (!this.#open) return
    this.#waiting.push(text)
    this.#size += text.length
    this.#wake()
  }

  #take(): string {
    const text = this.#waiting.join('')
    this.#waiting = []
    this.#size = 0
    this.#drained()
    return text
  }

  async #more(): Promise<void> {
    const cancel = this.#clock.after(this.#limits.heartbeatMs, () => {
      this.#push(': still here\n\n')
    })
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    cancel()
  }
}

/** JSON has no line breaks of its own, so a frame is one `data` line. */
function sseText(frame: Frame): string {
  const number = numberOf(frame)
  const id = number === undefined ? '' : `id: ${number}\n`
  return `${id}event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`
}

/** Where a reader goes on that has seen the frame. */
function numberOf(frame: Frame): number | undefined {
  if (frame.type === 'event') return frame.event.number
  if (frame.type === 'gap') return frame.to
  if (frame.type === 'passed') return frame.number
  return frame.type === 'hello' ? frame.since : undefined
}
