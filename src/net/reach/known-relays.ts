/**
 * The relays that the network showed us, and which of them is asked next. Whoever runs many peers runs them in few networks: so few of
 * one network are known, and the network is drawn before the peer.
 */
import { backoffMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import { randomBelow } from '../../lib/rng.ts'
import type { Rng } from '../../lib/rng.ts'
import { DAY_MS, HOUR_MS } from '../../lib/time.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { ipOf, parseAddress } from '../addresses.ts'
import { wideNetwork } from './inbound.ts'

const KNOWN_MAX = 256
const KNOWN_FOR_MS = DAY_MS
const PER_NETWORK_MAX = 4
const REFUSED = { firstMs: 5_000, maxMs: 10 * 60_000, factor: 2 }
/** Longer than any pause between two tries. */
const REFUSALS_FOR_MS = HOUR_MS
const REFUSALS_MAX = 512

export interface KnownRelaysInit {
  readonly clock: Clock
  readonly rng: Rng
  /** Whether relays should stand in different networks. */
  readonly diversity: boolean
}

export class KnownRelays {
  readonly #init: KnownRelaysInit
  readonly #known: ExpiringMap<string, PeerRecord>
  readonly #ids = new Set<string>()
  readonly #refusals: ExpiringMap<string, { readonly times: number; readonly untilMs: number }>

  constructor(init: KnownRelaysInit) {
    this.#init = init
    this.#known = new ExpiringMap(init.clock, KNOWN_FOR_MS, KNOWN_MAX)
    this.#refusals = new ExpiringMap(init.clock, REFUSALS_FOR_MS, REFUSALS_MAX)
  }

  /** Somebody carries for others, and is dialled there. True where that is news, and it may be asked now. */
  met(relay: PeerRecord): boolean {
    const isNew = this.#known.get(relay.id) === undefined
    if (relay.addresses.length === 0 || (isNew && !this.#makeRoom(relay))) return false
    this.#known.set(relay.id, relay)
    this.#ids.add(relay.id)
    return isNew && this.#mayBeAsked(relay)
  }

  forget(peerId: string): void {
    this.#known.delete(peerId)
    this.#ids.delete(peerId)
  }

  /** It had no place, or took it back: it is asked after 5 s, 10 s … 10 min, and coming back does not shorten that. */
  refused(peerId: string): void {
    const { clock, rng } = this.#init
    const times = this.#refusals.get(peerId)?.times ?? 0
    this.#refusals.set(peerId, { times: times + 1, untilMs: clock.now() + backoffMs(REFUSED, times, rng) })
  }

  /** It is not held against it any more. */
  forgive(peerId: string): void {
    this.#refusals.delete(peerId)
  }

  /** Those that may be asked now, but for `without`. */
  able(without: ReadonlySet<string>): readonly PeerRecord[] {
    return this.#all().filter((relay) => !without.has(relay.id) && this.#mayBeAsked(relay))
  }

  /**
   * Any of a network, itself drawn at random, in which none of `kept` stands; where there is none, of any network at all, but not
   * in exchange for an `old` one that stands apart.
   */
  choose(kept: readonly PeerRecord[], without: ReadonlySet<string>, old?: PeerRecord): PeerRecord | undefined {
    const able = this.able(without)
    const taken = new Set(kept.map((relay) => this.#networkOf(relay)))
    const isApart = (relay: PeerRecord): boolean => !taken.has(this.#networkOf(relay))
    const apart = able.filter(isApart)
    const mustBeApart = apart.length > 0 || (old !== undefined && isApart(old))
    const byNetwork = Map.groupBy(mustBeApart ? apart : able, (relay) => this.#networkOf(relay))
    return this.#draw(this.#draw([...byNetwork.values()]) ?? [])
  }

  #draw<T>(from: readonly T[]): T | undefined {
    return from.length === 0 ? undefined : from[randomBelow(this.#init.rng, from.length)]
  }

  #all(): readonly PeerRecord[] {
    const all: PeerRecord[] = []
    for (const id of this.#ids) {
      const relay = this.#known.get(id)
      if (relay === undefined) this.#ids.delete(id)
      else all.push(relay)
    }
    return all
  }

  #mayBeAsked({ id }: PeerRecord): boolean {
    return (this.#refusals.get(id)?.untilMs ?? 0) <= this.#init.clock.now()
  }

  /** Who comes late to a full network takes the place of one that did not serve us, or none. */
  #makeRoom(relay: PeerRecord): boolean {
    const network = this.#networkOf(relay)
    const there = this.#all().filter((other) => this.#networkOf(other) === network)
    if (there.length < PER_NETWORK_MAX) return true
    const useless = there.find(({ id }) => this.#refusals.get(id) !== undefined)
    if (useless !== undefined) this.forget(useless.id)
    return useless !== undefined
  }

  /** What one operator easily fills; a peer is its own where networks do not count. */
  #networkOf({ id, addresses: [text = ''] }: PeerRecord): string {
    const address = this.#init.diversity ? parseAddress(text) : undefined
    const ip = address === undefined ? undefined : ipOf(address)
    return (ip === undefined ? undefined : wideNetwork(ip)) ?? id
  }
}
