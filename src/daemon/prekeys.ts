/** The rooms around prekeys: the own cards, the pool of one-time prekeys, and bundles for sessions to come. */
import { OwnCards } from '../services/account/cards.ts'
import { FormerAccounts } from '../services/account/former.ts'
import { OwnPool } from '../services/account/own-pool.ts'
import type { UnlockedAccount } from '../services/account/ports.ts'
import type { Journal } from '../services/events/journal.ts'
import type { CardNetwork } from '../services/mailbox/card-network.ts'
import type { PrekeyHolders } from '../services/mailbox/prekeys.ts'
import { Bundles } from '../services/sessions/bundles.ts'
import type { Store } from '../store/store.ts'
import type { Vault } from '../store/vault.ts'
import type { Base } from './base.ts'

export interface PrekeyRoomsInit {
  readonly base: Base
  readonly vault: Vault
  readonly store: Store
  readonly account: UnlockedAccount
  readonly journal: Journal
  readonly network: CardNetwork
  readonly holders: PrekeyHolders
  /** Whether the account's card may not go out (yet). */
  readonly held: () => Promise<boolean>
}

export function prekeyRooms(init: PrekeyRoomsInit): {
  readonly cards: OwnCards
  readonly pool: OwnPool
  readonly bundles: Bundles
} {
  const { base, vault, store, account, journal, network, holders } = init
  const { crypto, clock, rng, profile } = base
  const shared = { account, journal, crypto, clock, rng, log: base.log.child('prekeys') }
  const cards = new OwnCards({
    ...shared,
    store: {
      accounts: store.accounts,
      devices: store.devices,
      prekeys: store.prekeys,
      former: new FormerAccounts(base.database, vault),
    },
    network,
    profile,
    stampBits: profile.stampBits,
    held: init.held,
    onRemade: () => {
      pool.changed()
    },
    log: base.log.child('cards'),
  })
  const pool: OwnPool = new OwnPool({ ...shared, store, holders, cards })
  return { cards, pool, bundles: new Bundles({ ...shared, source: holders }) }
}
