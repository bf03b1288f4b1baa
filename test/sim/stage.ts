/** What everybody in one world shares. */
import type { CryptoProvider } from '../../src/crypto/provider.ts'
import type { NetworkProfile } from '../../src/lib/network-profile.ts'
import type { Rng } from '../../src/lib/rng.ts'
import type { QuotaLimits } from '../../src/services/holder/quotas.ts'
import type { Network, Peer } from './network.ts'
import type { Dice, Scheduler } from './scheduler.ts'

export interface Stage {
  readonly scheduler: Scheduler
  readonly dice: Dice
  /** The product's own randomness. */
  readonly rng: Rng
  readonly crypto: CryptoProvider
  readonly net: Network
  readonly profile: NetworkProfile
  readonly quotas: Partial<QuotaLimits>
  /** Peer ids of the holders that are up. */
  liveHolders(): readonly string[]
  /** A holder is up (again): some of those who are there notice. */
  holderCame(holder: Peer): void
  /** For the trace. */
  note(what: string, ...about: readonly (string | number)[]): void
}
