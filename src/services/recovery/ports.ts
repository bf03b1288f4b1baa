/** What recovery asks of its neighbours. A leaf: only types. */
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import type { Accounts } from '../../store/accounts.ts'
import type { StoreOp } from '../../store/database.ts'
import type { Devices } from '../../store/devices.ts'
import type { Recovery } from '../../store/recovery.ts'
import type { CardRecord } from '../../wire/holder.ts'
import type { RecoveredContact, RecoveredSetting } from '../../wire/recovery.ts'

/** Everything that the 24 words bring back besides the account itself. */
export interface RecoveryContent {
  readonly contacts: readonly RecoveredContact[]
  readonly settings: readonly RecoveredSetting[]
  /** The owner's profile in the encoding of `wire/content`. */
  readonly profile: Uint8Array | undefined
}

/** Records in the network. What was fetched is verified, and everybody who may have one was asked. Neither throws for the network. */
export interface RecoveryNetwork {
  /** `stale`: somebody knows a higher number. */
  publish(record: CardRecord, signal: AbortSignal): Promise<{ readonly receipts: number; readonly stale: boolean }>
  /** `complete`: enough have answered for nothing to mean that there is nothing. */
  fetch(
    key: Uint8Array,
    signal: AbortSignal,
  ): Promise<{ readonly record: CardRecord | undefined; readonly complete: boolean }>
}

/** Ops that bring content back, and what follows once they are on disk. */
export interface Restoring {
  readonly ops: readonly StoreOp[]
  /** Contacts that were not here before. */
  readonly contacts: number
  readonly settings: boolean
  readonly done: () => void
}

/** How content was found. */
export interface FoundHow {
  /** When the search began, ms: who was added since was added by this home's user. */
  readonly since: number
  /** By a home that has just come by its words. Otherwise it is somebody who has, or took, the recovery secret that says so. */
  readonly sure: boolean
}

/** The home: what is worth keeping of it, and how it takes that back. */
export interface RecoveryHome {
  gather(): Promise<RecoveryContent>
  /** For the change at hand. */
  restoreOps(content: RecoveryContent, found: FoundHow): Promise<Restoring>
}

/** One change of the account's records: written whole, with the facts that it makes true. */
export interface RecoveryChange<T> {
  readonly ops: readonly StoreOp[]
  readonly facts: readonly { readonly type: string; readonly data: Readonly<Record<string, unknown>> }[]
  readonly result: T
  readonly done?: () => void
}

export interface RecoveryJournal {
  commit<T>(build: () => Promise<RecoveryChange<T>> | RecoveryChange<T>): Promise<T>
}

/** Meets contacts again. */
export interface Meeter {
  /**
   * Finds the account in the network and pins it. The account that answers for it now (its successor, it may be). Throws
   * NotFoundError, NetworkError, IdentityChangedError.
   */
  find(accountId: Uint8Array): Promise<Uint8Array>
  /** Ops that ask the contact anew, for the change at hand; none where it is no contact to be asked. */
  greetOps(accountId: Uint8Array): Promise<{ readonly ops: readonly StoreOp[]; readonly added: () => void }>
}

export interface RecoveryDeps {
  readonly store: {
    readonly recovery: Recovery
    readonly accounts: Pick<Accounts, 'own' | 'put'>
    readonly devices: Pick<Devices, 'own'>
  }
  readonly journal: RecoveryJournal
  readonly network: RecoveryNetwork
  readonly home: RecoveryHome
  readonly meeter: Meeter
  /** The network has answered: what waited for that may go. */
  readonly onAnswer: () => void
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}
