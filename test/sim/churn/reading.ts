/** What a recipient who asks every hour would have seen. */
import { TICKS_PER_DAY, TICKS_PER_HOUR } from './population.ts'

export interface Read {
  readonly reads: number
  readonly failed: number
  /** Per day of the letter's life, whether no read of the whole day found it. */
  readonly dark: Uint8Array
  readonly longestGapHours: number
}

export class Reading {
  readonly #start: number
  readonly #dark: Uint8Array
  #reads = 0
  #failed = 0
  #gap = 0
  #longest = 0

  constructor(start: number, days: number) {
    this.#start = start
    this.#dark = new Uint8Array(days).fill(1)
  }

  due(tick: number): boolean {
    return (tick - this.#start) % TICKS_PER_HOUR === 0
  }

  note(tick: number, found: boolean): void {
    this.#reads++
    if (found) {
      this.#dark[Math.floor((tick - this.#start) / TICKS_PER_DAY)] = 0
      this.#gap = 0
      return
    }
    this.#failed++
    this.#longest = Math.max(this.#longest, ++this.#gap)
  }

  /** From here on as `other` is. */
  become(other: Reading): void {
    this.#dark.set(other.#dark)
    this.#reads = other.#reads
    this.#failed = other.#failed
    this.#gap = other.#gap
    this.#longest = other.#longest
  }

  outcome(): Read {
    return {
      reads: this.#reads,
      failed: this.#failed,
      dark: this.#dark,
      longestGapHours: this.#longest,
    }
  }
}
