/** What building the search index asks of its neighbours. A leaf: only types. */
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { StoreOp } from '../../store/database.ts'
import type { Indexed } from '../../store/search-index.ts'

/** The index, as far as it is built here (`store/search-index.ts`). */
export interface BuiltIndex {
  task(): Promise<'clear' | 'build' | 'none'>
  frontier(contact: Uint8Array): Promise<number | undefined>
  buildOps(contact: Uint8Array, messages: readonly Indexed[], from: number): Promise<readonly StoreOp[]>
  builtOps(): Promise<readonly StoreOp[]>
  reset(): Promise<void>
  /** Part of the index is damaged, and its task is `clear`. */
  watchDamage(listener: () => void): void
  tend(): Promise<void>
  idle(): Promise<void>
}

/** The messages that there are, with the texts that are shown. */
export interface ShownMessages {
  /** Every conversation, the one that matters most first. */
  contacts(): Promise<readonly Uint8Array[]>
  /** Up to `limit` messages before the order `before` (or the newest), newest first. */
  older(contact: Uint8Array, before: number | undefined, limit: number): Promise<readonly Indexed[]>
}

interface SearchChange {
  readonly ops: readonly StoreOp[]
  readonly facts: readonly []
  readonly result: boolean
}

export interface SearchDeps {
  readonly index: BuiltIndex
  readonly messages: ShownMessages
  /** The one writer: nothing changes between what a build reads and what it writes. */
  readonly journal: { commit(build: () => Promise<SearchChange>): Promise<boolean> }
  readonly clock: Clock
  readonly log: Logger
}
