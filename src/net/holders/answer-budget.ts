/** How much may wait for peers that do not read, over all streams: above it the slowest stream is closed. */
import { LimitError } from '../../lib/errors.ts'

export interface Backlogged {
  /** Bytes that wait to be sent. */
  readonly backlogBytes: number
  close(error: Error): void
}

export class AnswerBudget {
  readonly #bytesMax: number
  /** Whose backlog is not empty, in the order in which it began: the slowest stands first. */
  readonly #waiting = new Set<Backlogged>()

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Lets the stream write, then closes the slowest ones until what waits is within the budget again. */
  run<T>(stream: Backlogged, write: () => T): T {
    if (stream.backlogBytes === 0) this.#waiting.delete(stream)
    this.#waiting.add(stream)
    try {
      return write()
    } finally {
      this.#enforce()
    }
  }

  /** The stream is gone. */
  drop(stream: Backlogged): void {
    this.#waiting.delete(stream)
  }

  #enforce(): void {
    let total = 0
    for (const stream of this.#waiting) {
      if (stream.backlogBytes === 0) this.#waiting.delete(stream)
      else total += stream.backlogBytes
    }
    for (const stream of this.#waiting) {
      if (total <= this.#bytesMax) return
      total -= stream.backlogBytes
      this.#waiting.delete(stream)
      stream.close(new LimitError('the peer reads too slowly'))
    }
  }
}
