/** A storm over a network of real daemons, a quiet time after it, and the reckoning. Where they run is the ground's matter. */
import { setTimeout as sleep } from 'node:timers/promises'
import { canary, searchTrees } from '../support/canary.ts'
import { PASSPHRASE } from '../support/daemons.ts'
import { PersonDisk } from '../support/person-disk.ts'
import type { PersonSnapshot } from '../support/person-disk.ts'
import { Dice } from './dice.ts'
import { checkBounds, Disks, undead } from './disks.ts'
import { awayMaxOf, Faults } from './faults.ts'
import type { Trouble } from './faults.ts'
import { Ledger } from './ledger.ts'
import type { Reckoning, Received } from './ledger.ts'
import { Load } from './load.ts'
import type { ChaosNetwork, Ground } from './network.ts'
import { Truth } from './truth.ts'

const LOOK_MS = 5_000
/** How long the quiet time may take until everything has arrived and everything deleted is gone. */
const QUIET_MS = 240_000

export interface StormInit {
  readonly minutes: number
  readonly seed: number
  /** Mean time from one fault to the next. */
  readonly faultEveryMs: number
  /** For whoever watches: what goes on. */
  readonly say: (line: string) => void
  /** What happens; {@link Faults} on everybody, people twice as often, where it is left out. */
  readonly trouble?: (given: TroubleInit) => Trouble
}

export interface TroubleInit {
  readonly network: ChaosNetwork
  readonly dice: Dice
  readonly violation: (what: string) => void
}

export interface StormResult {
  readonly nodes: number
  readonly minutes: number
  /** What was done to them, and how often. */
  readonly faults: Readonly<Record<string, number>>
  readonly accepted: number
  readonly delivered: number
  readonly duplicates: number
  readonly lost: number
  readonly violations: number
  /** Statuses compared, stories read, receipts looked up on disks. */
  readonly checked: { readonly statuses: number; readonly stories: number; readonly receipts: number }
  readonly seconds: number
}

export class Storm {
  readonly #ground: Ground
  readonly #init: StormInit
  readonly #dice: Dice
  readonly #ledger = new Ledger()
  readonly #violations = new Set<string>()
  readonly #secret = canary()
  readonly #begun = performance.now()

  constructor(ground: Ground, init: StormInit) {
    this.#ground = ground
    this.#init = init
    this.#dice = new Dice(init.seed)
  }

  get violations(): readonly string[] {
    return [...this.#violations]
  }

  async run(): Promise<StormResult> {
    const { say, minutes } = this.#init
    const network = await this.#ground.start()
    const accounts = new Map<string, string>()
    for (const person of network.people) accounts.set(person.name, await person.accountId())
    const faults = this.#trouble(network)
    const truth = await this.#truth(network, accounts, faults)
    const load = new Load({
      people: network.people,
      accounts,
      ledger: this.#ledger,
      dice: this.#dice,
      secret: this.#secret,
    })
    say(`${this.#ground.daemons.length} daemons run after ${this.#seconds()} s; the storm begins`)
    const until = Date.now() + minutes * 60_000
    const storm = Promise.all([faults.run(until), load.run(until)])
    await this.#watch(storm, until, { truth, faults, network })
    await storm
    say(`the storm is over: ${listed(faults)}`)
    const reckoning = await this.#calmDown(truth)
    await this.#lastLooks(truth, network)
    if (truth.statuses === 0 || truth.stories === 0) this.#violation('nobody was ever asked: nothing was checked')
    return this.#result(faults, truth, reckoning)
  }

  /** People are twice as likely to be met: what they say then goes through mailboxes. */
  #trouble(network: ChaosNetwork): Trouble {
    const { trouble, faultEveryMs } = this.#init
    const tools = { dice: this.#dice, violation: (what: string) => this.#violation(what) }
    if (trouble !== undefined) return trouble({ network, ...tools })
    return new Faults({
      ...tools,
      daemons: [...this.#ground.daemons, ...network.people],
      everyMs: faultEveryMs,
      awayMax: awayMaxOf(this.#ground.daemons),
    })
  }

  async #truth(network: ChaosNetwork, accounts: ReadonlyMap<string, string>, faults: Trouble): Promise<Truth> {
    const people = []
    for (const daemon of network.people) people.push({ daemon, disk: await PersonDisk.open(daemon.home, PASSPHRASE) })
    return new Truth({
      people,
      daemons: this.#ground.daemons,
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
    { truth, faults, network }: { truth: Truth; faults: Trouble; network: ChaosNetwork },
  ): Promise<void> {
    const failed = storm.then(() => {})
    while (Date.now() < until) {
      await Promise.race([sleep(Math.min(LOOK_MS, until - Date.now())), failed])
      const disks = new Disks()
      const { delivered } = this.#ledger.reckon(receivedIn(await truth.round(disks)))
      await checkBounds(this.#ground.daemons, network.small, disks, (what) => this.#violation(what))
      this.#init.say(
        `${this.#seconds()} s: ${listed(faults)}; ${this.#ledger.accepted} accepted, ` +
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
    const { daemons, root } = this.#ground
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
    for (const daemon of daemons) {
      for (const line of complaints(await daemon.readLog())) this.#violation(`${daemon.name} logs ${line}`)
    }
    for (const { file, form } of searchTrees([root], this.#secret).found) this.#violation(`I6 ${form} in ${file}`)
  }

  #result(
    faults: Trouble,
    { statuses, stories, receipts }: Truth,
    { accepted, delivered, duplicates, lost }: Reckoning,
  ): StormResult {
    return {
      nodes: this.#ground.daemons.length,
      minutes: this.#init.minutes,
      faults: faults.counts(),
      accepted,
      delivered,
      duplicates: duplicates.length,
      lost: lost.length,
      violations: this.#violations.size,
      checked: { statuses, stories, receipts },
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
export function complaints(log: string): readonly string[] {
  const lines = log.split('\n')
  return [
    ...new Set(lines.filter((line) => line.includes('"level":50')).map((line) => line.replace(/"time":"[^"]*",/, ''))),
  ]
}

const listed = (trouble: Trouble): string =>
  Object.entries(trouble.counts())
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')
