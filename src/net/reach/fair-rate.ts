/** A byte rate shared fairly: who took least is served first (start-time fair queueing, Goyal, Vin and Cheng 1996). */
import type { Clock } from '../../lib/clock.ts'

interface Waiter {
  readonly key: string
  readonly bytes: number
  readonly resolve: () => void
}

export class FairRate {
  readonly #bytesPerSecond: number
  readonly #burst: number
  readonly #clock: Clock
  /** What each key that waits or took lately stands at. */
  readonly #served = new Map<string, number>()
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

  /** Resolves when so many bytes may pass. One at a time per direction of a circuit: so the number of those bounds who waits. */
  async take(key: string, bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ key, bytes, resolve })
      this.#served.set(key, Math.max(this.#served.get(key) ?? 0, this.#virtual))
      this.#serve()
    })
  }

  #serve(): void {
    this.#refill()
    while (this.#tokens > 0 && this.#waiting.length > 0) {
      const at = this.#first()
      const [next] = this.#waiting.splice(at, 1)
      if (next === undefined) break
      const stood = this.#served.get(next.key) ?? this.#virtual
      this.#virtual = stood
      this.#served.set(next.key, stood + next.bytes)
      this.#tokens -= next.bytes // may be owed: what came in one piece passes in one piece
      next.resolve()
    }
    if (this.#waiting.length > 0) this.#wake()
    else if (this.#tokens >= 0) this.#forget()
  }

  #first(): number {
    let best = 0
    for (const [at, { key }] of this.#waiting.entries()) {
      const [stands, bestStands] = [this.#served.get(key) ?? 0, this.#served.get(this.#waiting[best]?.key ?? '') ?? 0]
      if (stands < bestStands) best = at
    }
    return best
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
    for (const [key, stands] of this.#served) if (stands <= this.#virtual) this.#served.delete(key)
    if (this.#served.size === 0) this.#virtual = 0
  }
}
