/** Runs the hosts of `stock-node.ts` in the same lab, for the column that Sotto is compared with. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { isIpv6 } from './kinds.ts'
import type { Pair } from './kinds.ts'
import { UNREACHED } from './measure.ts'
import type { Figures } from './measure.ts'
import { publicAddress } from './rules.ts'
import type { PublicHost, SiteHost } from './rules.ts'
import type { StockHello, StockOrder } from './stock-node.ts'
import type { World } from './world.ts'

const NODE = join(import.meta.dirname, 'stock-node.ts')
const HOSTS = ['boot', 'relay1', 'relay2'] as const
const PORT = 5_001
const STUN_PORT = 3_478
const LINE_MS = 90_000
/** A WebRTC library that fell over, or a busy machine, is no finding about routers. */
const TRIES = 2

/** A host and the lines it says. */
class StockHost {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(
    world: World,
    watch: (child: ChildProcess) => void,
    host: PublicHost | SiteHost,
    args: readonly string[],
  ) {
    const [command, ...inside] = world.inside(host)
    const child = spawn(command, [...inside, process.execPath, NODE, ...args], { stdio: ['pipe', 'pipe', 'ignore'] })
    watch(child)
    child.stdin.on('error', () => {})
    this.#child = child
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  /** Its next line; undefined where it ended or says nothing. */
  async says<T>(): Promise<T | undefined> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), LINE_MS)
    try {
      const { done, value } = await this.#lines.next()
      return done === true ? undefined : (JSON.parse(value) as T)
    } finally {
      clearTimeout(timer)
    }
  }

  async asks<T>(order: unknown): Promise<T | undefined> {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`)
    return this.says<T>()
  }

  stop(): void {
    this.#child.kill('SIGKILL')
  }
}

export class Stock {
  readonly #world: World
  readonly #watch: (child: ChildProcess) => void
  readonly #relays: string[][] = []

  constructor(world: World, watch: (child: ChildProcess) => void) {
    this.#world = world
    this.#watch = watch
  }

  async start(): Promise<void> {
    for (const host of HOSTS) {
      const { ip4, ip6 } = publicAddress(host)
      const hello = await this.#host(host, ['public', String(PORT), ip4, ip6]).says<StockHello>()
      if (hello === undefined) throw new Error('a stock relay does not start')
      this.#relays.push([...hello.addresses])
    }
  }

  /** The same as for Sotto: from "both are there" on. */
  async measure(pair: Pair, hosts: readonly [SiteHost, SiteHost], directMs: number): Promise<Figures> {
    let figures = UNREACHED
    for (let i = 0; i < TRIES && figures.path === 'none'; i++) figures = await this.#once(pair, hosts, directMs)
    return figures
  }

  async #once(pair: Pair, hosts: readonly [SiteHost, SiteHost], directMs: number): Promise<Figures> {
    const [a, b] = [this.#person(hosts[0], isIpv6(pair.a)), this.#person(hosts[1], isIpv6(pair.b))]
    try {
      const [own, other] = await Promise.all([a.says<StockHello>(), b.says<StockHello>()])
      if (own === undefined || other === undefined) return UNREACHED
      const order: StockOrder = { addresses: other.addresses, directMs }
      return (await a.asks<Figures>(order)) ?? UNREACHED
    } finally {
      a.stop()
      b.stop()
    }
  }

  #person(host: SiteHost, v6: boolean): StockHost {
    const family = v6 ? '/ip6/' : '/ip4/'
    // Not both: the second reservation of a node that begins with two never ends (circuit-relay-v2 4.2.13).
    const relays = (this.#relays.at(-1) ?? []).filter((text) => text.startsWith(family))
    const { ip4, ip6 } = publicAddress('boot')
    return this.#host(host, ['host', '5002', `stun:${v6 ? `[${ip6}]` : ip4}:${STUN_PORT}`, ...relays])
  }

  #host(host: PublicHost | SiteHost, args: readonly string[]): StockHost {
    return new StockHost(this.#world, this.#watch, host, args)
  }
}
