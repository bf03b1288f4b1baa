/** What the outbox asks of its neighbours. A leaf: only types. */
import type { CryptoProvider } from '../../crypto/provider.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import type { Letter, PutProof, Receipt, Rung } from '../../wire/letter.ts'
import type { StoreOp } from '../../store/database.ts'
import type { MessageStatus } from '../../protocol/message-status.ts'
import type { Contact, ContactDevice, OutboxItem } from '../../store/records.ts'
import type { DirectNetwork } from '../ports.ts'
import type { Fact, Journal } from '../events/journal.ts'
import type { Entry } from './queue.ts'

export type Sealed = NonNullable<OutboxItem['sealed']>

export interface OutboxStore {
  get(sequence: number): Promise<OutboxItem | undefined>
  put(item: OutboxItem): readonly StoreOp[]
  delete(sequence: number): readonly StoreOp[]
  all(): AsyncIterable<OutboxItem>
  /** A number that no item has or had. */
  next(): number
}

export interface OutboxHistory {
  put(item: OutboxItem): readonly StoreOp[]
  of(messageId: Uint8Array): Promise<readonly OutboxItem[]>
}

export interface OutboxSessions {
  /** Fetches a one-time prekey where {@link seal} would begin a session; `undefined` where not. Seconds at most; never rejects. */
  prepare?(contact: Contact, device: ContactDevice): Promise<void> | undefined
  /**
   * Encrypts for a device inside a journal change: the ops hold the session's new state. Throws NotFoundError where the
   * device has no prekeys yet, IdentityChangedError where its account's keys changed.
   */
  seal(
    contact: Contact,
    device: ContactDevice,
    content: Uint8Array,
  ): Promise<{ ops: readonly StoreOp[]; sealed: Sealed }>
  /** The device has read an envelope of this chain: headers may be short from now on. */
  acknowledge(contact: Uint8Array, deviceId: Uint8Array, sealed: Sealed): Promise<readonly StoreOp[]>
}

export interface OutboxContacts {
  get(accountId: Uint8Array): Promise<Contact | undefined>
}

export interface OutboxMessages {
  advanceOps(
    contact: Uint8Array,
    ids: readonly Uint8Array[],
    status: MessageStatus,
    way?: { readonly path: OutboxItem['path']; readonly receipts: number },
  ): Promise<{ ops: readonly StoreOp[]; facts: readonly Fact[] }>
}

/** How a put ended: its receipts, and what most holders said where there are too few. */
export interface PutOutcome {
  readonly receipts: readonly Receipt[]
  readonly refused: 'none' | 'lane' | 'stamp' | 'gone' | 'full' | 'other' | 'nobody'
}

/** What the zone showed of a letter: who has it, whether it was deleted by someone who knew how, and how many said anything. */
export interface LookOutcome {
  readonly holding: readonly string[]
  readonly dead: boolean
  readonly answers: number
}

export interface OutboxMail {
  /** Puts the letter on the nearest holders of a rung; `exclude` names peers that must not hold it. Never throws for the network. */
  put(
    letter: Letter,
    proof: PutProof,
    options: { rung: Rung; exclude: readonly string[]; onReceipt: (receipt: Receipt) => void; signal: AbortSignal },
  ): Promise<PutOutcome>
  /** A stamp for the letter, as dear as its size and life ask for, and `extraBits` more. */
  stamp(letter: Letter, signal: AbortSignal, extraBits?: number): Promise<Letter>
  /** Who of a rung still has these letters, in their order. Never throws for the network. */
  look(
    letters: readonly { readonly id: Uint8Array; readonly letter: Letter; readonly receipts: readonly Receipt[] }[],
    options: { rung: Rung; signal: AbortSignal },
  ): Promise<readonly LookOutcome[]>
}

export interface OutboxComponents {
  readonly store: OutboxStore
  /** Where the stories of settled items are kept, for `msg why`. */
  readonly history: OutboxHistory
  readonly journal: Journal
  readonly sessions: OutboxSessions
  readonly messages: OutboxMessages
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}

/** What carries items out of the outbox: besides the outbox itself. */
export interface WorkerPorts {
  readonly contacts: OutboxContacts
  readonly sessions: OutboxSessions
  readonly messages: OutboxMessages
  readonly direct: DirectNetwork
  readonly mail: OutboxMail
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  readonly profile: { readonly epochMs: number }
}

/** What a receipt changes. */
export interface Settled {
  readonly ops: readonly StoreOp[]
  readonly facts: readonly Fact[]
}

/** A change to an item; none where it returns none, or the item was settled meanwhile. `extra` adds to the same batch. */
export interface Update {
  readonly entry: Entry
  readonly change: (item: OutboxItem) => OutboxItem | undefined | Promise<OutboxItem | undefined>
  readonly extra?: (item: OutboxItem) => Promise<{ ops: readonly StoreOp[]; facts: readonly Fact[] }>
}
