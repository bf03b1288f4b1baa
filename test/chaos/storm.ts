/** A storm over a network of real daemons, a quiet time after it, and the reckoning. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { canary, searchTrees } from '../support/canary.ts'
import { PASSPHRASE } from '../support/daemons.ts'
import type { Daemon, Testbed } from '../support/daemons.ts'
import { PersonDisk } from '../support/person-disk.ts'
import type { PersonSnapshot } from '../support/person-disk.ts'
import { Dice } from './dice.ts'
import { checkBounds, Disks, undead } from './disks.ts'
import { Faults } from './faults.ts'
import { Ledger } from './ledger.ts'
import type { Reckoning, Received } from './ledger.ts'
import { Load } from './load.ts'
import { startChaosNetwork } from './network.ts'
import type { ChaosNetwork } from './network.ts'
import { Truth } from './truth.ts'

/** A third may be away at a time: holders, recipients and senders alike. */
const AWAY_SHARE = 1 / 3
const LOOK_MS = 5_000
/** How long the quiet time may take until everything has arrived and everything deleted is gone. */
const QUIET_MS = 240_000

export interface StormInit {
  readonly nodes: number
  readonly people: number
  readonly minutes: number
  readonly seed: number
  /** Mean time from one fault to the next. */
  readonly faultEveryMs: number
  readonly repairIntervalMs: number
  readonly collectIntervalMs: number
  /** For whoever watches: what goes on. */
  readonly say: (line: string) => void
}

export interface StormResult {
  readonly nodes: number
  readonly minutes: number
  readonly kills: number
  readonly stops: number
  readonly accepted: number
  readonly delivered: number
  readonly duplicates: number
  readonly lost: number
  readonly violations: number
  readonly seconds: number
}

export class Storm {
  readonly #bed: Testbed
  readonly #init: StormInit
  readonly #dice: Dice
  readonly #ledger = new Ledger()
  readonly #violations = new Set<string>()
  readonly #secret = canary()
  readonly #begun = performance.now()

  constructor(bed: Testbed, init: StormInit) {
    this.#bed = bed
    this.#init = init
    this.#dice = new Dice(init.seed)
  }

