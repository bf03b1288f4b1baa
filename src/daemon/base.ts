/** What a daemon has before any passphrase: clock, primitives, the network, the disk. */
import type { CryptoProvider } from '../crypto/provider.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { NetworkProfile } from '../lib/network-profile.ts'
import type { Rng } from '../lib/rng.ts'
import type { Host } from '../net/host.ts'
import type { AccountContext } from '../services/account/ports.ts'
import { hidden } from '../services/contacts/meetings.ts'
import type { MailDeps } from '../services/mailbox/deps.ts'
import type { Database } from '../store/database.ts'
import type { PeerRecord } from '../wire/peer.ts'

export interface Base {
  readonly clock: Clock
  readonly rng: Rng
  readonly crypto: CryptoProvider
  readonly log: Logger
  readonly profile: NetworkProfile
  readonly host: Host
  readonly mail: MailDeps
  readonly database: Database
  readonly account: AccountContext
  /** The user wants to be met directly by nobody: contacts reach us over relays and mailboxes only. */
  readonly neverDirect: boolean
}

/** What somebody is told of us who is not to learn our address. */
export function hiddenSelf({ host }: Pick<Base, 'host'>): PeerRecord {
  return hidden(host.routing.self(), host.reach().reachability === 'behind-nat')
}
