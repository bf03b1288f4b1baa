/** Who is near what: the table, the find, and what others name. */
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { NetworkProfile } from '../lib/network-profile.ts'
import { CLOSER_PEERS_MAX } from '../wire/holder.ts'
import type { PeerRecord } from '../wire/peer.ts'
import { keepAddresses } from './addresses.ts'
import { find } from './find/find.ts'
import type { LiveTable } from './find/live-table.ts'
import type { PositionOf } from './peer-id.ts'
import type { HolderLink, Routing } from './ports.ts'

export interface RoutingInit {
  readonly selfId: string
  readonly selfAddresses: () => readonly string[]
  readonly table: LiveTable
  readonly positionOf: PositionOf
  readonly profile: NetworkProfile
  readonly clock: Clock
  readonly log: Logger
  readonly link: (peer: PeerRecord, signal: AbortSignal) => Promise<HolderLink>
  /** A peer that was live is out of the table. */
  readonly onEvicted: (peerId: string) => void
}

export class PeerRouting implements Routing {
  readonly #init: RoutingInit

  constructor(init: RoutingInit) {
    this.#init = init
  }

  self(): PeerRecord {
    return { id: this.#init.selfId, addresses: this.#init.selfAddresses() }
  }

  async closest(target: Uint8Array, count: number, signal: AbortSignal): Promise<readonly PeerRecord[]> {
    const { table, positionOf, clock, log, selfId, link } = this.#init
    const clean = (records: readonly PeerRecord[]): readonly PeerRecord[] => this.#clean(records)
    const failed = (peer: PeerRecord, reached: boolean): void => {
      if (reached) this.evict(peer.id)
      else this.unreachable(peer)
    }
    return find({ table, positionOf, clock, log, selfId, link, clean, failed }, target, count, signal)
  }

  /** Only whom others could dial, too: this is what answers pass on. */
  known(target: Uint8Array, count: number): readonly PeerRecord[] {
    const records = this.#init.table.nearestLive(target, count).map((contact) => contact.record)
    return records.filter((record) => record.addresses.length > 0)
  }

  learn(from: string, peers: readonly PeerRecord[]): void {
    for (const record of this.#clean(peers)) if (record.id !== from) this.#init.table.learn(record)
  }

  /** It did not do what was asked. */
  evict(peerId: string): void {
    if (this.#init.table.evict(peerId)) this.#init.onEvicted(peerId)
  }

  /** It could not be reached at these addresses. */
  unreachable(peer: PeerRecord): void {
    if (this.#init.table.unreachable(peer)) this.#init.onEvicted(peer.id)
  }

  /**
   * What a stranger names, by the profile's rules. Who is known already is taken as we know it: cheaper than reading
   * the addresses again, and nobody can change them that way.
   */
  #clean(records: readonly PeerRecord[]): readonly PeerRecord[] {
    const { table, positionOf, profile, selfId } = this.#init
    const kept: PeerRecord[] = []
    for (const { id, addresses } of records.slice(0, CLOSER_PEERS_MAX)) {
      if (id === selfId || table.hasFailed(id)) continue
      const known = table.record(id)
      if (known !== undefined) kept.push(known)
      else if (positionOf(id) !== undefined) kept.push({ id, addresses: keepAddresses(addresses, id, profile) })
    }
    return kept.filter((record) => record.addresses.length > 0)
  }
}