  get violations(): readonly string[] {
    return [...this.#violations]
  }

  async run(): Promise<StormResult> {
    const { say, minutes } = this.#init
    const network = await this.#start()
    const accounts = new Map<string, string>()
    for (const person of network.people) accounts.set(person.name, await person.accountId())
    const faults = this.#faults(network)
    const truth = await this.#truth(network, accounts, faults)
    const load = new Load({
      people: network.people,
      accounts,
      ledger: this.#ledger,
      dice: this.#dice,
      secret: this.#secret,
    })
    say(`${this.#bed.daemons.length} daemons run after ${this.#seconds()} s; the storm begins`)
    const until = Date.now() + minutes * 60_000
    const storm = Promise.all([faults.run(until), load.run(until)])
    await this.#watch(storm, until, { truth, faults, network })
    await storm
    say(`the storm is over: ${faults.kills} kills, ${faults.stops} stops, ${faults.pauses} freezes`)
    const reckoning = await this.#calmDown(truth)
    await this.#lastLooks(truth, network)
    if (truth.statuses === 0 || truth.stories === 0) this.#violation('nobody was ever asked: nothing was checked')
    return this.#result(faults, reckoning)
  }

  async #start(): Promise<ChaosNetwork> {
    const { nodes, people, repairIntervalMs, collectIntervalMs } = this.#init
    const smallDisks = Math.floor(nodes / 7)
    return startChaosNetwork(this.#bed, { nodes, people, repairIntervalMs, collectIntervalMs, smallDisks })
  }

  /** People are twice as likely to be met: what they say then goes through mailboxes. */
  #faults({ people }: ChaosNetwork): Faults {
    return new Faults({
      daemons: [...this.#bed.daemons, ...people],
      dice: this.#dice,
      everyMs: this.#init.faultEveryMs,
      awayMax: Math.max(2, Math.floor(this.#bed.daemons.length * AWAY_SHARE)),
      violation: (what) => this.#violation(what),
    })
  }

  async #truth(network: ChaosNetwork, accounts: ReadonlyMap<string, string>, faults: Faults): Promise<Truth> {
    const people = []
    for (const daemon of network.people) people.push({ daemon, disk: await PersonDisk.open(daemon.home, PASSPHRASE) })
    return new Truth({
      people,
      daemons: this.#bed.daemons,
      accounts,
      ledger: this.#ledger,
      dice: this.#dice,
      isAway: (daemon) => faults.isAway(daemon),
      violation: (what) => this.#violation(what),
    })
  }

  #violation(what: string): void {
    if (this.#violations.has(what)) return
    this.#violations.add(what)
    this.#init.say(`VIOLATION ${what}`)
  }

  #seconds(): number {
    return Math.round((performance.now() - this.#begun) / 100) / 10
  }

  /** Looks again and again while the storm lasts. */
  async #watch(
    storm: Promise<unknown>,
    until: number,
    { truth, faults, network }: { truth: Truth; faults: Faults; network: ChaosNetwork },
  ): Promise<void> {
    const failed = storm.then(() => {})
    while (Date.now() < until) {
      await Promise.race([sleep(Math.min(LOOK_MS, until - Date.now())), failed])
      const disks = new Disks()
      const { delivered } = this.#ledger.reckon(receivedIn(await truth.round(disks)))
      await checkBounds(this.#bed.daemons, network.small, disks, (what) => this.#violation(what))
      this.#init.say(
        `${this.#seconds()} s: ${faults.kills} kills, ${faults.stops} stops; ${this.#ledger.accepted} accepted, ` +
          `${delivered} of them there; ${truth.statuses} statuses, ${truth.stories} stories, ${truth.receipts} receipts true`,
      )
    }
  }

  /** Waits until everything has arrived and its sender knows. */
  async #calmDown(truth: Truth): Promise<Reckoning> {
    const end = Date.now() + QUIET_MS
    for (;;) {
      const snapshots = await truth.round()
      const reckoning = this.#ledger.reckon(receivedIn(snapshots))
      const untold = this.#untold(snapshots)
      if (reckoning.lost.length + untold.length === 0 || Date.now() > end) {
        for (const { text, id } of reckoning.lost) this.#violation(`I1 ${id} never arrived: ${text.slice(0, 40)}`)
        for (const text of reckoning.duplicates) this.#violation(`I1c arrived twice: ${text.slice(0, 40)}`)
        for (const text of reckoning.foreign) this.#violation(`arrived from nowhere: ${text.slice(0, 40)}`)
        for (const text of untold) this.#violation(`I1b its sender does not know that it arrived: ${text.slice(0, 40)}`)
        truth.checkTimes(snapshots)
        return reckoning
      }
      this.#init.say(`${this.#seconds()} s: ${reckoning.lost.length} not there, ${untold.length} without a receipt`)
      await sleep(LOOK_MS / 2)
    }
  }

  /** Accepted sayings whose senders do not call them delivered. */
  #untold(snapshots: ReadonlyMap<string, PersonSnapshot>): readonly string[] {
    return [...snapshots.values()]
      .flatMap(({ messages }) => messages)
      .filter(({ outgoing, status }) => outgoing && status !== DELIVERED && status !== READ)
      .map(({ text }) => text)
  }

  async #lastLooks(truth: Truth, network: ChaosNetwork): Promise<void> {
    const { daemons, root } = this.#bed
    const end = Date.now() + QUIET_MS
    let left = await undead(daemons)
    while (left.length > 0 && Date.now() < end) {
      this.#init.say(`${this.#seconds()} s: ${left.length} deleted letters are still held somewhere`)
      await sleep(LOOK_MS)
      left = await undead(daemons)
    }
    for (const what of left) this.#violation(what)
    await checkBounds(daemons, network.small, new Disks(), (what) => this.#violation(what))
    await truth.round()
    for (const { file, form } of searchTrees([root], this.#secret).found) this.#violation(`I6 ${form} in ${file}`)
    for (const daemon of daemons) for (const line of complaints(daemon)) this.#violation(`${daemon.name} logs ${line}`)
  }

  #result(faults: Faults, { accepted, delivered, duplicates, lost }: Reckoning): StormResult {
    return {
      nodes: this.#init.nodes,
      minutes: this.#init.minutes,
      kills: faults.kills,
      stops: faults.stops,
      accepted,
      delivered,
      duplicates: duplicates.length,
      lost: lost.length,
      violations: this.#violations.size,
      seconds: this.#seconds(),
    }
  }
}

const DELIVERED = 3
const READ = 4

/** What everybody has received, by name. */
export function receivedIn(snapshots: ReadonlyMap<string, PersonSnapshot>): Received {
  return new Map([...snapshots].map(([name, { messages }]) => [name, messages.filter(({ outgoing }) => !outgoing)]))
}

/** Lines of the level `error`, each once, without their times. */
export function complaints(daemon: Daemon): readonly string[] {
  const lines = readFileSync(daemon.logFile, 'utf8').split('\n')
  return [
    ...new Set(lines.filter((line) => line.includes('"level":50')).map((line) => line.replace(/"time":"[^"]*",/, ''))),
  ]
}
