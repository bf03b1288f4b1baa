/**
 * The one writer of everything that belongs to the account. A change reads, decides and hands over its batch before the
 * next one reads, so none works on stale state; the disk may sync several batches at once. Facts become numbered events
 * in the same batch as what they report: no event without its cause, no cause without its event.
 */
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import { nameOf } from '../../lib/errors.ts'
import { KeyedQueue } from '../../lib/queue.ts'
import type { StoredEvent } from '../../store/records.ts'
import type { StoreOp } from '../../store/database.ts'

/** Something that happened, `noun:verbed`; `data` goes to watchers as JSON. */
export interface Fact {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

/** What one change writes. `done` runs once it is on disk. */
export interface Change<T> {
  readonly ops: readonly StoreOp[]
  readonly facts: readonly Fact[]
  readonly result: T
  readonly done?: () => void
}

export interface JournalStore {
  /**
   * Resolves once the ops are synced, all of them or none. Reads see them from the call on. Refused where a write has
   * failed since `generation`: what the ops were made from is then not what the disk has.
   */
  batch(ops: readonly StoreOp[], options: { readonly generation: number }): Promise<void>
  readonly generation: number
  readonly events: {
    /** Number of the newest event on the disk, 0 where there is none. */
    last(): number
    /** Ops that write the events under the next numbers. */
    append(events: readonly Omit<StoredEvent, 'number'>[]): { ops: readonly StoreOp[]; last: number }
  }
}

/** Changes that may wait at once. */
const WAITING_MAX = 10_000

export class Journal {
  readonly #store: JournalStore
  readonly #clock: Clock
  readonly #log: Logger
  readonly #queue = new KeyedQueue(WAITING_MAX)
  readonly #listeners = new Set<(last: number) => void>()
  readonly #failures = new Set<() => void>()

  constructor(components: { store: JournalStore; clock: Clock; log: Logger }) {
    this.#store = components.store
    this.#clock = components.clock
    this.#log = components.log
  }

  /** Runs `build` alone, then writes what it returns as one batch. Nothing of it happened where this throws. */
  async commit<T>(build: () => Promise<Change<T>> | Change<T>): Promise<T> {
    const { change, last, written } = await this.#queue.run('', async () => {
      const { generation } = this.#store
      const change = await build()
      const at = this.#clock.now()
      const events = change.facts.map((fact) => ({ version: 1, at, type: fact.type, data: JSON.stringify(fact.data) }))
      const appended = this.#store.events.append(events)
      const ops = [...change.ops, ...appended.ops]
      // Not awaited here: the next change may be prepared while the disk syncs this one.
      const written = ops.length === 0 ? Promise.resolve() : this.#store.batch(ops, { generation })
      written.catch(() => {})
      return { change, last: appended.last, written }
    })
    try {
      await written
    } catch (error) {
      this.#log.error('a change could not be written', { error: nameOf(error) })
      for (const listener of this.#failures) listener()
      throw error
    }
    change.done?.()
    if (change.facts.length > 0) for (const listener of this.#listeners) listener(last)
    return change.result
  }

  /** Calls back with the newest number after each change that had facts. */
  onEvent(listener: (last: number) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** Calls back when a batch failed: what is cached in memory may then be ahead of the disk and has to go. */
  onFailure(listener: () => void): void {
    this.#failures.add(listener)
  }

  /** Resolves when every change so far was written or failed. */
  async idle(): Promise<void> {
    await this.#queue.idle()
  }
}
