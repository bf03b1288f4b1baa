/** Nobody to join by any more: the bootstrap peers are killed for good, then everybody else comes and goes. */
import type { ApiDaemon } from '../support/api-daemon.ts'
import { awayMaxOf, Faults } from './faults.ts'
import type { Trouble } from './faults.ts'
import type { TroubleInit } from './storm.ts'

export interface ChurnInit {
  readonly bootstraps: readonly ApiDaemon[]
  readonly others: readonly ApiDaemon[]
  /** Mean time from one who goes to the next. */
  readonly everyMs: number
}

export class Churn implements Trouble {
  readonly #bootstraps: readonly ApiDaemon[]
  readonly #faults: Faults

  constructor({ network, dice, violation }: TroubleInit, { bootstraps, others, everyMs }: ChurnInit) {
    this.#bootstraps = bootstraps
    this.#faults = new Faults({
      dice,
      violation,
      daemons: [...others, ...network.people],
      mix: { freeze: 0, stop: 5, cut: 2, kill: 3 },
      everyMs,
      awayMax: awayMaxOf(others),
    })
  }

  async run(until: number): Promise<void> {
    await Promise.all(this.#bootstraps.map(async (daemon) => daemon.kill()))
    await this.#faults.run(until)
  }

  isAway(daemon: ApiDaemon): boolean {
    return this.#faults.isAway(daemon)
  }

  counts(): Readonly<Record<string, number>> {
    return {
      'bootstrap peers gone': this.#bootstraps.filter(({ running }) => !running).length,
      ...this.#faults.counts(),
    }
  }
}
