/** One seed: three people write to three others while everything goes wrong; then it stops, and all must come right. */
import type { Daemon } from '../../src/daemon/daemon.ts'
import type { UnlockedRooms } from '../../src/daemon/build-rooms.ts'
import { fromHex, toHex } from '../../src/lib/bytes.ts'
import { seededRng } from '../../src/lib/rng.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/lib/time.ts'
import { Faults } from './faults.ts'
import type { Mix } from './mix.ts'
import type { Mutation } from './mutations.ts'
import type { Person } from './person.ts'
import { Primitives } from './crypto.ts'
import { DELIVERY_MS, Witness } from './witness.ts'
import type { Violation } from './witness.ts'
import { makeStill, SIM_PROFILE, World } from './world.ts'
import type { Still } from './world.ts'

/** How large a world is, and for how long things go wrong in it. */
export interface Size {
  readonly holders: number
  readonly pairs: number
  readonly messages: number
  readonly faultsMs: number
}

/** `small` costs a third of `full` and has the same faults: a sender, a reader, and a zone that is everyone. */
export const SIZES = {
  full: { holders: 24, pairs: 2, messages: 45, faultsMs: 18 * HOUR_MS },
  small: { holders: 16, pairs: 1, messages: 15, faultsMs: 8 * HOUR_MS },
} as const satisfies Readonly<Record<string, Size>>
export type SizeName = keyof typeof SIZES

const NO_ID = new Uint8Array(16)
const CHECK_MS = 5 * HOUR_MS
/** A holder counts in a zone once it has had time for three rounds of repair. */
const SETTLED_MS = 3.6 * SIM_PROFILE.repairIntervalMs
/** After the faults: three rounds of repair with their jitter, and then as long as a sender may take to look again. */
const AGREEMENT_MS = 3.3 * SIM_PROFILE.repairIntervalMs * 1.2
const TAIL_MS = 26 * HOUR_MS
/** Small enough that a disk can be filled, and large enough that mail fits. */
const NODE_BYTES = 8 * 1_024 * 1_024

export interface SeedResult {
  readonly seed: number
  readonly violations: readonly Violation[]
  readonly messages: number
  readonly delivered: number
  readonly events: number
  readonly days: number
  readonly seconds: number
  /** Two runs of one seed have the same. */
  readonly hash: string
  readonly mix: Mix
}

export interface SeedOptions {
  readonly mutation?: Mutation
  readonly trace?: (line: string) => void
  /** Default: `full`. */
  readonly size?: Size
  /** Share of the holders that lie: those nearest to one mailbox. Otherwise the seed says. */
  readonly sybils?: number
  /** Whether liars turn honest when the faults stop. */
  readonly liveness?: boolean
}

/** Where seeds of one size begin. */
interface Beginning {
  readonly primitives: Primitives
  readonly still: Still
}

const beginnings = new Map<string, Promise<Beginning>>()

async function begin(size: Size): Promise<Beginning> {
  const primitives = new Primitives()
  const still = await makeStill(primitives, size)
  primitives.keep()
  return { primitives, still }
}

/** Runs a seed from its beginning to its end. */
export async function runSeed(seed: number, options: SeedOptions = {}): Promise<SeedResult> {
  const size = options.size ?? SIZES.full
  const name = `${size.holders} ${size.pairs}`
  const beginning = beginnings.get(name) ?? begin(size)
  beginnings.set(name, beginning)
  const from = await beginning
  const began = process.cpuUsage()
  const run = new Run(seed, from, options)
  await run.play()
  const { user, system } = process.cpuUsage(began)
  return run.result((user + system) / 1e6)
}

class Run {
  readonly #seed: number
  readonly #options: SeedOptions
  readonly #size: Size
  readonly #world: World
  readonly #witness: Witness
  readonly #faults: Faults
  readonly #began: number
  readonly #seen = new Map<Person, number>()
  /** Messages that somebody means to write as soon as it is there. */
  readonly #unwritten = new Map<Person, number>()
  #written = 0
  #broken: Error | undefined

