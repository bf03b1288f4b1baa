/**
 * Who may be reached through us: what libp2p's relay takes for its store. Its own sets a timer for every place that a loss of the
 * connection leaves running, and that deletes whatever place the peer has by then. Places are shared among networks as circuits are
 * (`circuits.ts`): where all are taken, the network that has most gives one to a network that has at least two less.
 */
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '../../lib/clock.ts'
import type { RelayBudget } from '../../lib/roles.ts'
import { ipOf } from '../addresses.ts'
import { wideNetwork } from './inbound.ts'

/** A place is good for so long, and renewed by its owner before that. */
const RESERVATION_MS = 60 * 60_000

/** What both ends are told of the circuits to a place: bytes, and seconds. */
interface Limit {
  readonly data: bigint
  readonly duration: number
}

/** In the words of libp2p, its statuses by name. */
type Reserved = { readonly status: 'OK'; readonly expire: number } | { readonly status: 'RESERVATION_REFUSED' }

interface Place {
  readonly peer: PeerId
  /** A peer is its own where it connects from a private address. */
  readonly network: string
  readonly expiresAtMs: number
}

interface ReservationsInit {
  readonly budget: RelayBudget
  readonly clock: Clock
  readonly isOpen: () => boolean
  /** The peer's place is another's now. */
  readonly onDisplaced: (peer: PeerId) => void
}

export class Reservations {
  readonly #init: ReservationsInit
  readonly #limit: Limit
  /** By peer id; who has had its place longest stands first. */
  readonly #places = new Map<string, Place>()

  constructor(init: ReservationsInit) {
    const { budget } = init
    this.#init = init
    const seconds = Math.floor(budget.circuitMs / 1_000)
    this.#limit = { data: BigInt(budget.circuitBytesMax), duration: seconds }
  }

  /** The places that are good, by peer id. */
  get reservations(): ReadonlyMap<string, Place> {
    const now = this.#init.clock.now()
    for (const [id, { expiresAtMs }] of this.#places) if (expiresAtMs <= now) this.#places.delete(id)
    return this.#places
  }

  /** Gives a place, or prolongs it. `expire` is in seconds. */
  reserve(peer: PeerId, address: Multiaddr): Reserved {
    const id = peer.toString()
    const network = wideNetwork(ipOf(address) ?? '') ?? id
    if (!this.#init.isOpen() || !this.#makeRoom(id, network)) return { status: 'RESERVATION_REFUSED' }
    const expiresAtMs = this.#init.clock.now() + RESERVATION_MS
    this.#places.set(id, { peer, network, expiresAtMs })
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

  #makeRoom(id: string, network: string): boolean {
    const places = this.reservations
    if (places.has(id) || places.size < this.#init.budget.reservationsMax) return true
    const { most, count } = countNetworks(places.values())
    if (count(most) < count(network) + 2) return false
    const last = [...places.values()].findLast((place) => place.network === most)
    if (last === undefined) return false
    this.removeReservation(last.peer)
    this.#init.onDisplaced(last.peer)
    return true
  }
}

function countNetworks(places: Iterable<Place>): {
  readonly most: string
  readonly count: (network: string) => number
} {
  const counts = new Map<string, number>()
  const count = (network: string): number => counts.get(network) ?? 0
  let most = ''
  for (const { network } of places) {
    counts.set(network, count(network) + 1)
    if (count(network) > count(most)) most = network
  }
  return { most, count }
}
