/**
 * How fast one holder is written to. Nobody is slowed down before it says so; who has answered that it is too much is then
 * given what every holder takes (protocol §4, quotas), and the walk goes on to others for the rest.
 */
import type { Clock } from '../../lib/clock.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'

/** How long a holder's word that it was too much is minded. */
const MINDED_MS = 60_000
const HOLDERS_MAX = 1_024
const QUOTA = { perSecond: 10, burst: 10 } as const

export class Pace {
  readonly #minded: ExpiringMap<string, true>
  readonly #tokens: RateLimiter

  constructor(clock: Clock) {
    this.#minded = new ExpiringMap(clock, MINDED_MS, HOLDERS_MAX)
    this.#tokens = new RateLimiter(QUOTA, clock, HOLDERS_MAX)
  }

  /** Whether the holder may be given one more now; then it counts. */
  take(peerId: string): boolean {
    return this.#minded.get(peerId) === undefined || this.#tokens.take(peerId)
  }

  /** The holder said that it was too much: nothing for a second or two, then as much as its quota. */
  refused(peerId: string): void {
    this.#minded.set(peerId, true)
    this.#tokens.charge(peerId, 2 * QUOTA.burst)
  }
}
