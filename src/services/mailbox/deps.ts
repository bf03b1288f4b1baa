import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import type { HolderNetwork, Routing } from '../ports.ts'

/** What follows from a peer's id alone. */
export interface PeerFacts {
  /** Its Ed25519 key, 32 bytes; none for text that is no peer id. */
  publicKey(peerId: string): Uint8Array | undefined
  /** Where it stands among the addresses, 32 bytes. */
  position(peerId: string): Uint8Array | undefined
}

/** Who was caught lying (`services/distrust`). */
export interface LiarBook {
  has(peerId: string): boolean
  note(peerId: string, kind: 'receipt' | 'possession' | 'tombstone' | 'prekey', bytes: Uint8Array): void
}

/** The part of the network profile that the mailbox goes by. */
export interface MailProfile {
  readonly epochMs: number
  readonly stampBits: number
  readonly collectIntervalMs: number
  readonly diversity: boolean
}

/** What everything in this room is made of. */
export interface MailDeps {
  readonly clock: Clock
  readonly rng: Rng
  readonly crypto: CryptoProvider
  readonly network: HolderNetwork
  readonly routing: Routing
  readonly peers: PeerFacts
  readonly distrust: LiarBook
  readonly profile: MailProfile
  readonly log: Logger
}
