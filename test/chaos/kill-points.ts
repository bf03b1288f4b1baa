/** `kill -9` at random points of everything that a daemon does: nothing acknowledged is lost, nothing comes twice. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Testbed } from '../support/daemons.ts'
import { heldOnDisk } from '../support/holder-disk.ts'
import { Dice } from './dice.ts'
import { undead } from './disks.ts'
import type { Reckoning } from './ledger.ts'
import { startChaosNetwork } from './network.ts'
import { KILLS, ROLES } from './roles.ts'
import type { Role } from './roles.ts'
import { Scene } from './scene.ts'
import { complaints, receivedIn } from './storm.ts'

export { ROLES } from './roles.ts'

const NODES = 8
const REPAIR_INTERVAL_MS = 2_000
const COLLECT_INTERVAL_MS = 3_000
const QUIET_MS = 120_000
const LOOK_MS = 500

export interface KillPointsInit {
  readonly seed: number
  readonly say: (line: string) => void
}

export interface RoleResult {
  readonly role: Role
  readonly kills: number
  readonly losses: number
}

export interface KillPointsResult {
  readonly kills: number
  readonly losses: number
  readonly accepted: number
  readonly delivered: number
  readonly duplicates: number
  readonly roles: readonly RoleResult[]
  readonly seconds: number
}

export class KillPoints {
  readonly #bed: Testbed
  readonly #init: KillPointsInit
  readonly #kills = new Map<Role, number>()
  readonly #losses = new Map<Role, number>()
  readonly #begun = performance.now()
  /** Everything that went wrong, in words. */
  readonly faults: string[] = []
  #scene: Scene | undefined
  #role: Role = 'put'

  constructor(bed: Testbed, init: KillPointsInit) {
    this.#bed = bed
    this.#init = init
  }

  async start(): Promise<void> {
    const times = { repairIntervalMs: REPAIR_INTERVAL_MS, collectIntervalMs: COLLECT_INTERVAL_MS }
    const network = await startChaosNetwork(this.#bed, { nodes: NODES, people: 2, smallDisks: 0, ...times })
    this.#scene = await Scene.open(network, new Dice(this.#init.seed), (what) => this.#loss(what))
    this.#init.say(`${NODES} daemons run after ${this.#seconds()} s`)
  }

  /** Kills somebody in this role until that has happened so often. */
  async play(role: Role, kills: number): Promise<void> {
    this.#role = role
    const scene = this.#open()
    for (let turn = 0; (this.#kills.get(role) ?? 0) < kills; turn++) {
      const count = await KILLS[role](scene, turn)
      this.#kills.set(role, (this.#kills.get(role) ?? 0) + count)
    }
    this.#init.say(`${this.#seconds()} s: ${role} ${this.#kills.get(role) ?? 0} kills`)
  }

  /** Everybody comes back, and everything that was accepted is there, once, and nowhere else. */
  async finish(): Promise<KillPointsResult> {
    const scene = this.#open()
    for (const daemon of scene.everybody) if (!daemon.running) await daemon.start()
    const reckoning = await this.#arrived(scene)
    await this.#gone(scene)
    for (const daemon of scene.everybody)
      for (const line of complaints(await daemon.readLog())) this.#loss(`${daemon.name} logs ${line}`)
    return this.#result(reckoning)
  }

  async #arrived(scene: Scene): Promise<Reckoning> {
    const end = Date.now() + QUIET_MS
    for (;;) {
      const names = [scene.alice, scene.bob]
      const snapshots = new Map(
        await Promise.all(names.map(async (daemon) => [daemon.name, await scene.look(daemon)] as const)),
      )
      const reckoning = scene.ledger.reckon(receivedIn(snapshots))
      if (reckoning.lost.length === 0 || Date.now() > end) {
        for (const { text } of reckoning.lost) this.#loss(`never arrived: ${text}`, roleOf(text))
        for (const text of [...reckoning.duplicates, ...reckoning.foreign])
          this.#loss(`repeated: ${text}`, roleOf(text))
        return reckoning
      }
      await sleep(LOOK_MS)
    }
  }

  /** What was read is deleted everywhere, however often the reader was killed while it said so. */
  async #gone(scene: Scene): Promise<void> {
    const end = Date.now() + QUIET_MS
    let left = await this.#leftOf(scene)
    while (left.length > 0 && Date.now() < end) {
      await sleep(LOOK_MS)
      left = await this.#leftOf(scene)
    }
    for (const what of left) this.#loss(what, 'delete')
  }

  async #leftOf(scene: Scene): Promise<readonly string[]> {
    const risen = await undead(scene.everybody)
    const left: string[] = [...risen]
    for (const holder of scene.everybody) {
      const { letters } = await heldOnDisk(holder.home)
      for (const id of letters) if (scene.letters.has(id)) left.push(`${holder.name} still holds ${id.slice(0, 12)}`)
    }
    return left
  }

  #open(): Scene {
    if (this.#scene === undefined) throw new TypeError('not started')
    return this.#scene
  }

  #loss(what: string, role: Role = this.#role): void {
    this.#losses.set(role, (this.#losses.get(role) ?? 0) + 1)
    this.faults.push(`${role}: ${what}`)
    this.#init.say(`LOSS in ${role}: ${what}`)
  }

  #seconds(): number {
    return Math.round((performance.now() - this.#begun) / 100) / 10
  }

  #result({ accepted, delivered, duplicates }: Reckoning): KillPointsResult {
    const roles = ROLES.map((role) => ({
      role,
      kills: this.#kills.get(role) ?? 0,
      losses: this.#losses.get(role) ?? 0,
    }))
    const sum = (field: 'kills' | 'losses'): number => roles.reduce((total, each) => total + each[field], 0)
    return {
      kills: sum('kills'),
      losses: sum('losses'),
      accepted,
      delivered,
      duplicates: duplicates.length,
      roles,
      seconds: this.#seconds(),
    }
  }
}

/** The role whose turn the words name. */
function roleOf(text: string): Role {
  return ROLES.find((role) => text.includes(`: ${role}`)) ?? 'rotate'
}
