import { dropOldest } from './bounded.ts'
import type { Clock } from './clock.ts'

/** A token bucket: `burst` at once, `perSecond` after that. */
export interface RatePolicy {
  readonly perSecond: number
  readonly burst: number
}

interface Bucket {
  tokens: number
  at: number
}

/** Token buckets by key, at most `keysMax` of them (the longest unused one goes first). */
export class RateLimiter {
  readonly #policy: RatePolicy
  readonly #clock: Clock
  readonly #keysMax: number
  /** The longest unused one first. */
  readonly #buckets = new Map<string, Bucket>()
  /** The key that was used last: it stands at the end already. */
  #latest: string | undefined

  constructor(policy: RatePolicy, clock: Clock, keysMax = 4_096) {
    this.#policy = policy
    this.#clock = clock
    this.#keysMax = keysMax
  }

  /** Takes `cost` tokens and says true, or takes nothing and says false. */
  take(key: string, cost = 1): boolean {
    const bucket = this.#refill(key)
    if (bucket.tokens < cost) return false
    bucket.tokens -= cost
    return true
  }

  /** Takes `cost` tokens that may not be there: for what is known afterwards only. At most one `burst` is owed. */
  charge(key: string, cost: number): void {
    const bucket = this.#refill(key)
    bucket.tokens = Math.max(-this.#policy.burst, bucket.tokens - cost)
  }

  /** Milliseconds until `cost` tokens are there. */
  retryAfterMs(key: string, cost = 1): number {
    const missing = cost - this.#refill(key).tokens
    return missing <= 0 ? 0 : Math.ceil((missing / this.#policy.perSecond) * 1_000)
  }

  #refill(key: string): Bucket {
    const now = this.#clock.now()
    const known = this.#buckets.get(key)
    const bucket = known ?? { tokens: this.#policy.burst, at: now }
    const gained = (Math.max(0, now - bucket.at) / 1_000) * this.#policy.perSecond
    bucket.tokens = Math.min(this.#policy.burst, bucket.tokens + gained)
    bucket.at = now
    if (key === this.#latest) return bucket
    this.#latest = key
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    dropOldest(this.#buckets, this.#keysMax)
    return bucket
  }
}
