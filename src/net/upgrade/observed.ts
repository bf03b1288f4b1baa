/**
 * What others say our outgoing TCP connections come from. All dials leave from one port (`tcp-dialer.ts`), so where two
 * others see the same address, the router keeps one for all destinations (RFC 4787: endpoint-independent mapping), and a
 * third can be told it; where no two do, every destination sees another, and nobody can be told in advance.
 */
import type { Clock } from '../../lib/clock.ts'
import { HOUR_MS } from '../../lib/time.ts'

/** `per-destination`: a third party cannot be told where we will come from (symmetric NAT, most carriers' NATs). */
export type Mapping = 'unknown' | 'endpoint-independent' | 'per-destination'

/** Observers that are remembered; the one unheard for longest goes first. */
const OBSERVERS_MAX = 32
/** Connections last for days, and nobody says it twice on one. */
const OBSERVED_TTL_MS = 12 * HOUR_MS
/** Observers that have to agree: one alone may lie, or stand on our side of the router. */
const AGREEING_MIN = 2

interface Observation {
  readonly address: string
  readonly at: number
}

interface Tally {
  readonly address: string
  readonly count: number
  readonly at: number
}

export class ObservedAddresses {
  readonly #clock: Clock
  /** By the observer's IP: a host with many peer ids has one voice. */
  readonly #byObserver = new Map<string, Observation>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** An observer at this IP saw us come from there: a multiaddr; what does not begin with an IP and a TCP port is ignored. */
  add(observerIp: string, observed: string): void {
    const address = /^\/ip[46]\/[^/]+\/tcp\/\d+(?=\/|$)/.exec(observed)?.[0]
    if (address === undefined || familyOf(address) !== (observerIp.includes(':') ? 6 : 4)) return
    this.#byObserver.delete(observerIp)
    this.#byObserver.set(observerIp, { address, at: this.#clock.now() })
    const [oldest] = this.#byObserver.keys()
    if (this.#byObserver.size > OBSERVERS_MAX && oldest !== undefined) this.#byObserver.delete(oldest)
  }

  /** Of IPv4 where there is any, else of IPv6. */
  mapping(): Mapping {
    const tallies = this.#tallies()
    const observers = tallies.reduce((sum, { count }) => sum + count, 0)
    if (observers < AGREEING_MIN) return 'unknown'
    return (tallies[0]?.count ?? 0) >= AGREEING_MIN ? 'endpoint-independent' : 'per-destination'
  }

  /** `/ip4/…/tcp/…` (or `ip6`) that two observers agree on, or `undefined`. */
  punchable(): string | undefined {
    const [best] = this.#tallies()
    return best !== undefined && best.count >= AGREEING_MIN ? best.address : undefined
  }

  /** What was seen, by most observers first, and of as many the newest. */
  #tallies(): readonly Tally[] {
    const since = this.#clock.now() - OBSERVED_TTL_MS
    const fresh = [...this.#byObserver.values()].filter(({ at }) => at > since)
    const four = fresh.filter(({ address }) => familyOf(address) === 4)
    const tallies = new Map<string, Tally>()
    for (const { address, at } of four.length > 0 ? four : fresh) {
      const known = tallies.get(address)
      tallies.set(address, { address, count: (known?.count ?? 0) + 1, at: Math.max(at, known?.at ?? 0) })
    }
    return [...tallies.values()].sort((a, b) => b.count - a.count || b.at - a.at)
  }
}

function familyOf(address: string): 4 | 6 {
  return address.startsWith('/ip4/') ? 4 : 6
}
