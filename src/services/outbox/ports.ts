/** What the outbox asks of its neighbours. A leaf: only types. */
import type { Letter, PutProof, Receipt } from '../../wire/letter.ts'
import type { StoreOp } from '../../store/database.ts'
import type { MessageStatus } from '../../protocol/message-status.ts'
import type { Contact, ContactDevice, OutboxItem } from '../../store/records.ts'
import type { Fact } from '../events/journal.ts'

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
  readonly refused: 'none' | 'lane' | 'stamp' | 'gone' | 'other' | 'nobody'
}

export interface OutboxMail {
  /** Puts the letter on the nearest holders; `exclude` names peers that must not hold it. Never throws for the network. */
  put(
    letter: Letter,
    proof: PutProof,
    options: { exclude: readonly string[]; onReceipt: (receipt: Receipt) => void; signal: AbortSignal },
  ): Promise<PutOutcome>
  /** A stamp for the letter, as dear as its size and life ask for. */
  stamp(letter: Letter, signal: AbortSignal): Promise<Letter>
}
