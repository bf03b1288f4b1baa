/** A byte rate shared fairly: who took least is served first (start-time fair queueing, Goyal, Vin and Cheng 1996). */
import { dropOldest } from '../../lib/bounded.ts'
import type { Clock } from '../../lib/clock.ts'

interface Waiter {
  /** When its turn is, in bytes served to each. */
  readonly start: number
  readonly bytes: number
  readonly resolve: () => void
}

/** Of so many keys it is known what they took; a forgotten one starts with the others. */
const KEYS_MAX = 4_096

export class FairRate {
  readonly #bytesPerSecond: number
  readonly #burst: number
  readonly #clock: Clock
  /** Where each key that took lately stands; the one that took longest ago first. */
  readonly #finish = new Map<string, number>()
  /** By their start. */
  readonly #waiting: Waiter[] = []
  #virtual = 0
  #tokens: number
  #atMs: number
  #cancel: (() => void) | undefined

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#bytesPerSecond = bytesPerSecond
    this.#burst = bytesPerSecond / 4
    this.#clock = clock
    this.#tokens = this.#burst
    this.#atMs = clock.now()
  }

  /** Keys that it is known of what they took. */
  get keys(): number {
    return this.#finish.size
  }

  /** Resolves when so many bytes may pass. One at a time per direction of a circuit: so the number of those bounds who waits. */
  async take(key: string, bytes: number): Promise<void> {
    this.#refill()
    if (this.#waiting.length === 0 && this.#tokens >= 0) this.#forget()
    const start = Math.max(this.#finish.get(key) ?? 0, this.#virtual)
    this.#finish.delete(key)
    this.#finish.set(key, start + bytes)
    dropOldest(this.#finish, KEYS_MAX)
    return new Promise((resolve) => {
      this.#insert({ start, bytes, resolve })
      this.#serve()
    })
  }

  /** Nobody who waits is held up any longer: what they wait for is over. */
  release(): void {
    this.#cancel?.()
    this.#cancel = undefined
    for (const { resolve } of this.#waiting.splice(0)) resolve()
  }

  /** Behind all whose turn is not later. */
  #insert(waiter: Waiter): void {
    let [low, high] = [0, this.#waiting.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#waiting[middle]?.start ?? 0) <= waiter.start) low = middle + 1
      else high = middle
    }
    this.#waiting.splice(low, 0, waiter)
  }

  #serve(): void {
    this.#refill()
    while (this.#tokens > 0) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#virtual = next.start
      this.#tokens -= next.bytes // may be owed: what came in one piece passes in one piece
      next.resolve()
    }
    if (this.#waiting.length > 0) this.#wake()
  }

  #refill(): void {
    const now = this.#clock.now()
    const gained = (Math.max(0, now - this.#atMs) / 1_000) * this.#bytesPerSecond
    this.#tokens = Math.min(this.#burst, this.#tokens + gained)
    this.#atMs = now
  }

  #wake(): void {
    if (this.#cancel !== undefined) return
    const waitMs = Math.max(1, Math.ceil((-this.#tokens / this.#bytesPerSecond) * 1_000))
    this.#cancel = this.#clock.after(waitMs, () => {
      this.#cancel = undefined
      this.#serve()
    })
  }

  /** Nobody is behind: who took how much no longer matters. */
  #forget(): void {
    this.#finish.clear()
    this.#virtual = 0
  }
}
