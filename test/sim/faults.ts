/** What goes wrong in a seed: drawn up from its dice, all kinds mixed. Times are true time; what a clock says is another fault. */
import { nameOfLetter } from '../../src/protocol/mailbox-rules.ts'
import { BUCKET } from '../../src/store/buckets.ts'
import { heldLetterCodec } from '../../src/store/held-records.ts'
import { tryDecode } from '../../src/wire/codec.ts'
import { HOLDER_STATUS, HOLDER_VERB } from '../../src/wire/holder.ts'
import type { Holder } from './holder.ts'
import { lieOf } from './liars.ts'
import { draw } from './mix.ts'
import type { Mix } from './mix.ts'
import { CALM } from './network.ts'
import type { Person } from './person.ts'
import type { Dice } from './scheduler.ts'
import type { Witness } from './witness.ts'
import type { World } from './world.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/lib/time.ts'

const PARTITION_MAX_MS = 20 * HOUR_MS
const LEAVERS = 0.15
/** Part of the time for which the three nearest to a mailbox are away. */
const AWAY_SHARE = 0.75
/** Clocks of honest people differ by minutes; some by as much as two epochs overlap. */
const SMALL_SKEW_MS = 9 * MINUTE_MS
const HOLDER_SKEW_MS = DAY_MS

export class Faults {
  readonly mix: Mix
  readonly #world: World
  readonly #witness: Witness
  readonly #end: number
  readonly #gone = new Set<Person>()
  /** Counts the sessions of each. */
  readonly #session = new Map<Person, number>()
  #over = false

  constructor(world: World, witness: Witness, lengthMs: number, sybils?: number) {
    this.#world = world
    this.#witness = witness
    this.#end = world.scheduler.now() + lengthMs
    this.mix = draw(world, sybils)
  }

  /** Who is not coming back. */
  readonly isGone = (person: Person): boolean => this.#gone.has(person)

  /** Whether there is nothing but people who come and go (I8). */
  get isOrdinary(): boolean {
    const { massLoss, liars, partitions } = this.mix
    return massLoss === 0 && partitions === 0 && liars.every((kind) => kind === '')
  }

  start(): void {
    const { world, mix } = this.#access()
    world.net.weather = { ...mix, stale: 0.01 }
    for (const holder of world.holders) {
      this.#lie(holder)
      this.#skew(holder)
      if (mix.away.includes(holder.peerId)) this.#stayAway(holder)
      else this.#churn(holder)
    }
    for (const person of world.people) {
      person.skewMs = world.dice.between(-SMALL_SKEW_MS, SMALL_SKEW_MS)
      this.#sessions(person)
    }
    this.#leavers()
    this.#massLoss()
    for (let i = 0; i < mix.partitions; i++) this.#at(this.#when(), () => this.#partition())
    for (let i = 0; i < 3; i++) this.#at(this.#when(), () => this.#rot())
    for (let i = 0; i < 3; i++) this.#at(this.#when(), () => this.#fill())
    for (let i = 0; i < 6; i++) this.#at(this.#when(), () => this.#forge())
    this.#crashAfterAnswers()
    this.#loseSender()
  }

  /** Everything that is not gone for good comes back, and nothing goes wrong any more. */
  async end(): Promise<void> {
    this.#over = true
    const { world } = this.#access()
    world.net.weather = CALM
    world.net.blocked.clear()
    for (const holder of world.holders) {
      holder.disk.full = false
      holder.disk.fate = undefined
      holder.skewMs = world.dice.between(-MINUTE_MS, MINUTE_MS)
      holder.steadySince = world.scheduler.now()
      if (!holder.left && !holder.running) await world.during(holder.start())
    }
    for (const person of world.people) {
      person.disk.fate = undefined
      person.skewMs = world.dice.between(-MINUTE_MS, MINUTE_MS)
      if (person.running && person.life.up) person.offline()
    }
  }

  /** These people come online again, but for those who are gone for good. */
  async back(people: readonly Person[]): Promise<void> {
    for (const person of people) {
      if (this.#gone.has(person)) continue
      if (!person.running) await this.#world.during(person.start())
      else if (!person.life.up) person.online()
    }
  }

  #access(): { world: World; mix: Mix; dice: Dice } {
    return { world: this.#world, mix: this.mix, dice: this.#world.dice }
  }

  #when(): number {
    return this.#world.dice.between(this.#world.scheduler.now(), this.#end)
  }

