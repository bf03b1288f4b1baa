/** The bytes that repair may send: a share of the line, whatever there is to do. */
import { sleep } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'

export const COPY_BYTES_PER_SECOND = 1_024 * 1_024

export class Budget {
  readonly #clock: Clock
  readonly #bucket: RateLimiter

  constructor(clock: Clock, bytesPerSecond = COPY_BYTES_PER_SECOND) {
    this.#clock = clock
    this.#bucket = new RateLimiter({ perSecond: bytesPerSecond, burst: bytesPerSecond }, clock, 1)
  }

  /** Resolves when `bytes`, at most a second's worth, may be sent. Rejects with the signal's reason. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    while (!this.#bucket.take('', bytes)) await sleep(this.#clock, this.#bucket.retryAfterMs('', bytes), signal)
  }
}
