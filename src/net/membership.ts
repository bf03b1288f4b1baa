/** Joining, and staying one of the network: bootstrap peers and those of earlier days, the neighbours, and what is remembered. */
import type { Clock } from '../lib/clock.ts'
import type { Startable } from '../lib/lifecycle.ts'
import type { Logger } from '../lib/log.ts'
import type { Rng } from '../lib/rng.ts'
import type { PeerRecord } from '../wire/peer.ts'
import { Bootstrap } from './bootstrap.ts'
import type { Dialer } from './dialer.ts'
import { Keeper } from './keeper.ts'
import { protectPeers } from './libp2p-node.ts'
import type { Node } from './libp2p-node.ts'
import type { LiveTable } from './live-table.ts'
import { PeerCache, REMEMBERED_PEERS_MAX } from './peer-cache.ts'
import type { Routing } from './ports.ts'

const CACHE_EVERY_MS = 60_000

export interface MembershipInit {
  readonly node: Node
  readonly dialer: Dialer
  readonly table: LiveTable
  readonly routing: Routing
  /** Peers to join by later. */
  readonly cacheFile: string
  /** Multiaddrs to join by. */
  readonly bootstrap: readonly string[]
  /** Nearest holders that we stay connected to. */
  readonly neighbours: number
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}

export class Membership implements Startable {
  readonly #init: MembershipInit
  readonly #cache: PeerCache
  readonly #bootstrap: Bootstrap
  readonly #keeper: Keeper
  #savedAtMs = 0

  constructor(init: MembershipInit) {
    this.#init = init
    this.#cache = new PeerCache(init.cacheFile, init.log)
    this.#bootstrap = this.#makeBootstrap()
    this.#keeper = this.#makeKeeper()
  }

  /** Reads whom we knew; before the node starts. */
  async load(): Promise<void> {
    await this.#cache.load()
  }

  start(): void {
    this.#bootstrap.start()
    this.#keeper.start()
  }

  async stop(): Promise<void> {
    await Promise.all([this.#bootstrap.stop(), this.#keeper.stop()])
    await this.#save()
  }

  /** A holder that has shown itself. */
  met(peer: PeerRecord, isNew: boolean): void {
    this.#cache.remember(peer)
    if (isNew) this.#keeper.nudge()
  }

  /** One of our neighbours may be gone: another is looked for at once. */
  lost(peerId: string): void {
    if (this.#init.table.isNear(peerId, this.#init.neighbours)) this.#keeper.nudge()
  }

  /** Nobody may be connected any more: join now. */
  alone(): void {
    this.#bootstrap.nudge()
  }

  #makeBootstrap(): Bootstrap {
    const { bootstrap, clock, rng, log, node, dialer } = this.#init
    return new Bootstrap({
      entries: bootstrap,
      clock,
      rng,
      log,
      cached: () => this.#cache.all(),
      connections: () => node.getConnections().length,
      isConnected: (peerId) => dialer.existing(peerId) !== undefined,
      dial: async (address, signal) => (await node.dial(address, { signal })).remotePeer.toString(),
      connect: async (peer, signal) => dialer.connect(peer, signal),
    })
  }

  #makeKeeper(): Keeper {
    const { clock, rng, log, table, routing, dialer, node, neighbours } = this.#init
    return new Keeper({
      neighbours,
      clock,
      rng,
      log,
      near: (count) => routing.known(table.selfPosition, count),
      searchDue: (count) => table.hasNearCandidates(count),
      search: async (count, signal) => routing.closest(table.selfPosition, count, signal),
      isConnected: (peerId) => dialer.existing(peerId) !== undefined,
      connect: async (peer, signal) => dialer.connect(peer, signal),
      protect: async (peerIds) => protectPeers(node, peerIds),
      onRound: async () => {
        if (clock.now() - this.#savedAtMs >= CACHE_EVERY_MS) await this.#save()
      },
    })
  }

  async #save(): Promise<void> {
    const { clock, table } = this.#init
    this.#savedAtMs = clock.now()
    for (const peer of table.remembered(REMEMBERED_PEERS_MAX).toReversed()) this.#cache.remember(peer)
    await this.#cache.save()
  }
}
