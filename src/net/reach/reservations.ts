/**
 * Who may be reached through us: what libp2p's relay takes for its store. Its own sets a timer for every place that a loss of the
 * connection leaves running, and that deletes whatever place the peer has by then.
 */
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '../../lib/clock.ts'
import type { RelayBudget } from '../../lib/roles.ts'
import { sourceNetwork } from '../../protocol/replicas.ts'
import { ipOf } from '../addresses.ts'

/** A place is good for so long, and renewed by its owner before that. */
const RESERVATION_MS = 60 * 60_000
/** One public network (/24, /48) may have this part of all places. */
const NETWORK_SHARE = 1 / 8

/** What both ends are told of the circuits to a place: bytes, and seconds. */
interface Limit {
  readonly data: bigint
  readonly duration: number
}

/** In the words of libp2p, its statuses by name. */
type Reserved = { readonly status: 'OK'; readonly expire: number } | { readonly status: 'RESERVATION_REFUSED' }

interface Entry {
  readonly network: string | undefined
  readonly expiresAtMs: number
}

export class Reservations {
  readonly #budget: RelayBudget
  readonly #clock: Clock
  readonly #isOpen: () => boolean
  readonly #limit: Limit
  readonly #places = new Map<string, Entry>()

  constructor(budget: RelayBudget, clock: Clock, isOpen: () => boolean) {
    this.#budget = budget
    this.#clock = clock
    this.#isOpen = isOpen
    const seconds = Math.floor(budget.circuitMs / 1_000)
    this.#limit = { data: BigInt(budget.circuitBytesMax), duration: seconds }
  }

  /** The places that are good, by peer id. */
  get reservations(): ReadonlyMap<string, unknown> {
    const now = this.#clock.now()
    for (const [id, { expiresAtMs }] of this.#places) if (expiresAtMs <= now) this.#places.delete(id)
    return this.#places
  }

  /** Gives a place, or prolongs it. `expire` is in seconds. */
  reserve(peer: PeerId, address: Multiaddr): Reserved {
    const id = peer.toString()
    const network = sourceNetwork(ipOf(address) ?? '')
    if (!this.#isOpen() || !this.#hasRoom(id, network)) return { status: 'RESERVATION_REFUSED' }
    const expiresAtMs = this.#clock.now() + RESERVATION_MS
    this.#places.set(id, { network, expiresAtMs })
    return { status: 'OK', expire: Math.round(expiresAtMs / 1_000) }
  }

  get(peer: PeerId): { readonly limit: Limit } | undefined {
    return this.reservations.has(peer.toString()) ? { limit: this.#limit } : undefined
  }

  removeReservation(peer: PeerId): void {
    this.#places.delete(peer.toString())
  }

  clear(): void {
    this.#places.clear()
  }

  #hasRoom(id: string, network: string | undefined): boolean {
    const { reservationsMax } = this.#budget
    const others = [...this.reservations.keys()].filter((other) => other !== id)
    if (others.length >= reservationsMax) return false
    if (network === undefined) return true
    const near = others.filter((other) => this.#places.get(other)?.network === network)
    return near.length < Math.max(1, reservationsMax * NETWORK_SHARE)
  }
}
