/**
 * How often a token may ask what: one bucket for all reads, one for all writes, smaller ones for costly routes, and for tokens that
 * were given away one for everything together.
 */
import type { Clock } from '../lib/clock.ts'
import { RateError } from '../lib/errors.ts'
import { RateLimiter } from '../lib/rate-limiter.ts'
import type { Caller } from './tokens.ts'

/** Requests a minute; each is a token bucket that holds one minute's worth. */
export interface ApiLimits {
  readonly readsPerMinute: number
  readonly writesPerMinute: number
  readonly messagesPerMinute: number
  readonly publishesPerMinute: number
  readonly rotationsPerMinute: number
  readonly lookupsPerMinute: number
  /** What begins a session: contact requests above all. */
  readonly requestsPerMinute: number
  /** Everything that one token below the scope `admin` asks. */
  readonly tokenPerMinute: number
  /** Messages to one contact who has not accepted yet, whoever asks. */
  readonly strangerMessagesPerMinute: number
}

/**
 * The owner's own programs (scope `admin`: command line, page) read as fast as they like, and write 300 times a minute: a guard
 * against a runaway script, not against the owner. Raise them in `api.limits` for a busy bot.
 */
export const DEFAULT_API_LIMITS: ApiLimits = {
  readsPerMinute: 6_000,
  writesPerMinute: 300,
  messagesPerMinute: 300,
  publishesPerMinute: 10,
  rotationsPerMinute: 5,
  lookupsPerMinute: 30,
  requestsPerMinute: 20,
  tokenPerMinute: 300,
  strangerMessagesPerMinute: 20,
}

/** Which buckets a route draws from. `session` is what starts a session with a stranger. */
export type RouteGroup = 'read' | 'lookup' | 'write' | 'message' | 'publish' | 'rotate' | 'session'

const NARROW: Readonly<Record<Exclude<RouteGroup, 'read' | 'write'>, keyof ApiLimits>> = {
  lookup: 'lookupsPerMinute',
  message: 'messagesPerMinute',
  publish: 'publishesPerMinute',
  rotate: 'rotationsPerMinute',
  session: 'requestsPerMinute',
}

export class ApiRateGate {
  readonly #buckets = new Map<string, RateLimiter>()

  constructor(limits: ApiLimits, clock: Clock) {
    for (const [name, perMinute] of Object.entries(limits) as [string, number][]) {
      this.#buckets.set(name, new RateLimiter({ perSecond: perMinute / 60, burst: perMinute }, clock))
    }
  }

  /** Takes one request of `group` from the token's buckets. Throws RateError with the time to wait. */
  take(group: RouteGroup, { id: token, scope }: Caller): void {
    if (scope !== 'admin') this.#take('tokenPerMinute', token)
    if (group !== 'read' && group !== 'write') this.#take(NARROW[group], token)
    this.#take(group === 'read' || group === 'lookup' ? 'readsPerMinute' : 'writesPerMinute', token)
  }

  #take(name: keyof ApiLimits, token: string): void {
    const bucket = this.#buckets.get(name)
    if (bucket === undefined || bucket.take(token)) return
    throw new RateError('too many requests of this kind; wait and try again', bucket.retryAfterMs(token))
  }
}
