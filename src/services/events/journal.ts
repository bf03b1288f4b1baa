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

/**
 * Memory that changes move before the disk has them: caches of sessions, queues. All three run between two changes, never
 * beside one.
 */
export interface Follower {
  /** The change was handed to the disk: what memory made of it stands. */
  keep(): void
  /** The change came to nothing: memory goes back to what it was before it. */
  undo(): void
  /** A write failed, and memory may be ahead of the disk: it is read anew. */
  reload(): Promise<void>
}

/** Changes that may wait at once. */
const WAITING_MAX = 10_000

export class Journal {
  readonly #store: JournalStore
  readonly #clock: Clock
  readonly #log: Logger
  readonly #queue = new KeyedQueue(WAITING_MAX)
  readonly #listeners = new Set<(last: number, facts: readonly Fact[]) => void>()
  readonly #followers: Follower[] = []
  /** The store's generation that memory is of; `undefined` where a change was refused after memory had moved. */
  #generation: number | undefined

  constructor(components: { store: JournalStore; clock: Clock; log: Logger }) {
    this.#store = components.store
    this.#clock = components.clock
    this.#log = components.log
    this.#generation = components.store.generation
  }

  /** Runs `build` alone, then writes what it returns as one batch. Nothing of it happened where this throws. */
  async commit<T>(build: () => Promise<Change<T>> | Change<T>): Promise<T> {
    const { change, last, written } = await this.#queue.run('', async () => this.#write(build))
    try {
      await written
    } catch (error) {
      this.#log.error('a change could not be written', { error: nameOf(error) })
      throw error
    }
    change.done?.()
    if (change.facts.length > 0) for (const listener of this.#listeners) listener(last, change.facts)
    return change.result
  }

  async #write<T>(
    build: () => Promise<Change<T>> | Change<T>,
  ): Promise<{ readonly change: Change<T>; readonly last: number; readonly written: Promise<void> }> {
    const generation = await this.#catchUp()
    let change: Change<T>
    try {
      change = await build()
    } catch (error) {
      for (const follower of this.#followers) follower.undo()
      throw error
    }
    const at = this.#clock.now()
    const events = change.facts.map((fact) => ({ version: 1, at, type: fact.type, data: JSON.stringify(fact.data) }))
    const appended = this.#store.events.append(events)
    const ops = [...change.ops, ...appended.ops]
    // Not awaited here: the next change may be prepared while the disk syncs this one.
    const written = ops.length === 0 ? Promise.resolve() : this.#store.batch(ops, { generation })
    written.catch(() => {
      this.#generation = undefined
    })
    for (const follower of this.#followers) follower.keep()
    return { change, last: appended.last, written }
  }

  /** No change is built on memory that the disk does not bear out: where a write failed, everything is read anew first. */
  async #catchUp(): Promise<number> {
    const { generation } = this.#store
    if (this.#generation === generation) return generation
    for (const follower of this.#followers) await follower.reload()
    this.#generation = generation
    return generation
  }

  /** Calls back with the newest number, and the facts, after each change that had some. */
  onEvent(listener: (last: number, facts: readonly Fact[]) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** Keeps `follower` in step with the disk from now on. */
  follow(follower: Follower): void {
    this.#followers.push(follower)
  }

  /** Resolves when every change so far was handed to the disk or failed. */
  async idle(): Promise<void> {
    await this.#queue.idle()
  }
}
