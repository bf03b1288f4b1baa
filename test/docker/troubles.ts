/** What happens to a town while people talk, by scenario. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Churn } from '../chaos/churn.ts'
import { awayMaxOf, Faults } from '../chaos/faults.ts'
import type { Trouble } from '../chaos/faults.ts'
import type { TroubleInit } from '../chaos/storm.ts'
import type { Dice } from '../chaos/dice.ts'
import type { ApiDaemon } from '../support/api-daemon.ts'
import type { ContainerDaemon } from './container.ts'
import { containerOf, docker } from './engine.ts'
import { REGIONS } from './plan.ts'
import type { Region } from './plan.ts'
import type { Town } from './town.ts'

const CHAOS_EVERY_MS = 2_500
const CHURN_EVERY_MS = 2_000
const PARTITION_EVERY_MS = 12_000
/** Of all of them, those that are upgraded at a time; and of the time, when the last of them is due. */
const FEW_SHARE = 1 / 8
const UPGRADE_SHARE = 3 / 4
const ROUTER = 'internet'

/** Everybody, of any role, is killed, stopped, frozen or cut off and comes back; people twice as often. */
export function chaos(town: Town, { network, dice, violation }: TroubleInit): Trouble {
  return new Faults({
    dice,
    violation,
    daemons: [...town.daemons, ...network.people],
    mix: { freeze: 2, stop: 2, cut: 3, kill: 3 },
    everyMs: CHAOS_EVERY_MS,
    awayMax: awayMaxOf(town.daemons),
  })
}

/** All bootstrap peers go for good, and the others come and go. */
export function churn(town: Town, init: TroubleInit): Trouble {
  const isBootstrap = ({ plan }: ContainerDaemon): boolean => plan.role === 'bootstrap'
  const others = town.daemons.filter((daemon) => !isBootstrap(daemon))
  return new Churn(init, { bootstraps: town.daemons.filter(isBootstrap), others, everyMs: CHURN_EVERY_MS })
}

/** Two sides of the internet, drawn anew each time, with nothing between them for a while. */
export class Partition implements Trouble {
  readonly #dice: Dice
  #cuts = 0

  constructor({ dice }: TroubleInit) {
    this.#dice = dice
  }

  async run(until: number): Promise<void> {
    const pause = async (): Promise<void> => {
      await sleep(Math.max(0, Math.min(this.#dice.wait(PARTITION_EVERY_MS), until - Date.now())))
    }
    while (Date.now() < until) {
      await this.#cut()
      try {
        await pause()
      } finally {
        await docker('exec', containerOf(ROUTER), 'router', 'heal')
      }
      await pause()
    }
  }

  async #cut(): Promise<void> {
    const [one, other] = sides(this.#dice)
    this.#cuts++
    await docker('exec', containerOf(ROUTER), 'router', 'cut', prefixes(one), prefixes(other))
  }

  /** Everybody can be asked all along: only the way between them is gone. */
  isAway(): boolean {
    return false
  }

  counts(): Readonly<Record<string, number>> {
    return { partitions: this.#cuts }
  }
}

/** One or two regions against the rest. */
export function sides(dice: Dice): readonly [readonly Region[], readonly Region[]] {
  const all = Object.keys(REGIONS) as readonly Region[]
  const one = dice.some(all, 1 + dice.below(2))
  return [one, all.filter((region) => !one.includes(region))]
}

const prefixes = (regions: readonly Region[]): string => regions.map((region) => REGIONS[region]).join(', ')

/** In any order, a few at a time, everybody goes on with the other image, spread over three quarters of the time. */
export class Upgrade implements Trouble {
  readonly #town: Town
  readonly #init: TroubleInit
  readonly #away = new Set<ApiDaemon>()
  #done = 0

  constructor(town: Town, init: TroubleInit) {
    this.#town = town
    this.#init = init
  }

  async run(until: number): Promise<void> {
    const { daemons } = this.#town
    const order = this.#init.dice.some(daemons, daemons.length)
    const few = Math.max(1, Math.floor(order.length * FEW_SHARE))
    const begun = Date.now()
    for (let at = 0; at < order.length; at += few) {
      await Promise.all(order.slice(at, at + few).map(async (daemon) => this.#upgrade(daemon)))
      const due = begun + ((until - begun) * UPGRADE_SHARE * (at + few)) / order.length
      await sleep(Math.max(0, due - Date.now()))
    }
    await sleep(Math.max(0, until - Date.now()))
  }

  async #upgrade(daemon: ContainerDaemon): Promise<void> {
    this.#away.add(daemon)
    try {
      await this.#town.upgrade(daemon)
      this.#done++
    } catch (error) {
      this.#init.violation(`${daemon.name}: ${error instanceof Error ? error.message : 'failed'}`)
    }
    this.#away.delete(daemon)
  }

  isAway(daemon: ApiDaemon): boolean {
    return this.#away.has(daemon)
  }

  counts(): Readonly<Record<string, number>> {
    return { upgrades: this.#done }
  }
}
