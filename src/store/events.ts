import { ConflictError } from '../lib/errors.ts'
import type { Database, StoreOp, Tracker } from './database.ts'
import { eventCodec } from './records.ts'
import type { StoredEvent } from './records.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/** Events that are kept; older ones go in a sweep. */
export const EVENTS_KEPT_MAX = 100_000
/** The newest events, kept opened for those who watch. */
const CACHED = 256
/** Events that one answer holds at most. */
const SINCE_MAX = 1_000
/** Events deleted by one batch of a sweep. */
const SWEEP_OPS_MAX = 1_000

/** Facts numbered from 1 without gaps, in the order of their batches. */
export class Events {
  readonly #database: Database
  readonly #records: Repository<StoredEvent>
  #first = 1
  /** The newest event that a batch took on, and the newest on the disk. */
  #last = 0
  #committed = 0

  private constructor(database: Database, vault: Vault) {
    this.#database = database
    this.#records = new Repository(database, vault, 'events', eventCodec, CACHED)
  }

  static async open(database: Database, vault: Vault): Promise<Events> {
    const events = new Events(database, vault)
    const [oldest] = await events.#records.list({ limit: 1 })
    const [newest] = await events.#records.list({ reverse: true, limit: 1 })
    events.#first = oldest?.number ?? 1
    events.#last = events.#committed = newest?.number ?? 0
    return events
  }

  /** The number of the oldest event that is kept; one more than {@link last} where there is none. */
  first(): number {
    return this.#first
  }

  /** The number of the newest event on the disk, 0 before the first. */
  last(): number {
    return this.#committed
  }

  /**
   * Operations that write the events under the numbers after those taken so far. Hand them to `batch` before anything else is
   * awaited: numbers are taken when the batch is, and a batch whose numbers another one took throws ConflictError. A
   * batch that fails gives its numbers back.
   */
  append(events: readonly Omit<StoredEvent, 'number'>[]): { readonly ops: readonly StoreOp[]; readonly last: number } {
    const ops = events.flatMap((event, i) => {
      const number = this.#last + 1 + i
      return this.#records.put({ order: number }, { ...event, number }, this.#tracker(number))
    })
    return { ops, last: this.#last + events.length }
  }

  /** Up to `limit` (at most 1,000) events with higher numbers, in order: none that a failing disk could still take back. */
  async since(number: number, limit: number): Promise<readonly StoredEvent[]> {
    const most = Math.min(limit, SINCE_MAX)
    const last = Math.min(this.#committed, number + most)
    // Watchers ask for the newest few, which are in memory still.
    if (number + 1 < this.#first || last - number > CACHED) {
      return this.#records.list({ from: number + 1, before: this.#committed + 1, limit: most })
    }
    const numbers = Array.from({ length: Math.max(0, last - number) }, (_, i) => number + 1 + i)
    const events = await Promise.all(numbers.map(async (order) => this.#records.get({ order })))
    return events.filter((event) => event !== undefined)
  }

  /** Deletes the oldest events beyond `keep` (at least 1: the newest one carries the number on). */
  async sweep(keep = EVENTS_KEPT_MAX): Promise<number> {
    const end = this.#committed - Math.max(1, keep)
    const removed = Math.max(0, end - this.#first + 1)
    while (this.#first <= end) {
      const next = Math.min(end + 1, this.#first + SWEEP_OPS_MAX)
      const ops: StoreOp[] = []
      for (let number = this.#first; number < next; number++) ops.push(...this.#records.delete({ order: number }))
      await this.#database.batch(ops)
      this.#first = next
    }
    return removed
  }

  #tracker(number: number): Tracker {
    return {
      accepted: () => {
        if (number !== this.#last + 1) throw new ConflictError('the number of an event is taken')
        this.#last = number
      },
      committed: () => {
        this.#committed = number
      },
      failed: () => {
        this.#last = Math.min(this.#last, number - 1)
      },
    }
  }
}
