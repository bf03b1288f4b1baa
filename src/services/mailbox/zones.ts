/** The zones of addresses, remembered for a while so that a put to a warm mailbox is one round trip. */
import { toHex } from '../../lib/bytes.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Rung } from '../../wire/letter.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { compareDistance, rungPlacement, ZONE_CANDIDATES, ZONE_SIZE, zoneOf } from '../../protocol/replicas.ts'
import type { MailDeps } from './deps.ts'

const ZONES_MAX = 1_024
const FRESH_MS = 10 * 60_000
/** A zone that is not full belongs to a network that is small or that we are just joining: look again soon. */
const SMALL_FRESH_MS = 5_000

interface Zone {
  /** The address (hex) and which of its zones this is. */
  readonly address: string
  readonly rung: Rung
  readonly target: Uint8Array
  readonly peers: readonly PeerRecord[]
  readonly until: number
}

interface Lookup {
  readonly peers: Promise<readonly PeerRecord[]>
  /** Of who began it. */
  readonly signal: AbortSignal
}

/** Hears of a remembered first zone (address in hex) that the peer, which just connected, belongs to. */
export type MemberListener = (address: string, peerId: string) => void

const nameOf = (address: Uint8Array, rung: Rung): string => `${toHex(address)}/${rung}`

export class Zones implements Startable {
  readonly #deps: MailDeps
  /** By address and rung, the one looked up longest ago first. */
  readonly #zones = new Map<string, Zone>()
  /** Lookups under way: who asks for the same zone meanwhile waits for the same answer. */
  readonly #lookups = new Map<string, Lookup>()
  readonly #listeners = new Set<MemberListener>()
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

  /** The holders that answer for a rung of `address` (not hashed), nearest first, at most 20. */
  async of(address: Uint8Array, signal: AbortSignal, rung: Rung = 0): Promise<readonly PeerRecord[]> {
    const name = nameOf(address, rung)
    const known = this.#zones.get(name)
    if (known !== undefined && known.until > this.#deps.clock.now()) return known.peers
    const under = this.#lookups.get(name)
    if (under !== undefined) {
      try {
        return await under.peers
      } catch (error) {
        signal.throwIfAborted()
        // Whoever began it has given up: it is begun once more.
        if (under.signal.aborted) return this.of(address, signal, rung)
        throw error
      }
    }
    const peers = this.#lookUp(address, rung, signal).finally(() => {
      this.#lookups.delete(name)
    })
    this.#lookups.set(name, { peers, signal })
    return peers
  }

  async #lookUp(address: Uint8Array, rung: Rung, signal: AbortSignal): Promise<readonly PeerRecord[]> {
    const target = rungPlacement(this.#deps.crypto, address, rung)
    const found = await this.#deps.routing.closest(target, ZONE_CANDIDATES, signal)
    const peers = this.#deps.profile.diversity ? zoneOf(found) : found.slice(0, ZONE_SIZE)
    const until = this.#deps.clock.now() + (peers.length < ZONE_SIZE ? SMALL_FRESH_MS : FRESH_MS)
    this.#remember(nameOf(address, rung), { address: toHex(address), rung, target, peers, until })
    return peers
  }

  #remember(name: string, zone: Zone): void {
    this.#zones.delete(name)
    if (zone.peers.length > 0) this.#zones.set(name, zone)
    const oldest = this.#zones.keys().next()
    if (this.#zones.size > ZONES_MAX && oldest.done !== true) this.#zones.delete(oldest.value)
  }

  /** The zone is not what it was, since a member did not answer: it is looked up anew, and peers that come are still noticed. */
  forget(address: Uint8Array, rung: Rung = 0): void {
    const name = nameOf(address, rung)
    const zone = this.#zones.get(name)
    if (zone !== undefined) this.#zones.set(name, { ...zone, until: 0 })
  }

  /** `listener` hears of members that come, until the returned function ends it. */
  onMember(listener: MemberListener): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** A peer came: zones that it is new to are looked up again. */
  #noticed(peerId: string): void {
    const position = this.#deps.peers.position(peerId)
    if (position === undefined) return
    for (const [name, zone] of this.#zones) {
      const member = zone.peers.some((peer) => peer.id === peerId)
      if (!member && !this.#nearer(zone, position)) continue
      if (!member) this.#zones.set(name, { ...zone, until: 0 })
      if (zone.rung === 0) for (const listener of this.#listeners) listener(zone.address, peerId)
    }
  }

  #nearer(zone: Zone, position: Uint8Array): boolean {
    const last = this.#deps.peers.position(zone.peers.at(-1)?.id ?? '')
    return zone.peers.length < ZONE_SIZE || last === undefined || compareDistance(zone.target, position, last) < 0
  }
}
