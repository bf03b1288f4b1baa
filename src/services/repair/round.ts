/** What every step of one round has at hand. */
import { toHex, utf8 } from '../../lib/bytes.ts'
import { HOLDER_STATUS, HOLDER_VERB } from '../../wire/holder.ts'
import type { CardRecord, HolderStatus } from '../../wire/holder.ts'
import type { Tombstone } from '../../wire/letter.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import type { Offence } from '../../store/peer-notes.ts'
import type { HolderCaller } from '../ports.ts'
import type { Ages } from './ages.ts'
import type { Budget } from './budget.ts'
import type { Neighbours } from './neighbours.ts'
import type { RepairCounters, RepairDeps } from './ports.ts'
import type { SignedCopies } from './signed-copies.ts'
import type { Survey } from './survey.ts'
import type { Place } from './zones.ts'

/** Peers that are asked side by side, and questions to one of them. */
export const PEERS_AT_ONCE = 8
export const REQUESTS_AT_ONCE = 2
/** Records of ours that are read or written side by side. */
export const RECORDS_AT_ONCE = 8

export interface Round {
  readonly deps: RepairDeps
  readonly ages: Ages
  readonly budget: Budget
  readonly signed: SignedCopies
  readonly counters: RepairCounters
  readonly neighbours: Neighbours
  readonly survey: Survey
  readonly signal: AbortSignal
  /** By peer, see {@link drawn}. */
  readonly lots: Map<string, string>
  /** We are about to go: our own copies do not count. */
  readonly leaving: boolean
}

/** Whether the peer counts in this round: it answered, and was never caught lying. */
export function counts(round: Round, peerId: string): boolean {
  return !round.neighbours.isOut(peerId) && !round.deps.distrust.has(peerId)
}

/** Everyone of the zones of these places, once. */
export function membersOf(places: readonly Place[]): PeerRecord[] {
  const members = new Map<string, PeerRecord>()
  for (const { zone } of places) for (const peer of zone.members) members.set(peer.id, peer)
  return [...members.values()]
}

/** The peers in an order that nobody can foretell, the same all through a round: so that boxes choose the same partners. */
export function drawn(round: Round, peers: readonly PeerRecord[]): readonly PeerRecord[] {
  const lots = peers.map((peer) => ({ peer, lot: lot(round, peer.id) }))
  return lots.sort((a, b) => (a.lot < b.lot ? -1 : 1)).map(({ peer }) => peer)
}

function lot(round: Round, peerId: string): string {
  const drawn =
    round.lots.get(peerId) ?? toHex(round.deps.crypto.sha256(round.survey.salt, utf8(peerId)).subarray(0, 8))
  round.lots.set(peerId, drawn)
  return drawn
}

/** The peer lied: it is out, here and for a week. */
export function caught(round: Round, peerId: string, kind: Offence, bytes: Uint8Array): void {
  round.deps.distrust.note(peerId, kind, bytes)
  round.neighbours.drop(peerId)
  round.deps.log.warn('a holder was caught lying', { kind })
}

/** Has our own holder judge tombstones that a peer gave us, at most 64, at that peer's expense. */
export async function adoptTombstones(round: Round, from: string, tombstones: Tombstone[]): Promise<HolderStatus> {
  const { status } = await round.deps.holder(onBehalfOf(from), { kind: HOLDER_VERB.tomb, body: { tombstones } })
  if (status === HOLDER_STATUS.ok) round.counters.tombstones += tombstones.length
  return status
}

/** The same for a card. */
export async function adoptCard(round: Round, from: string, record: CardRecord): Promise<HolderStatus> {
  const { status } = await round.deps.holder(onBehalfOf(from), { kind: HOLDER_VERB.putCard, body: record })
  return status
}

/** A caller that has the peer's rations, and no stream. */
function onBehalfOf(peerId: string): HolderCaller {
  const challenge = new Uint8Array(32)
  return { peerId, ip: undefined, challenge, opened: new Set(), push: () => false, onClose() {} }
}
