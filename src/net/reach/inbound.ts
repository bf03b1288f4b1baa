/** Strangers who dialled us and got in: proof that an address of ours works where nobody is there to ask. */
import type { Connection } from '@libp2p/interface'
import type { Clock } from '../../lib/clock.ts'
import { sourceNetwork } from '../../protocol/replicas.ts'
import { ipOf } from '../addresses.ts'

/** How long it proves anything. */
const FRESH_MS = 30 * 60_000
const NETWORKS_MAX = 64

export type Family = 'ip4' | 'ip6'

export class Inbound {
  readonly #clock: Clock
  readonly #seen = new Map<string, { readonly family: Family; readonly atMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * A new connection, not over a relay. `met` says that we were connected with the peer before: then both may have dialled at once
   * (a hole punched in a NAT), and it says nothing.
   */
  note({ direction, remoteAddr }: Pick<Connection, 'direction' | 'remoteAddr'>, met: boolean): void {
    const ip = ipOf(remoteAddr)
    const network = ip === undefined ? undefined : sourceNetwork(ip)
    if (direction !== 'inbound' || met || ip === undefined || network === undefined) return
    // neighbours in one network see each other past the firewall that keeps everybody else out
    const wide = network.split(/[.:]/).slice(0, 2).join('.')
    this.#seen.delete(wide)
    this.#seen.set(wide, { family: ip.includes(':') ? 'ip6' : 'ip4', atMs: this.#clock.now() })
    const [oldest] = this.#seen.keys()
    if (this.#seen.size > NETWORKS_MAX && oldest !== undefined) this.#seen.delete(oldest)
  }

  /** Networks (/16, /32) from which somebody got in lately. */
  networks(family: Family): number {
    const since = this.#clock.now() - FRESH_MS
    return [...this.#seen.values()].filter((seen) => seen.family === family && seen.atMs > since).length
  }

  forget(): void {
    this.#seen.clear()
  }
}
