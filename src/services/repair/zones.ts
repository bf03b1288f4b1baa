/**
 * The zones of what we hold. Most of it lies around our own place, where the routing table knows everybody: the table is
 * brought up to date there once a round, and then asked for nothing. Only for what we keep from outside its zone a search is made.
 */
import type { PeerRecord } from '../../wire/peer.ts'
import type { Rung } from '../../wire/letter.ts'
import { byDistance, rungPlacement, ZONE_CANDIDATES, ZONE_SIZE, zoneOf } from '../../protocol/replicas.ts'
import type { Placed } from '../../protocol/replicas.ts'
import type { RepairDeps } from './ports.ts'

type ZoneDeps = Pick<RepairDeps, 'crypto' | 'routing' | 'peers' | 'serving' | 'profile'>

/** Who answers for a rung of an address besides ourselves, nearest first, and whether we are one of them. */
export interface Zone {
  readonly members: readonly PeerRecord[]
  readonly hasSelf: boolean
}

/** One rung of an address or key, and its zone as it is seen in this round. */
export interface Place {
  readonly address: Uint8Array
  readonly rung: Rung
  zone: Zone
  /** Peers that were asked about everything at this place. */
  readonly asked: Set<string>
}

/** Brings the table up to date around our own place. */
export async function refresh(deps: ZoneDeps, signal: AbortSignal): Promise<void> {
  const position = deps.peers.position(deps.routing.self().id)
  if (position !== undefined) await deps.routing.closest(position, ZONE_CANDIDATES, signal)
}

export async function zoneAt(
  deps: ZoneDeps,
  address: Uint8Array,
  rung: Rung,
  isGone: (peerId: string) => boolean,
  signal: AbortSignal,
): Promise<Zone> {
  const target = rungPlacement(deps.crypto, address, rung)
  const known = drawn(deps, target, deps.routing.known(target, ZONE_CANDIDATES), isGone)
  if (known.some(({ peerId }) => peerId === deps.routing.self().id)) return withoutSelf(deps, known)
  const found = await deps.routing.closest(target, ZONE_CANDIDATES, signal)
  return withoutSelf(deps, drawn(deps, target, found, isGone))
}

/** The zone with ourselves in it, if we are near enough. */
function drawn(
  deps: ZoneDeps,
  target: Uint8Array,
  found: readonly PeerRecord[],
  isGone: (peerId: string) => boolean,
): Placed[] {
  const self = deps.routing.self()
  const others = found.filter(({ id }) => id !== self.id && !isGone(id))
  const placed: Placed[] = []
  for (const { id, addresses } of [...others, self]) {
    const position = deps.peers.position(id)
    if (position !== undefined) placed.push({ peerId: id, position, addresses })
  }
  const ordered = byDistance(target, placed)
  return deps.profile.diversity ? zoneOf(ordered) : ordered.slice(0, ZONE_SIZE)
}

function withoutSelf(deps: ZoneDeps, zone: readonly Placed[]): Zone {
  const self = deps.routing.self().id
  const others = zone.filter(({ peerId }) => peerId !== self)
  return {
    members: others.map(({ peerId, addresses }) => ({ id: peerId, addresses })),
    hasSelf: others.length < zone.length && deps.serving(),
  }
}
