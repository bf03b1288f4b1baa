/** The zones of addresses, remembered for a while so that a put to a warm mailbox is one round trip. */
import { toHex } from '../../lib/bytes.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { compareDistance, placement, ZONE_CANDIDATES, ZONE_SIZE, zoneOf } from '../../protocol/replicas.ts'
import type { MailDeps } from './deps.ts'

const ZONES_MAX = 1_024
const FRESH_MS = 10 * 60_000
/** A zone that is not full belongs to a network that is small or that we are just joining: look again soon. */
const SMALL_FRESH_MS = 5_000

interface Zone {
  readonly target: Uint8Array
  readonly peers: readonly PeerRecord[]
  readonly until: number
}

export class Zones implements Startable {
  readonly #deps: MailDeps
  /** By address (hex), the one looked up longest ago first. */
  readonly #zones = new Map<string, Zone>()
  readonly #listeners = new Set<(address: string) => void>()
  #unwatch: (() => void) | undefined

  constructor(deps: MailDeps) {
    this.#deps = deps
  }

  /** From now on peers that come are noticed; without it zones only grow old. */
  start(): void {
    this.#unwatch ??= this.#deps.network.onPeerChange((peerId, connected) => {
      if (connected) this.#noticed(peerId)
    })
  }

  stop(): void {
    this.#unwatch?.()
    this.#unwatch = undefined
  }

  /** The holders that answer for `address` (not hashed), nearest first, at most 20. */
  async of(address: Uint8Array, signal: AbortSignal): Promise<readonly PeerRecord[]> {
    const key = toHex(address)
    const now = this.#deps.clock.now()
    const known = this.#zones.get(key)
    if (known !== undefined && known.until > now) return known.peers
    const target = placement(this.#deps.crypto, address)
    const found = await this.#deps.routing.closest(target, ZONE_CANDIDATES, signal)
    const peers = this.#deps.profile.diversity ? zoneOf(found) : found.slice(0, ZONE_SIZE)
    const until = now + (peers.length < ZONE_SIZE ? SMALL_FRESH_MS : FRESH_MS)
    this.#remember(key, { target, peers, until })
    return peers
  }

  #remember(key: string, zone: Zone): void {
    this.#zones.delete(key)
    if (zone.peers.length > 0) this.#zones.set(key, zone)
    const oldest = this.#zones.keys().next()
    if (this.#zones.size > ZONES_MAX && oldest.done !== true) this.#zones.delete(oldest.value)
  }

  /** The zone is not what it was: a member did not answer. */
  forget(address: Uint8Array): void {
    this.#zones.delete(toHex(address))
  }

  /**
   * `listener` hears of each remembered zone (address in hex) that a peer which just connected belongs to, until the
   * returned function ends it.
   */
  onMember(listener: (address: string) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** A peer came: zones that it is new to are looked up again. */
  #noticed(peerId: string): void {
    const position = this.#deps.peers.position(peerId)
    if (position === undefined) return
    for (const [address, zone] of this.#zones) {
      const member = zone.peers.some((peer) => peer.id === peerId)
      if (!member && !this.#nearer(zone, position)) continue
      if (!member) this.#zones.delete(address)
      for (const listener of this.#listeners) listener(address)
    }
  }

  #nearer(zone: Zone, position: Uint8Array): boolean {
    const last = this.#deps.peers.position(zone.peers.at(-1)?.id ?? '')
    return zone.peers.length < ZONE_SIZE || last === undefined || compareDistance(zone.target, position, last) < 0
  }
}
