import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import type { HolderNetwork, LiarBook, PeerFacts, Routing } from '../ports.ts'

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
