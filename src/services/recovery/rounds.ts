/** Work that goes on in rounds: each says when the next is due, and one that fails is tried again, later and later. */
import { backoffMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { nameOf } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import { HOUR_MS } from '../../lib/time.ts'

const RETRY = { firstMs: 1_000, maxMs: HOUR_MS, factor: 2 } as const

/** Until the next round, in ms; `again` after a growing pause; `never` until somebody asks for one. */
export type Next = number | 'again' | 'never'

export interface RoundsComponents {
  readonly work: (signal: AbortSignal) => Promise<Next>
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}

export class Rounds implements Startable {
  readonly #c: RoundsComponents
  #abort = new AbortController()
  #cancel: (() => void) | undefined
  #running: Promise<void> | undefined
  /** When the next round is due, ms. */
  #dueAt = Infinity
  /** What was asked for while a round was under way. */
  #wantedAt = Infinity
  #attempt = 0
  #stopped = true

  constructor(components: RoundsComponents) {
    this.#c = components
  }

  start(): void {
    this.#abort = new AbortController()
    this.#stopped = false
    this.#dueAt = Infinity
    this.within(0)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#abort.abort()
    this.#cancel?.()
    await this.#running
  }

  /** A round in `ms` at the latest. */
  within(ms: number): void {
    const at = this.#c.clock.now() + ms
    if (this.#running !== undefined) this.#wantedAt = Math.min(this.#wantedAt, at)
    else if (at < this.#dueAt) this.#plan(at)
  }

  /** Tries now what waits for a retry: peers have come, or the network is back. */
  hurry(): void {
    if (this.#attempt === 0) return
    this.#attempt = 0
    this.within(0)
  }

  #plan(at: number): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#dueAt = at
    if (this.#stopped || at === Infinity) return
    this.#cancel = this.#c.clock.after(Math.max(0, at - this.#c.clock.now()), () => {
      this.#running = this.#round()
    })
  }

  async #round(): Promise<void> {
    this.#dueAt = Infinity
    const next = await this.#work()
    this.#running = undefined
    this.#attempt = next === 'again' ? this.#attempt + 1 : 0
    const ms = next === 'again' ? backoffMs(RETRY, this.#attempt - 1, this.#c.rng) : next === 'never' ? Infinity : next
    const wantedAt = this.#wantedAt
    this.#wantedAt = Infinity
    this.#plan(Math.min(this.#c.clock.now() + ms, wantedAt))
  }

  async #work(): Promise<Next> {
    try {
      return await this.#c.work(this.#abort.signal)
    } catch (error) {
      if (!this.#stopped) this.#c.log.warn('recovery could not go on', { error: nameOf(error) })
      return 'again'
    }
  }
}
