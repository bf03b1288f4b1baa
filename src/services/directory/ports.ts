/** What the directory asks of its neighbours, and what it answers. A leaf: only types. */
import type { StoreOp } from '../../store/database.ts'
import type { Contact } from '../../store/records.ts'
import type { AccountCard } from '../../wire/card.ts'
import type { CardRecord } from '../../wire/holder.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'

/** An account as it stands in the network, verified. */
export interface ResolvedAccount {
  readonly accountId: Uint8Array
  readonly account: AccountCard
  /** Of each listed device that has one in force: its newest. */
  readonly prekeys: readonly PrekeyCard[]
  /** When the network was last asked, ms. */
  readonly checkedAt: number
}

/** Card records of the network. */
export interface CardReader {
  /**
   * The newest record at `key` that holds by itself: of the answers of at least three holders where there are as many.
   * `undefined` where they have none. Throws NetworkError where nobody answered, TimeoutError.
   */
  fetch(key: Uint8Array, signal?: AbortSignal): Promise<CardRecord | undefined>
}

/** Contacts by account id. */
export interface ContactBook {
  get(accountId: Uint8Array): Promise<Contact | undefined>
  put(contact: Contact): readonly StoreOp[]
}

/** One change of the contacts, written whole, with the facts that it makes true. */
export interface ContactChange<T> {
  readonly ops: readonly StoreOp[]
  readonly facts: readonly { readonly type: string; readonly data: Readonly<Record<string, unknown>> }[]
  readonly result: T
  /** Runs once the change is on disk. */
  readonly done?: () => void
}

/** The one writer: changes run one after another, and each resolves once it is on disk. */
export interface ChangeLog {
  commit<T>(build: () => Promise<ContactChange<T>> | ContactChange<T>): Promise<T>
}
