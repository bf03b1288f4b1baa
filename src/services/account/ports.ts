/** What the account's services ask of their neighbours, and what an unlocked account is. A leaf: only types. */
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import type { HybridSeeds } from '../../crypto/hybrid.ts'
import type { Argon2Cost, CryptoProvider } from '../../crypto/provider.ts'
import type { DeviceCertificate, HybridPublicKey } from '../../wire/card.ts'
import type { CardRecord } from '../../wire/holder.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import type { PrekeySlice, SliceReport } from '../../wire/prekey-slices.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'
import type { KeyFiles } from '../../store/atomic-file.ts'
import type { Database, StoreOp } from '../../store/database.ts'

/** What sessions, outbox and mailbox need while the daemon runs. The account's own signing key is not in it. */
export interface UnlockedAccount {
  readonly accountId: Uint8Array
  readonly account: HybridPublicKey
  readonly deviceId: Uint8Array
  /** As it was at unlock; the newest stands in the device's record. */
  readonly certificate: DeviceCertificate
  readonly signingSeeds: HybridSeeds
  /** X25519. */
  readonly identitySecret: Uint8Array
  readonly mailboxSeed: Uint8Array
  readonly introSeed: Uint8Array
  /** When this device's seeds were made, ms. */
  readonly createdAt: number
}

/** Files of a home that are sealed under the passphrase. */
interface AccountFiles {
  /** Opens the store. Needed every day. */
  readonly vault: string
  /** The account key. Needed to change the account card, and for nothing else. */
  readonly accountKey: string
}

/** What making, unlocking and rotating an account stand on. `cost` is for new sealings; default: 64 MiB, three passes. */
export interface AccountContext {
  readonly crypto: CryptoProvider
  readonly rng: Rng
  readonly clock: Clock
  readonly log: Logger
  readonly database: Database
  readonly files: AccountFiles
  readonly cost?: Argon2Cost
  /** Where `files` lie; default: the file system. */
  readonly keyFiles?: KeyFiles
}

/** One change of the account's records: written whole, with the facts that it makes true. */
export interface AccountChange<T> {
  readonly ops: readonly StoreOp[]
  readonly facts: readonly { readonly type: string; readonly data: Readonly<Record<string, unknown>> }[]
  readonly result: T
}

/** The one writer: changes run one after another, and each resolves once it is on disk. */
export interface ChangeLog {
  commit<T>(build: () => Promise<AccountChange<T>> | AccountChange<T>): Promise<T>
}

/** Card records in the network. Both throw NetworkError or TimeoutError where it does not answer. */
export interface CardNetwork {
  /** Puts the record on the holders nearest to its key. Says how many signed for it. */
  publish(record: CardRecord, signal?: AbortSignal): Promise<{ readonly receipts: number }>
  /** The newest record at `key` that holds by itself: the highest number among the answers. */
  fetch(key: Uint8Array, signal?: AbortSignal): Promise<CardRecord | undefined>
}

/** Holders of slices of one-time prekeys. None of these throws for the network. */
export interface SliceHolders {
  /** Who may keep slices of the device whose prekey card has this key, nearest first. */
  keepers(card: Uint8Array, signal: AbortSignal): Promise<readonly PeerRecord[]>
  /** Brings the card, then the slice. `older`: the holder knows a later number. */
  put(
    peer: PeerRecord,
    card: PrekeyCard,
    slice: PrekeySlice,
    signal: AbortSignal,
  ): Promise<'stored' | 'older' | 'refused' | 'busy' | 'away'>
  /** What is left of the slice; `none` where the holder has none of ours, `undefined` where it does not answer. */
  ask(
    peer: PeerRecord,
    card: Uint8Array,
    token: Uint8Array,
    signal: AbortSignal,
  ): Promise<SliceReport | 'none' | undefined>
}
