/** Seals the keys when no user has done anything in a while. */
import type { Clock } from '../../lib/clock.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import { MINUTE_MS } from '../../lib/time.ts'
import type { UserSettings } from './values.ts'

/** Timers stand still while a machine sleeps: so late may the end be seen after it woke up, where nobody asks for anything. */
const LOOK_MS = 30_000

export interface AutoLockComponents {
  readonly settings: {
    current(): Pick<UserSettings, 'autoLockMinutes'>
    watch(watcher: () => void): () => void
  }
  readonly clock: Clock
  readonly lock: () => Promise<void> | void
}

export class AutoLock implements Startable {
  readonly #c: AutoLockComponents
  #usedAt = 0
  #cancel: (() => void) | undefined
  #unwatch: (() => void) | undefined
  /** Under way, or done: from then on nothing puts it off. */
  #locking: Promise<void> | undefined

  constructor(components: AutoLockComponents) {
    this.#c = components
  }

  start(): void {
    this.#usedAt = this.#c.clock.now()
    this.#locking = undefined
    this.#unwatch = this.#c.settings.watch(() => {
      this.#wait()
    })
    this.#wait()
  }

  stop(): void {
    this.#unwatch?.()
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** The user did something: the time begins anew, unless it is over. */
  async used(): Promise<void> {
    await this.lockIfDue()
    if (this.#locking === undefined) this.#usedAt = this.#c.clock.now()
  }

  /** Seals the keys where the time is over, whatever the timers have missed. Resolves when they are sealed. */
  async lockIfDue(): Promise<void> {
    if (this.#locking === undefined && this.#leftMs() <= 0) this.#locking = Promise.resolve(this.#c.lock())
    await this.#locking
  }

  #leftMs(): number {
    const { clock, settings } = this.#c
    const now = clock.now()
    // A clock that was set back does not give more time.
    this.#usedAt = Math.min(this.#usedAt, now)
    const { autoLockMinutes } = settings.current()
    return autoLockMinutes === null ? Number.POSITIVE_INFINITY : this.#usedAt + autoLockMinutes * MINUTE_MS - now
  }

  /** One timer, whatever is asked for meanwhile: it looks again when it fires. */
  #wait(): void {
    this.#cancel?.()
    this.#cancel = undefined
    const leftMs = this.#leftMs()
    if (leftMs === Number.POSITIVE_INFINITY || this.#locking !== undefined) return
    if (leftMs <= 0) {
      void this.lockIfDue()
      return
    }
    this.#cancel = this.#c.clock.after(Math.min(leftMs, LOOK_MS), () => {
      this.#wait()
    })
  }
}
