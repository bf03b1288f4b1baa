/** A run over pairs of networks: the same two people, with the same homes, at other places each time. */
import { pause } from '../support/daemons.ts'
import type { LabBed } from './daemons.ts'
import { befriend, LabDaemon, listenFlags, repeated, startPublic } from './daemons.ts'
import { mayBeDirect, mustBeDirect } from './kinds.ts'
import type { Pair } from './kinds.ts'
import { measure, UNREACHED } from './measure.ts'
import type { End, Figures } from './measure.ts'
import type { Row } from './report.ts'
import type { SiteHost } from './rules.ts'
import { Stock } from './stock.ts'
import type { World } from './world.ts'

const PORT_A = 4_101
const PORT_B = 4_102
const REACH_MS = 30_000
/** For a pair that hardly gets a direct connection; long enough to see one that should not have come about. */
const HOPELESS_MS = 4_000
/** Peers that have to be connected before somebody counts as there. */
const PEERS_MIN = 2
const SETTLE_MS = 250

interface Person {
  readonly daemon: LabDaemon
  readonly port: number
  accountId: string
}

export interface RunOptions {
  /** How long a direct connection may take. */
  readonly directMs: number
  readonly stock: boolean
  readonly say: (line: string) => void
}

export class Run {
  readonly #world: World
  readonly #options: RunOptions
  readonly #a: Person
  readonly #b: Person
  readonly #bed: LabBed
  readonly #stock: Stock | undefined
  #bootstrap: readonly string[] = []

  constructor(world: World, bed: LabBed, options: RunOptions) {
    this.#world = world
    this.#bed = bed
    this.#options = options
    this.#a = { daemon: new LabDaemon(bed, 'a'), port: PORT_A, accountId: '' }
    this.#b = { daemon: new LabDaemon(bed, 'b'), port: PORT_B, accountId: '' }
    this.#stock = options.stock ? new Stock(world, (child) => bed.watch(child)) : undefined
  }

  /** The public hosts, and two people who are contacts. */
  async prepare(): Promise<void> {
    this.#options.say('starting the public daemons')
    this.#bootstrap = await startPublic(this.#bed)
    await this.#stock?.start()
    await this.#place({ a: 'open', b: 'open' })
    await this.#startBoth(['hostA', 'hostB'])
    this.#options.say('making two accounts and introducing them')
    const [a, b] = await befriend(this.#a.daemon, this.#b.daemon)
    this.#a.accountId = a
    this.#b.accountId = b
    await this.#stopBoth()
  }

  async pair(pair: Pair): Promise<Row> {
    const hosts = ['hostA', pair.sameLan ? 'hostA2' : 'hostB'] as const
    await this.#place(pair)
    const sotto = await this.#sotto(pair, hosts)
    const stock = await this.#stock?.measure(pair, hosts, this.#patience(pair))
    return { pair, sotto, stock }
  }

  async #sotto(pair: Pair, hosts: readonly [SiteHost, SiteHost]): Promise<Figures> {
    try {
      await this.#startBoth(hosts)
      const [a, b] = [await endOf(this.#a), await endOf(this.#b)]
      return await measure(a, b, { reachMs: REACH_MS, directMs: this.#patience(pair) })
    } catch (error) {
      this.#options.say(`${pair.name}: ${(error as Error).message}`)
      return UNREACHED
    } finally {
      await this.#stopBoth()
    }
  }

  #patience(pair: Pair): number {
    return mustBeDirect(pair) || mayBeDirect(pair)
      ? this.#options.directMs
      : Math.min(HOPELESS_MS, this.#options.directMs)
  }

  async #place({ a, b }: Pick<Pair, 'a' | 'b'>): Promise<void> {
    await Promise.all([this.#world.setNat('A', a), this.#world.setNat('B', b)])
    await pause(SETTLE_MS)
  }

  async #startBoth(hosts: readonly [SiteHost, SiteHost]): Promise<void> {
    const [hostA, hostB] = hosts
    await Promise.all([this.#start(this.#a, hostA), this.#start(this.#b, hostB)])
  }

  async #start({ daemon, port }: Person, host: SiteHost): Promise<void> {
    const listen = listenFlags([`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`])
    await daemon.start({ host, flags: [...listen, ...repeated('--bootstrap', this.#bootstrap)] })
    await daemon.ready(PEERS_MIN)
  }

  async #stopBoth(): Promise<void> {
    await Promise.all([this.#a.daemon.stop(), this.#b.daemon.stop()])
  }
}

async function endOf({ daemon, port, accountId }: Person): Promise<End> {
  const { peerId } = await daemon.api.status()
  return { api: daemon.api, accountId, peerId, listens: port }
}
