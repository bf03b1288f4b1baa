/** Sweeps out hourly what has run out. */
import type { Startable } from '../../lib/lifecycle.ts'
import { nameOf } from '../../lib/errors.ts'
import { HOUR_MS } from '../../lib/time.ts'
import type { HolderDeps } from './deps.ts'

const FIRST_SWEEP_MS = 60_000

export class ExpirySweeper implements Startable {
  readonly #deps: Pick<HolderDeps, 'clock' | 'held' | 'log'>
  #cancel: (() => void) | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(deps: Pick<HolderDeps, 'clock' | 'held' | 'log'>) {
    this.#deps = deps
  }

  start(): void {
    this.#schedule(FIRST_SWEEP_MS)
  }

  async stop(): Promise<void> {
    this.#cancel?.()
    this.#cancel = undefined
    await this.#running
  }

  #schedule(delayMs: number): void {
    this.#cancel = this.#deps.clock.after(delayMs, () => {
      this.#running = this.#running.then(() => this.#sweep())
      this.#schedule(HOUR_MS)
    })
  }

  async #sweep(): Promise<void> {
    try {
      const { letters, tombstones, cards } = await this.#deps.held.sweep(this.#deps.clock.now())
      this.#deps.log.debug('swept', { letters, tombstones, cards, corrupt: this.#deps.held.corrupt })
    } catch (error) {
      this.#deps.log.error('sweep failed', { error: nameOf(error) })
    }
  }
}
