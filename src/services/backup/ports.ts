/** What a backup is made of, and what a restoring asks. A leaf: only types. */
import type { HybridSeeds } from '../../crypto/hybrid.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Rng } from '../../lib/rng.ts'
import type { Accounts } from '../../store/accounts.ts'
import type { KeyFiles } from '../../store/atomic-file.ts'
import type { Contacts } from '../../store/contacts.ts'
import type { Conversations } from '../../store/conversations.ts'
import type { Database, StoreOp } from '../../store/database.ts'
import type { MarkRecords } from '../../store/marks.ts'
import type { Messages } from '../../store/messages.ts'
import type { Profiles } from '../../store/profiles.ts'
import type { SealedPaths } from '../../store/reseal.ts'
import type { Settings } from '../../store/settings.ts'
import type { Vault } from '../../store/vault.ts'
import type { AccountCard } from '../../wire/card.ts'

/** The open home that is copied. */
export interface BackupSource {
  readonly store: {
    readonly accounts: Pick<Accounts, 'own'>
    readonly settings: Pick<Settings, 'get'>
    readonly profiles: Pick<Profiles, 'get'>
    readonly contacts: Pick<Contacts, 'list'>
    readonly conversations: Pick<Conversations, 'all'>
    readonly messages: Pick<Messages, 'all'>
    readonly marks: Pick<MarkRecords, 'of'>
  }
  /** Of the account; wiped once they are written, and by the caller where it does not come to that. */
  readonly seeds: HybridSeeds
  /** Names of settings that are the user's, and not this device's. */
  readonly settings: readonly string[]
  readonly clock: Clock
}

/** What the network knows of an account that is brought back. */
export interface KnownCard {
  readonly newest?: AccountCard
  /** Whether enough have answered. */
  readonly asked: boolean
}

/** How an account comes to be in a home (`services/account/create.ts`). */
export interface AccountMaker {
  exists(): Promise<boolean>
  /** Takes away whatever is in the database of a home without an account. */
  clear(): Promise<void>
  /** The home's new vault, open. */
  makeVault(passphrase: string): Promise<Vault>
  /** Seals the account key, and returns what makes this device one of the account's. */
  establish(
    vault: Vault,
    seeds: HybridSeeds,
    options: { readonly newest: AccountCard; readonly above: number; readonly passphrase: string },
  ): Promise<readonly StoreOp[]>
}

/** The home that is filled. */
export interface RestoreContext {
  readonly crypto: CryptoProvider
  readonly rng: Rng
  readonly database: Database
  readonly files: SealedPaths
  readonly keyFiles?: KeyFiles
  readonly account: AccountMaker
}

export interface RestoreInput {
  /** The sealed file. */
  readonly backup: AsyncIterable<Uint8Array>
  readonly passphrase: string
  /** Seals the home from now on. */
  readonly newPassphrase: string
  readonly settings: readonly string[]
  /** Asked once, before anything is written. Throws ConflictError where the account has a successor. */
  lookFor(accountId: Uint8Array): Promise<KnownCard>
}