  /** A moment in this part of the time in which things go wrong. */
  #between(from: number, to: number): number {
    const now = this.#world.scheduler.now()
    return now + this.#world.dice.between(from, to) * (this.#end - now)
  }

  #at(time: number, action: () => void): void {
    this.#world.scheduler.at(time, () => {
      if (!this.#over) action()
    })
  }

  #in(delayMs: number, action: () => void): void {
    this.#at(this.#world.scheduler.now() + delayMs, action)
  }

  /** Work of ours on the product; what it throws ends the seed. */
  #do(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.#world.scheduler.onFault(error)
    })
  }

  // --- holders

  #lie(holder: Holder): void {
    const place = this.#world.holders.indexOf(holder)
    const kind = this.mix.liars[place]
    if (kind === undefined || kind === '') return
    holder.lie = lieOf(kind, this.#world, holder)
    this.#witness.lost(holder, 0)
    this.#world.note('liar', holder.peerId.slice(5, 13), kind)
  }

  #skew(holder: Holder): void {
    const { dice, scheduler } = this.#world
    const wild = dice.chance(this.mix.skewed)
    const limit = wild ? HOLDER_SKEW_MS : SMALL_SKEW_MS
    holder.skewMs = dice.between(-limit, limit)
    if (!wild) return
    this.#at(this.#when(), () => {
      holder.skewMs = dice.between(-limit, limit)
      holder.steadySince = scheduler.now()
      this.#world.note('clock jumps', holder.peerId.slice(5, 13), Math.round(holder.skewMs / HOUR_MS))
    })
  }

  #upMs(): number {
    const { dice } = this.#world
    switch (this.mix.churn) {
      case 'exponential':
        return dice.exponential(24 * HOUR_MS)
      case 'weibull':
        return Math.min(4 * DAY_MS, dice.weibull(16 * HOUR_MS, 0.6))
      case 'day-night':
        return dice.between(16 * HOUR_MS, 19 * HOUR_MS)
      case 'steady':
        return dice.exponential(5 * DAY_MS)
    }
  }

  #downMs(): number {
    const { dice } = this.#world
    switch (this.mix.churn) {
      case 'exponential':
        return dice.exponential(3 * HOUR_MS)
      case 'weibull':
        return Math.min(12 * HOUR_MS, dice.weibull(2 * HOUR_MS, 0.5))
      case 'day-night':
        return dice.between(5 * HOUR_MS, 8 * HOUR_MS)
      case 'steady':
        return dice.exponential(HOUR_MS)
    }
  }

  #churn(holder: Holder): void {
    const { dice } = this.#world
    this.#in(dice.unit() * this.#upMs(), () => {
      if (holder.left) return
      if (!holder.running) return this.#churn(holder)
      if (dice.chance(0.5)) holder.die()
      else this.#do(holder.stop(dice.chance(0.5)))
      this.#comeBack(holder, this.#downMs())
    })
  }

  #stayAway(holder: Holder): void {
    this.#do(holder.stop(true))
    this.#comeBack(holder, AWAY_SHARE * (this.#end - this.#world.scheduler.now()))
  }

  #comeBack(holder: Holder, delayMs: number): void {
    this.#in(delayMs, () => {
      if (holder.left) return
      this.#churn(holder)
      if (!holder.running) this.#do(holder.start())
    })
  }

  #leave(holder: Holder): void {
    if (holder.left) return
    holder.left = true
    this.#witness.lost(holder)
    holder.die()
    holder.disk.platter.wipe()
    this.#witness.mirrors.get(holder.peerId)?.rebuild(holder.disk.platter)
    this.#world.note('left', holder.peerId.slice(5, 13))
  }

  #leavers(): void {
    const { dice, holders } = this.#world
    for (const holder of holders) if (dice.chance(LEAVERS)) this.#at(this.#when(), () => this.#leave(holder))
  }

  /** Many at once, and as often as not at the worst moment: right after something was acknowledged. */
  #massLoss(): void {
    const { dice, holders, net } = this.#world
    if (this.mix.massLoss === 0) return
    const strike = (): void => {
      const staying = holders.filter(({ left }) => !left)
      const count = Math.floor(staying.length * this.mix.massLoss)
      for (const holder of dice.shuffled(staying).slice(0, count)) this.#leave(holder)
    }
    const at = this.#between(0.25, 0.85)
    this.#at(at, () => {
      if (dice.chance(0.5)) return strike()
      let armed = true
      const before = net.onAnswered
      net.onAnswered = (holder, request, status) => {
        before(holder, request, status)
        if (!armed || request.kind !== HOLDER_VERB.put || status !== HOLDER_STATUS.ok) return
        armed = false
        this.#in(dice.between(300, 5_000), strike)
      }
    })
  }

  /** A process that has just said yes is killed before anything else happens. */
  #crashAfterAnswers(): void {
    const { dice, net, holders } = this.#world
    const before = net.onAnswered
    net.onAnswered = (peerId, request, status) => {
      before(peerId, request, status)
      const wrote =
        request.kind === HOLDER_VERB.put || request.kind === HOLDER_VERB.tomb || request.kind === HOLDER_VERB.copy
      if (this.#over || !wrote || status !== HOLDER_STATUS.ok || !dice.chance(0.02)) return
      const holder = holders.find((each) => each.peerId === peerId)
      this.#in(dice.between(1, 500), () => {
        if (holder === undefined || !holder.running) return
        holder.die()
        this.#comeBack(holder, dice.between(MINUTE_MS, HOUR_MS))
      })
    }
    for (const { disk } of holders) {
      disk.fate = () => (dice.chance(0.002) ? (dice.chance(0.5) ? 'before' : 'after') : 'well')
      const died = disk.onDeath
      disk.onDeath = () => {
        died()
        const holder = holders.find((each) => each.disk === disk)
        if (holder !== undefined) this.#comeBack(holder, dice.between(MINUTE_MS, HOUR_MS))
      }
    }
  }

  #rot(): void {
    const { dice, holders } = this.#world
    const holder = dice.pick(holders)
    if (holder.left) return
    const spoilt = holder.disk.rot(dice, (name) => name.charCodeAt(0) >= BUCKET.held)
    if (spoilt) this.#witness.spoilt(holder)
  }

  #fill(): void {
    const { dice, holders } = this.#world
    const holder = dice.pick(holders)
    holder.disk.full = true
    this.#in(dice.between(MINUTE_MS, 6 * HOUR_MS), () => {
      holder.disk.full = false
    })
  }

  // --- the net between them

  /** One side hears the other, which hears nothing; or two halves that hear each other not at all. */
  #partition(): void {
    const { dice, net, holders, people } = this.#world
    const all = [...holders, ...people]
    const inside = dice.shuffled(all).slice(0, 1 + dice.below(4))
    const oneWay = dice.chance(0.6)
    const into = dice.chance(0.5)
    const blocked: string[] = []
    for (const a of inside) {
      for (const b of all) {
        if (inside.includes(b)) continue
        if (!oneWay || into) blocked.push(`${b.peerId}>${a.peerId}`)
        if (!oneWay || !into) blocked.push(`${a.peerId}>${b.peerId}`)
        net.trouble(a.peerId, b.peerId)
      }
    }
    for (const way of blocked) net.blocked.add(way)
    this.#world.note('partition', inside.length, oneWay ? 'one way' : 'both ways')
    this.#in(Math.min(PARTITION_MAX_MS, dice.exponential(4 * HOUR_MS)), () => {
      for (const way of blocked) net.blocked.delete(way)
      for (const a of inside) for (const b of all) net.trouble(a.peerId, b.peerId)
    })
  }

  // --- people

  /** Phones: an hour here and there, ended properly or by the battery. */
  #sessions(person: Person): void {
    const { dice } = this.#world
    person.disk.fate = () => (dice.chance(0.001) ? (dice.chance(0.5) ? 'before' : 'after') : 'well')
    const died = person.disk.onDeath
    person.disk.onDeath = () => {
      died()
      this.#in(dice.between(1_000, HOUR_MS), () => this.#begin(person))
    }
    this.#in(dice.unit() * 3 * HOUR_MS, () => this.#begin(person))
  }

  #begin(person: Person): void {
    const { dice } = this.#world
    if (this.#gone.has(person)) return
    if (person.running && !person.life.up) person.online()
    else if (!person.running) this.#do(person.start())
    else return
    const session = (this.#session.get(person) ?? 0) + 1
    this.#session.set(person, session)
    this.#in(20 * MINUTE_MS + dice.exponential(15 * MINUTE_MS), () => {
      if (this.#session.get(person) === session) this.#pause(person)
    })
  }

  #pause(person: Person): void {
    const { dice } = this.#world
    const again = (): void =>
      this.#in(10 * MINUTE_MS + Math.min(6 * HOUR_MS, dice.exponential(3 * HOUR_MS)), () => this.#begin(person))
    if (!person.running) return again()
    if (dice.chance(0.15)) person.offline()
    else if (dice.chance(0.5)) person.die()
    else this.#do(person.stop())
    again()
  }

  #loseSender(): void {
    const { senderLost } = this.mix
    if (senderLost === undefined) return
    const person = this.#world.named(senderLost)
    const at = this.#between(0.5, 1)
    this.#at(at, () => {
      this.#gone.add(person)
      person.die()
      this.#world.note('lost', person.name)
    })
  }

  // --- forgeries

  /** Somebody tries to have a letter deleted that is not its own: it knows everything but the preimage. */
  #forge(): void {
    const { dice, holders, crypto } = this.#world
    const holding = holders.filter(({ running }) => running)
    if (holding.length < 2) return
    const [thief, ...victims] = dice.shuffled(holding)
    const letters = [...(thief?.disk.platter.values ?? [])].filter(([name]) => name.charCodeAt(0) === BUCKET.held)
    if (thief === undefined || letters.length === 0) return
    const held = tryDecode(heldLetterCodec, dice.pick(letters)[1].subarray(8))
    if (held === undefined) return
    const tombstone = { ...nameOfLetter(crypto, held.letter), preimage: dice.rng.bytes(16), proof: held.proof }
    const request = { kind: HOLDER_VERB.tomb, body: { tombstones: [tombstone] } } as const
    for (const victim of victims) {
      const never = new AbortController().signal
      thief.ports.holderNetwork
        .link({ id: victim.peerId, addresses: [] }, never)
        .then(async (link) => link.request(request, never))
        .catch(() => {})
    }
  }
}
