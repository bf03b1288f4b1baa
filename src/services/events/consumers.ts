/**
 * Readers of the event log that the daemon remembers by name. What one has acknowledged is on the disk before it hears so,
 * and is never handed to it again; what it has not is kept for it, within limits.
 */
import type { Clock } from '../../lib/clock.ts'
import { LimitError, NotFoundError, UsageError } from '../../lib/errors.ts'
import { DAY_MS, HOUR_MS } from '../../lib/time.ts'
import type { Consumer } from '../../store/consumers.ts'
import type { StoreOp } from '../../store/database.ts'
import { EVENTS_KEPT_MAX } from '../../store/events.ts'
import type { Journal } from './journal.ts'

export const CONSUMERS_MAX = 64
/** Who was not seen for this long is forgotten. */
const FORGOTTEN_MS = 90 * DAY_MS
/** Events are kept for whom was seen within this time. */
const LIVE_MS = 7 * DAY_MS
/** Reading alone is noted this often: an acknowledgement always is. */
const NOTED_MS = HOUR_MS
/** Events that are kept at most for a consumer in need; without one it is the store's own number. */
const NEEDED_MAX = 1_000_000

interface ConsumerStore {
  readonly consumers: {
    get(name: string): Promise<Consumer | undefined>
    all(): Promise<readonly Consumer[]>
    put(consumer: Consumer): StoreOp[]
    delete(name: string): StoreOp[]
  }
  readonly events: { last(): number }
}

export class Consumers {
  readonly #store: ConsumerStore
  readonly #journal: Pick<Journal, 'commit'>
  readonly #clock: Clock

  constructor(components: { store: ConsumerStore; journal: Pick<Journal, 'commit'>; clock: Clock }) {
    this.#store = components.store
    this.#journal = components.journal
    this.#clock = components.clock
  }

  /** By name. */
  async all(): Promise<readonly Consumer[]> {
    const all = await this.#store.consumers.all()
    return [...all].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /**
   * The consumer, which counts as seen. A new one begins after the number `from`, without it at the end of the log. Throws
   * LimitError where there are 64 others.
   */
  async open(name: string, from?: number): Promise<Consumer> {
    const known = await this.#store.consumers.get(name)
    if (known !== undefined && this.#clock.now() - known.seenAt < NOTED_MS) return known
    return this.#change(async () => {
      const before = (await this.#store.consumers.get(name)) ?? (await this.#made(name, from))
      return { ...before, seenAt: this.#clock.now() }
    })
  }

  /** Raises what it has acknowledged; a lower number changes nothing. Throws NotFoundError; UsageError beyond the log's end. */
  async acknowledge(name: string, number: number): Promise<Consumer> {
    return this.#change(async () => {
      const before = await this.#store.consumers.get(name)
      if (before === undefined) throw new NotFoundError('no such consumer')
      if (number > this.#store.events.last()) throw new UsageError('no event has this number yet')
      const acknowledged = Math.max(before.acknowledged, number)
      return { ...before, acknowledged, seenAt: this.#clock.now() }
    })
  }

  /** Throws NotFoundError. */
  async remove(name: string): Promise<void> {
    await this.#journal.commit(async () => {
      if ((await this.#store.consumers.get(name)) === undefined) throw new NotFoundError('no such consumer')
      return { ops: this.#store.consumers.delete(name), facts: [], result: undefined }
    })
  }

  /** How many events are kept: more than usual while a consumer of the last 7 days has not acknowledged them. */
  async keep(): Promise<number> {
    const now = this.#clock.now()
    const live = (await this.all()).filter(({ seenAt }) => now - seenAt < LIVE_MS)
    const behind = live.map(({ acknowledged }) => this.#store.events.last() - acknowledged)
    return Math.min(NEEDED_MAX, Math.max(EVENTS_KEPT_MAX, ...behind))
  }

  /** Forgets who was not seen for 90 days. */
  async sweep(): Promise<void> {
    await this.#journal.commit(async () => {
      const gone = (await this.all()).filter((consumer) => this.#forgotten(consumer))
      return { ops: gone.flatMap(({ name }) => this.#store.consumers.delete(name)), facts: [], result: undefined }
    })
  }

  async #made(name: string, from: number | undefined): Promise<Consumer> {
    const others = (await this.all()).filter((consumer) => !this.#forgotten(consumer))
    if (others.length >= CONSUMERS_MAX) throw new LimitError('there are 64 consumers already; remove one')
    const last = this.#store.events.last()
    const now = this.#clock.now()
    return { version: 1, name, acknowledged: Math.min(from ?? last, last), createdAt: now, seenAt: now }
  }

  #forgotten({ seenAt }: Consumer): boolean {
    return this.#clock.now() - seenAt > FORGOTTEN_MS
  }

  async #change(build: () => Promise<Consumer>): Promise<Consumer> {
    return this.#journal.commit(async () => {
      const result = await build()
      return { ops: this.#store.consumers.put(result), facts: [], result }
    })
  }
}
