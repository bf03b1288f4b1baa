/**
 * A world of holders and people. Making one (accounts, cards, contacts) is done once per process in calm weather; every seed
 * begins with copies of the disks that this leaves.
 */
import type { CryptoProvider } from '../../src/crypto/provider.ts'
import { toHex, utf8 } from '../../src/lib/bytes.ts'
import { LOCAL } from '../../src/lib/network-profile.ts'
import type { NetworkProfile } from '../../src/lib/network-profile.ts'
import { seededRng } from '../../src/lib/rng.ts'
import type { Rng } from '../../src/lib/rng.ts'
import { HOUR_MS } from '../../src/lib/time.ts'
import type { QuotaLimits } from '../../src/services/holder/quotas.ts'
import { CONTACT_STATE } from '../../src/store/records.ts'
import type { Primitives } from './crypto.ts'
import { Platter } from './disk.ts'
import { Holder } from './holder.ts'
import { CALM, Network } from './network.ts'
import type { Peer } from './network.ts'
import { Person } from './person.ts'
import type { Left } from './person.ts'
import { Dice, Scheduler } from './scheduler.ts'
import type { Stage } from './stage.ts'

/** A network whose days are short: epochs, letters and repair keep the proportions of `main`, seven times as fast. */
export const SIM_PROFILE: NetworkProfile = {
  ...LOCAL,
  name: 'sim',
  epochMs: 8 * HOUR_MS,
  repairIntervalMs: 4 * HOUR_MS,
  stampBits: 0,
  collectIntervalMs: 3 * HOUR_MS,
  diversity: true,
}

const SENDERS = ['ann', 'ben', 'cat'] as const
const READERS = ['xia', 'yan', 'zoe'] as const
const START_MS = 1_800_000_000_000

export interface WorldOptions {
  readonly seed: number
  readonly holders: number
  /** How many write, and how many are written to; at most three. */
  readonly pairs: number
  readonly quotas?: Partial<QuotaLimits>
}

/** What is left of a world at rest. */
export interface Still {
  readonly now: number
  readonly holders: readonly Platter[]
  readonly people: ReadonlyMap<string, Left>
}

export class World implements Stage {
  readonly scheduler: Scheduler
  readonly dice: Dice
  readonly rng: Rng
  readonly primitives: Primitives
  readonly crypto: CryptoProvider
  readonly net: Network
  readonly profile = SIM_PROFILE
  readonly quotas: Partial<QuotaLimits>
  readonly holders: Holder[] = []
  readonly people: Person[] = []
  readonly senders: readonly Person[]
  readonly readers: readonly Person[]
  /** Called with each line of the trace. */
  trace: ((line: string) => void) | undefined

  constructor(options: WorldOptions, primitives: Primitives, still?: Still) {
    this.scheduler = new Scheduler(still?.now ?? START_MS)
    this.dice = new Dice(options.seed)
    this.rng = seededRng(options.seed ^ 0x5eed)
    this.quotas = options.quotas ?? {}
    this.primitives = primitives
    primitives.begin(options.seed)
    this.crypto = primitives.provider()
    this.net = new Network(this.scheduler, this.dice, (bytes) => this.crypto.sha256(bytes))
    for (let i = 0; i < options.holders; i++) {
      const platter = still?.holders[i]
      const seed = this.crypto.sha256(utf8(`holder ${i}`))
      this.holders.push(new Holder(this, seed, `${20 + i}.${i}.1.1`, platter && new Platter(platter)))
    }
    this.senders = SENDERS.slice(0, options.pairs).map((name, i) => this.#person(name, i, still))
    this.readers = READERS.slice(0, options.pairs).map((name, i) => this.#person(name, i + SENDERS.length, still))
    this.people.push(...this.senders, ...this.readers)
  }

  #person(name: string, i: number, still: Still | undefined): Person {
    const peerId = `peer-${toHex(this.crypto.ed25519PublicKey(this.crypto.sha256(utf8(name))))}`
    return new Person(this, name, { peerId, ip: `${80 + i}.9.1.1` }, still?.people.get(name))
  }

  named(name: string): Person {
    const found = this.people.find((person) => person.name === name)
    if (found === undefined) throw new Error(`nobody is called ${name}`)
    return found
  }

  liveHolders(): readonly string[] {
    return this.holders.filter(({ life }) => life.up).map(({ peerId }) => peerId)
  }

  holderCame(holder: Peer): void {
    for (const peer of [...this.people, ...this.holders]) {
      this.net.trouble(peer.peerId, holder.peerId)
      if (peer === holder || !peer.life.up || !this.dice.chance(0.1)) continue
      const { life } = peer
      this.scheduler.after(this.dice.between(100, 30_000), () => {
        if (life.up && peer.life === life && holder.life.up) peer.ports.notice(holder.peerId)
      })
    }
  }

  note(what: string, ...about: readonly (string | number)[]): void {
    this.trace?.(`${new Date(this.scheduler.now()).toISOString()} ${what} ${about.join(' ')}`)
  }

  /** Time passes until the work is done. */
  async during<T>(work: Promise<T>, limitMs = 60_000): Promise<T> {
    let settled = false
    const noted = work.finally(() => {
      settled = true
    })
    noted.catch(() => {})
    if (!(await this.scheduler.run(this.scheduler.now() + limitMs, () => settled))) {
      throw new Error('it does not end')
    }
    return noted
  }

  async must(done: () => Promise<boolean>, what: string): Promise<void> {
    for (let i = 0; i < 600; i++) {
      if (await this.during(done())) return
      await this.scheduler.run(this.scheduler.now() + 1_000)
    }
    throw new Error(`never: ${what}`)
  }
}

/** Makes accounts, publishes cards and brings everybody together; then everybody stops. */
export async function makeStill(primitives: Primitives, size: { holders: number; pairs: number }): Promise<Still> {
  const world = new World({ seed: 77, ...size }, primitives)
  world.net.weather = CALM
  for (const holder of world.holders) await world.during(holder.start())
  for (const person of world.people) await world.during(person.start())
  await world.scheduler.run(world.scheduler.now() + 60_000)
  for (const a of world.senders) {
    for (const b of world.readers) {
      await world.during(a.app.addContact({ target: b.address, name: b.name }))
      await world.must(async () => (await b.rooms.contacts.get(a.accountId)) !== undefined, 'the request arrives')
      await world.during(b.app.acceptContact(a.address, { name: a.name }))
      const accepted = async (): Promise<boolean> =>
        (await a.rooms.contacts.get(b.accountId))?.state === CONTACT_STATE.accepted
      await world.must(accepted, 'the answer arrives')
    }
  }
  await world.scheduler.run(world.scheduler.now() + 10 * 60_000)
  for (const person of world.people) await world.during(person.stop())
  for (const holder of world.holders) await world.during(holder.stop())
  return {
    now: world.scheduler.now(),
    holders: world.holders.map(({ disk }) => disk.platter),
    people: new Map(
      world.people.map(({ name, disk, accountId, mailboxSeed }) => [
        name,
        { platter: disk.platter, accountId, mailboxSeed },
      ]),
    ),
  }
}
