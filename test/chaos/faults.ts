/** What happens to the daemons: killed, stopped in order, frozen, cut off, and always back. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiDaemon } from '../support/api-daemon.ts'
import type { Dice } from './dice.ts'

/** How long somebody is away on average, in times from fault to fault. */
const AWAY_FAULTS = 2

/** What happens to a network while people talk. */
export interface Trouble {
  /** Until then; resolves when everybody is back. */
  run(until: number): Promise<void>
  /** Not answering for a while, on purpose. */
  isAway(daemon: ApiDaemon): boolean
  /** What was done so far, and how often. */
  counts(): Readonly<Record<string, number>>
}

/** A daemon whose network can be taken away. */
export interface Cuttable {
  cut(): Promise<void>
  mend(): Promise<void>
}

/** Chances, out of their sum. */
export interface Mix {
  readonly freeze: number
  readonly stop: number
  /** Only for those that are {@link Cuttable}; the others are killed. */
  readonly cut: number
  readonly kill: number
}
const MIX: Mix = { freeze: 2, stop: 2, cut: 0, kill: 6 }

export interface FaultsInit {
  readonly daemons: readonly ApiDaemon[]
  readonly mix?: Mix
  readonly dice: Dice
  /** Mean time from one fault to the next. */
  readonly everyMs: number
  /** So many may be away at a time. */
  readonly awayMax: number
  readonly violation: (what: string) => void
}

export class Faults implements Trouble {
  readonly #counts = { kills: 0, stops: 0, freezes: 0, cuts: 0 }
  readonly #init: FaultsInit
  readonly #away = new Set<ApiDaemon>()
  readonly #episodes = new Set<Promise<void>>()

  constructor(init: FaultsInit) {
    this.#init = init
  }

  counts(): Readonly<Record<string, number>> {
    return { ...this.#counts }
  }

  isAway(daemon: ApiDaemon): boolean {
    return this.#away.has(daemon)
  }

  async run(until: number): Promise<void> {
    const { daemons, dice, awayMax, everyMs } = this.#init
    while (Date.now() < until) {
      await sleep(Math.max(0, Math.min(dice.wait(everyMs), until - Date.now())))
      const here = daemons.filter((daemon) => !this.#away.has(daemon))
      if (this.#away.size < awayMax && here.length > 0) this.#begin(dice.pick(here))
    }
    await Promise.all(this.#episodes)
  }

  #begin(daemon: ApiDaemon): void {
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

  async #episode(daemon: ApiDaemon): Promise<void> {
    const { mix = MIX, dice, everyMs } = this.#init
    const turn = dice.below(mix.freeze + mix.stop + mix.cut + mix.kill)
    if (turn < mix.freeze) return this.#freeze(daemon)
    if (turn < mix.freeze + mix.stop) await this.#stop(daemon)
    else if (turn < mix.freeze + mix.stop + mix.cut && isCuttable(daemon)) return this.#cut(daemon)
    else {
      this.#counts.kills++
      await daemon.kill()
    }
    await sleep(dice.wait(AWAY_FAULTS * everyMs))
    await daemon.start()
  }

  async #stop(daemon: ApiDaemon): Promise<void> {
    this.#counts.stops++
    try {
      const code = await daemon.stop()
      if (code !== 0) this.#init.violation(`${daemon.name} exited with ${code} when it was stopped`)
    } catch (error) {
      // It was killed for that, and comes back like the others.
      this.#init.violation(error instanceof Error ? error.message : String(error))
    }
  }

  async #freeze(daemon: ApiDaemon): Promise<void> {
    this.#counts.freezes++
    await daemon.freeze()
    try {
      await this.#while()
    } finally {
      await daemon.thaw()
    }
  }

  async #cut(daemon: Cuttable): Promise<void> {
    this.#counts.cuts++
    await daemon.cut()
    try {
      await this.#while()
    } finally {
      await daemon.mend()
    }
  }

  async #while(): Promise<void> {
    await sleep(this.#init.dice.wait(AWAY_FAULTS * this.#init.everyMs))
  }
}

/** A third may be away at a time: holders, recipients and senders alike. */
export const awayMaxOf = ({ length }: readonly ApiDaemon[]): number => Math.max(2, Math.floor(length / 3))

const isCuttable = (daemon: object): daemon is Cuttable => 'cut' in daemon
