/**
 * Notices that the machine slept or moved to another network, which nothing else tells: timers stand still while it
 * sleeps, and connections over a network that is gone look open for minutes.
 */
import type { Clock } from '../../lib/clock.ts'
import type { Startable } from '../../lib/lifecycle.ts'

const TICK_MS = 2_000
/** A tick that comes later than this after its time: the machine slept, or the process was stopped. A busy one is late by less. */
const LATE_MS = 5_000

export type Change = 'slept' | 'interfaces'

export interface AwakeInit {
  readonly clock: Clock
  /** The machine's interfaces as one text; empty without any. */
  readonly interfaces: () => string
  readonly onChange: (change: Change) => void
}

export class Awake implements Startable {
  readonly #init: AwakeInit
  #seen = ''
  #cancel: (() => void) | undefined

  constructor(init: AwakeInit) {
    this.#init = init
  }

  start(): void {
    this.#seen = this.#init.interfaces()
    this.#later()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #later(): void {
    const { clock } = this.#init
    const dueAt = clock.now() + TICK_MS
    this.#cancel = clock.after(TICK_MS, () => {
      this.#later()
      this.#tick(clock.now() - dueAt)
    })
  }

  #tick(lateMs: number): void {
    const now = this.#init.interfaces()
    const changed = now !== this.#seen
    this.#seen = now
    // Without any interface there is nothing to be done; when one is there again, that is a change as well.
    if (now === '') return
    if (lateMs > LATE_MS) this.#init.onChange('slept')
    else if (changed) this.#init.onChange('interfaces')
  }
}