  constructor(seed: number, from: Beginning, options: SeedOptions) {
    this.#seed = seed
    this.#options = options
    this.#size = options.size ?? SIZES.full
    const world = new World({ seed, ...this.#size, quotas: { nodeBytes: NODE_BYTES } }, from.primitives, from.still)
    if (options.trace !== undefined) world.trace = options.trace
    this.#world = world
    this.#began = world.scheduler.now()
    this.#witness = new Witness(world, seededRng(seed ^ 0xca9a).bytes(32))
    this.#faults = new Faults(world, this.#witness, this.#size.faultsMs, options.sybils)
    world.scheduler.onFault = (error) => {
      this.#broken ??= error as Error
    }
    for (const person of world.people) {
      person.onStarted = (daemon) => {
        this.#started(person, daemon)
      }
    }
    options.mutation?.apply(world)
  }

  async play(): Promise<void> {
    const { scheduler, holders } = this.#world
    this.#world.note('mix', JSON.stringify(this.#faults.mix))
    for (const holder of holders) await this.#world.during(holder.start())
    this.#faults.start()
    this.#talk()
    const { faultsMs } = this.#size
    for (let at = CHECK_MS; at < faultsMs + CHECK_MS; at += CHECK_MS) {
      await this.#until(this.#began + Math.min(at, faultsMs))
      this.#check()
    }
    await this.#faults.end()
    if (this.#options.liveness === true) for (const holder of holders) holder.lie = undefined
    // Holders first, then who is written to: what was stored has to come although nobody who wrote it is there.
    await this.#until(scheduler.now() + DELIVERY_MS + MINUTE_MS)
    await this.#back(this.#world.readers)
    await this.#until(scheduler.now() + DELIVERY_MS + MINUTE_MS)
    await this.#back(this.#world.senders)
    await this.#until(scheduler.now() + TAIL_MS, () => this.#settled())
    this.#witness.checkEnd(this.#faults.isGone)
    this.#check()
    // People put their phones away; holders are left to agree.
    for (const person of this.#world.people) if (person.running) await this.#world.during(person.stop())
    await this.#until(scheduler.now() + AGREEMENT_MS)
    this.#check()
    this.#witness.checkAgreement()
    if (this.#faults.isOrdinary) this.#witness.checkCopies()
  }

  result(seconds: number): SeedResult {
    const { scheduler } = this.#world
    const sent = [...this.#witness.sent.values()]
    return {
      seed: this.#seed,
      violations: this.#witness.violations,
      messages: sent.length,
      delivered: sent.filter(({ deliveries }) => deliveries.length > 0).length,
      events: scheduler.events,
      days: (scheduler.now() - this.#began) / DAY_MS,
      seconds,
      hash: scheduler.hash.toString(16),
      mix: this.#faults.mix,
    }
  }

  async #back(people: readonly Person[]): Promise<void> {
    await this.#faults.back(people)
    for (const person of people) if (person.running) this.#session(person)
  }

  async #until(time: number, done: () => boolean = () => false): Promise<void> {
    await this.#world.scheduler.run(time, () => this.#broken !== undefined || done())
    if (this.#broken !== undefined) throw this.#broken
  }

  #check(): void {
    this.#witness.checkDeleted(SETTLED_MS)
    this.#witness.checkBounds(NODE_BYTES)
    this.#witness.checkSigned()
  }

  /** Whether there is nothing left to wait for. */
  #settled(): boolean {
    for (const sent of this.#witness.sent.values()) {
      const { from, to, deliveries, status } = sent
      if (this.#faults.isGone(to)) continue
      if (deliveries.length === 0 && (!this.#faults.isGone(from) || this.#witness.isKept(sent))) return false
      if (deliveries.length > 0 && status !== 'delivered' && status !== 'read' && !this.#faults.isGone(from))
        return false
    }
    return true
  }

  /** Messages at random moments of the first days, from whoever is there then. */
  #talk(): void {
    const { dice, scheduler, senders } = this.#world
    const { faultsMs, messages } = this.#size
    const last = faultsMs * 0.9
    for (let i = 0; i < messages; i++) {
      scheduler.at(this.#began + dice.between(faultsMs * 0.03, last), () => {
        this.#write(dice.pick(senders))
      })
    }
  }

  /** Who is off writes when it is back. */
  #write(from: Person): void {
    const { dice, scheduler, readers } = this.#world
    if (this.#faults.isGone(from) || scheduler.now() > this.#began + this.#size.faultsMs) return
    if (!from.running) {
      // It is written in the next session.
      this.#unwritten.set(from, (this.#unwritten.get(from) ?? 0) + 1)
      return
    }
    const to = dice.pick(readers)
    // What it throws it said to the one who wrote: then nothing was accepted.
    from.app.send(to.address, { text: this.#witness.text(this.#written++) }).catch(() => {})
  }

  #started(person: Person, daemon: Daemon): void {
    let pulling: Promise<void> = Promise.resolve()
    const pull = (): void => {
      pulling = pulling.then(async () => this.#pull(person, daemon)).catch(() => {})
    }
    daemon.onEvent(pull)
    pull()
    for (let i = this.#unwritten.get(person) ?? 0; i > 0; i--) {
      this.#world.scheduler.after(this.#world.dice.between(1_000, 15 * 60_000), () => {
        this.#write(person)
      })
    }
    this.#unwritten.delete(person)
    this.#session(person)
  }

  /** I1: a quarter of an hour after it came online. */
  #session(person: Person): void {
    const since = person.onlineSince
    if (since === undefined) return
    this.#world.scheduler.at(since + DELIVERY_MS, () => {
      if (person.onlineSince === since) this.#witness.checkSession(person, since)
    })
  }

  /** What the daemon tells whoever watches it. */
  async #pull(person: Person, daemon: Daemon): Promise<void> {
    const { rooms } = daemon
    if (rooms === undefined) return
    for (const { number, type, data } of await rooms.store.events.since(this.#seen.get(person) ?? 0, 1_000)) {
      if (number <= (this.#seen.get(person) ?? 0)) continue
      this.#seen.set(person, number)
      const { id, contact } = JSON.parse(data) as { id?: string; contact?: string }
      const [kind, what] = type.split(':')
      if (kind !== 'message' || id === undefined) continue
      await this.#message({ person, rooms }, what ?? '', id, contact ?? '')
      await person.onEvent(type, id, rooms)
    }
  }

  async #message(
    { person, rooms }: { person: Person; rooms: UnlockedRooms },
    what: string,
    id: string,
    contact: string,
  ): Promise<void> {
    const { people } = this.#world
    const sent = this.#witness.sent.get(id)
    if (what === 'received') this.#witness.delivered(id, person)
    else if (what === 'queued') {
      const to = people.find(({ accountId }) => toHex(accountId) === contact)
      if (to !== undefined) this.#witness.accepted(id, person, to)
    } else if (sent !== undefined) {
      sent.status = what
      if (what !== 'stored' || !person.running) return
      for (const { letterId, receipts } of await rooms.outbox.itemsOf(fromHex(id) ?? NO_ID, sent.to.accountId)) {
        if (letterId === undefined) continue
        this.#witness.stored(
          id,
          toHex(letterId),
          receipts.map(({ holder }) => holder),
        )
      }
    }
    this.#world.note(what, person.name, id.slice(0, 8))
  }
}
