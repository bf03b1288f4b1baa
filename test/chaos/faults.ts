/** What happens to the daemons: killed, stopped in order, frozen, and always back. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Daemon } from '../support/daemons.ts'
import type { Dice } from './dice.ts'

/** How long somebody is away on average, in times from fault to fault. */
const AWAY_FAULTS = 2

export interface FaultsInit {
  readonly daemons: readonly Daemon[]
  readonly dice: Dice
  /** Mean time from one fault to the next. */
  readonly everyMs: number
  /** So many may be away at a time. */
  readonly awayMax: number
  readonly violation: (what: string) => void
}

export class Faults {
  kills = 0
  stops = 0
  pauses = 0
  readonly #init: FaultsInit
  readonly #away = new Set<Daemon>()
  readonly #episodes = new Set<Promise<void>>()

  constructor(init: FaultsInit) {
    this.#init = init
  }

  /** Not answering for a while, on purpose. */
  isAway(daemon: Daemon): boolean {
    return this.#away.has(daemon)
  }

  /** Until then; resolves when everybody is back. */
  async run(until: number): Promise<void> {
    const { daemons, dice, awayMax, everyMs } = this.#init
    while (Date.now() < until) {
      await sleep(Math.max(0, Math.min(dice.wait(everyMs), until - Date.now())))
      const here = daemons.filter((daemon) => !this.#away.has(daemon))
      if (this.#away.size < awayMax && here.length > 0) this.#begin(dice.pick(here))
    }
    await Promise.all(this.#episodes)
  }

  #begin(daemon: Daemon): void {
    this.#away.add(daemon)
    const episode = this.#episode(daemon)
      .catch((error: unknown) => {
        this.#init.violation(`${daemon.name}: ${error instanceof Error ? error.message : 'failed'}`)
      })
      .finally(() => {
        this.#away.delete(daemon)
        this.#episodes.delete(episode)
      })
    this.#episodes.add(episode)
  }

  async #episode(daemon: Daemon): Promise<void> {
    const { dice, everyMs } = this.#init
    const kind = dice.below(10)
    if (kind < 2) return this.#freeze(daemon)
    if (kind < 4) await this.#stop(daemon)
    else {
      this.kills++
      await daemon.kill()
    }
    await sleep(dice.wait(AWAY_FAULTS * everyMs))
    await daemon.start()
  }

  async #stop(daemon: Daemon): Promise<void> {
    this.stops++
    try {
      const code = await daemon.stop()
      if (code !== 0) this.#init.violation(`${daemon.name} exited with ${code} when it was stopped`)
    } catch (error) {
      // It was killed for that, and comes back like the others.
      this.#init.violation(error instanceof Error ? error.message : String(error))
    }
  }

  async #freeze(daemon: Daemon): Promise<void> {
    const { dice, everyMs } = this.#init
    const { pid } = daemon
    if (pid === undefined) return
    this.pauses++
    process.kill(pid, 'SIGSTOP')
    try {
      await sleep(dice.wait(AWAY_FAULTS * everyMs))
    } finally {
      process.kill(pid, 'SIGCONT')
    }
  }
}
