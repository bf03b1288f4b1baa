/** What repair is made of, and what it asks of the other rooms. Types only. */
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import type { HeldStore } from '../../store/held.ts'
import type { Sighting } from '../../store/peer-notes.ts'
import type { HolderHandler, HolderNetwork, LiarBook, PeerFacts, Routing } from '../ports.ts'

/** Where the ages of peers outlive the process (`store/peer-notes`). */
export interface AgesStore {
  load(): Promise<readonly Sighting[]>
  save(sightings: readonly Sighting[]): Promise<void>
}

/** The part of the network profile that repair goes by. */
export interface RepairProfile {
  readonly repairIntervalMs: number
  readonly diversity: boolean
}

export interface RepairDeps {
  readonly clock: Clock
  readonly rng: Rng
  readonly crypto: CryptoProvider
  readonly network: Pick<HolderNetwork, 'link' | 'onPeerChange'>
  readonly routing: Pick<Routing, 'self' | 'closest' | 'known' | 'learn' | 'evict'>
  readonly peers: PeerFacts
  readonly held: HeldStore
  /** One's own holder (`services/holder`): it judges what others gave us as it judges what they bring. */
  readonly holder: HolderHandler
  /** Whether that holder is open to others, so that oneself is one of the zone. */
  readonly serving: () => boolean
  readonly distrust: LiarBook
  readonly profile: RepairProfile
  readonly log: Logger
  readonly ages?: AgesStore
}

/** What repair has done since the process began. */
export interface RepairCounters {
  rounds: number
  /** Proofs that were checked. */
  audited: number
  /** Letters and cards that were brought to others, and their bytes. */
  copies: number
  copiedBytes: number
  /** Tombstones that were learnt of, and those told of. */
  tombstones: number
  /** Peers that did not answer or answered nonsense, counted once a round; and rounds that came to nothing. */
  failures: number
}
