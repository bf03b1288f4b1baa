/**
 * Joining, and staying one of the network: every way in side by side (bootstrap peers, those of earlier days, of invites and
 * on the local network), the neighbours, what is remembered, and coming back after a sleep or an outage.
 */
import type { Connection } from '@libp2p/interface'
import { dropOldest } from '../../lib/bounded.ts'
import type { Clock } from '../../lib/clock.ts'
import { sleep } from '../../lib/clock.ts'
import { NetworkError, nameOf } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import type { NetworkProfile } from '../../lib/network-profile.ts'
import type { Rng } from '../../lib/rng.ts'
import { HOUR_MS } from '../../lib/time.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { Bootstrap } from './bootstrap.ts'
import type { Dialer } from '../dialer.ts'
import { Awake } from './awake.ts'
import type { Change } from './awake.ts'
import { fingerprint, ownInterfaces } from './interfaces.ts'
import type { OwnInterface } from './interfaces.ts'
import { inviteAddresses, invitedPeers } from './invite-peers.ts'
import { Lan } from './lan.ts'
import { pingOver, Pulse } from './pulse.ts'
import { Keeper } from '../find/keeper.ts'
import { listeningOn, protectPeers, walkHome } from '../libp2p-node.ts'
import type { Node } from '../libp2p-node.ts'
import type { LiveTable } from '../find/live-table.ts'
import { PeerCache, REMEMBERED_PEERS_MAX } from './peer-cache.ts'
import type { Joining, Routing } from '../ports.ts'

const CACHE_EVERY_MS = 60_000
/** Peers out of invites that are tried in every round while we are alone. */
const INVITED_MAX = 16
/** A stranger may have written the invite, and named somebody who is not of this network: not for ever. */
const INVITED_FOR_MS = HOUR_MS
/** Neighbours of which an invite may name some. */
const NEAR_FOR_INVITES = 20
/** How often joining looks whether a holder has greeted. */
const GREETED_EVERY_MS = 50
/** Joining at the start is no return. */
const FIRST_JOIN_MS = 5_000
/** Peers come in bursts, and a link that flaps makes no storm of what follows a return. */
const RETURN_SETTLE_MS = 500
const RETURN_EVERY_MS = 3_000

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
  readonly profile: NetworkProfile
  /** Whether peers on the local network are looked for, and we are found there. */
  readonly lan: boolean
  /** Addresses that may be dialled though they are private. */
  readonly dialable: Set<string>
  /** Where others may dial us. */
  readonly addresses: () => readonly string[]
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  /** The machine's, unless a test has others. */
  readonly interfaces?: () => readonly OwnInterface[]
}

export class Membership implements Startable, Joining {
  readonly #init: MembershipInit
  readonly #cache: PeerCache
  readonly #bootstrap: Bootstrap
  readonly #keeper: Keeper
  readonly #lan: Lan | undefined
  readonly #awake: Awake
  readonly #pulse: Pulse
  readonly #interfaces: () => readonly OwnInterface[]
  readonly #listeners = new Set<() => void>()
  /** By id, the newest last. */
  readonly #invited = new Map<string, { readonly peer: PeerRecord; readonly untilMs: number }>()
  #running = false
  #savedAtMs = 0
  /** Nobody was connected from then on. */
  #aloneSinceMs: number | undefined
  #returnedAtMs = 0
  #cancelReturn: (() => void) | undefined

  constructor(init: MembershipInit) {
    this.#init = init
    this.#cache = new PeerCache(init.cacheFile, init.log)
    this.#interfaces = init.interfaces ?? ownInterfaces
    this.#bootstrap = this.#makeBootstrap()
    this.#keeper = this.#makeKeeper()
    this.#lan = init.lan ? this.#makeLan() : undefined
    this.#pulse = new Pulse({ open: () => this.#open(), ping: pingOver, clock: init.clock, rng: init.rng })
    this.#awake = new Awake({
      clock: init.clock,
      interfaces: () => fingerprint(this.#interfaces()),
      onChange: (change) => {
        void this.#woke(change)
      },
    })
  }

  /** Reads whom we knew; before the node starts. */
  async load(): Promise<void> {
    await this.#cache.load()
  }

  start(): void {
    this.#running = true
    this.#aloneSinceMs = this.#init.clock.now() + FIRST_JOIN_MS
    this.#init.node.addEventListener('peer:connect', this.#onConnect)
    this.#bootstrap.start()
    this.#keeper.start()
    this.#lan?.start()
    this.#awake.start()
    this.#pulse.start()
  }

  async stop(): Promise<void> {
    this.#running = false
    this.#init.node.removeEventListener('peer:connect', this.#onConnect)
    this.#cancelReturn?.()
    this.#awake.stop()
    this.#pulse.stop()
    await Promise.all([this.#bootstrap.stop(), this.#keeper.stop(), this.#lan?.stop()])
    await this.#save()
  }

  async joinBy(addresses: readonly string[], signal: AbortSignal): Promise<void> {
    const peers = invitedPeers(addresses, this.#init.profile)
    for (const peer of peers) this.#invite(peer)
    try {
      await Promise.any(peers.map(async (peer) => this.#connect(peer, signal)))
    } catch (error) {
      throw new NetworkError('nobody answers at the addresses of the invite', { cause: error })
    }
    void this.#save()
    // Who asks for the account at once is to find somebody to ask.
    while (this.#init.table.size === 0) await sleep(this.#init.clock, GREETED_EVERY_MS, signal)
  }

  waysIn(): readonly string[] {
    const { routing, table, dialer, rng, addresses } = this.#init
    const near = routing.known(table.selfPosition, NEAR_FOR_INVITES)
    const connected = near.filter((peer) => dialer.existing(peer.id) !== undefined)
    return inviteAddresses(addresses(), connected, rng)
  }

  onReturn(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
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
    this.#aloneSinceMs ??= this.#init.clock.now()
    this.#bootstrap.nudge()
  }

  /** Dead connections are cut first: while they look open, nobody is missed. */
  async #woke(change: Change): Promise<void> {
    const { log, table } = this.#init
    log.info('the machine slept, or its network changed', { change })
    table.forgive()
    this.#lan?.refresh()
    if (this.#open().length === 0) this.#bootstrap.nudge()
    await this.#pulse.feelAll()
    if (!this.#running) return
    this.#keeper.nudge()
    if (this.#open().length > 0) this.#returnSoon()
  }

  readonly #onConnect = (): void => {
    const since = this.#aloneSinceMs
    this.#aloneSinceMs = undefined
    if (since !== undefined && since <= this.#init.clock.now()) this.#returnSoon()
  }

  #returnSoon(): void {
    if (this.#cancelReturn !== undefined) return
    const { clock } = this.#init
    const dueMs = Math.max(
      RETURN_SETTLE_MS,
      Math.min(RETURN_EVERY_MS, this.#returnedAtMs + RETURN_EVERY_MS - clock.now()),
    )
    this.#cancelReturn = clock.after(dueMs, () => {
      this.#cancelReturn = undefined
      this.#returned()
    })
  }

  #returned(): void {
    const { clock, table, log } = this.#init
    this.#returnedAtMs = clock.now()
    table.forgive()
    this.#keeper.nudge()
    for (const listener of this.#listeners) {
      try {
        listener()
      } catch (error) {
        log.error('a listener failed', { event: 'return', error: nameOf(error) })
      }
    }
  }

  #open(): readonly Connection[] {
    return this.#init.node.getConnections().filter(({ status }) => status === 'open')
  }

  #invite(peer: PeerRecord): void {
    this.#invited.delete(peer.id)
    this.#invited.set(peer.id, { peer, untilMs: this.#init.clock.now() + INVITED_FOR_MS })
    dropOldest(this.#invited, INVITED_MAX)
  }

  #invitedNow(): readonly PeerRecord[] {
    const now = this.#init.clock.now()
    for (const [id, { untilMs }] of this.#invited) if (untilMs <= now) this.#invited.delete(id)
    return [...this.#invited.values()].map(({ peer }) => peer)
  }

  /** A peer of an invite is remembered once it has proved its id, and by the address where it did. */
  async #connect(peer: PeerRecord, signal: AbortSignal): Promise<void> {
    const { remoteAddr, direction } = await this.#init.dialer.connect(peer, signal)
    if (direction === 'outbound' && this.#invited.has(peer.id))
      this.#cache.remember({ id: peer.id, addresses: [remoteAddr.toString()] })
  }

  #makeBootstrap(): Bootstrap {
    const { bootstrap, clock, rng, log, node, dialer } = this.#init
    return new Bootstrap({
      entries: bootstrap,
      clock,
      rng,
      log,
      cached: () => this.#cache.all(),
      invited: () => this.#invitedNow(),
      connections: () => node.getConnections().length,
      isConnected: (peerId) => dialer.existing(peerId) !== undefined,
      dial: async (address, signal) => (await node.dial(address, { signal })).remotePeer.toString(),
      connect: async (peer, signal) => this.#connect(peer, signal),
    })
  }

  #makeLan(): Lan {
    const { node, dialer, profile, dialable, clock, rng, log } = this.#init
    return new Lan({
      network: profile.name,
      peerId: node.peerId.toString(),
      listening: () => listeningOn(node),
      interfaces: this.#interfaces,
      dialable,
      connections: () => node.getConnections().length,
      isConnected: (peerId) => dialer.existing(peerId) !== undefined,
      connect: async (peer, signal) => dialer.connect(peer, signal),
      logger: node.logger,
      clock,
      rng,
      log,
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
      searchDue: (count) => table.size === 0 || table.hasNearCandidates(count),
      search: async (count, signal) => {
        const found = await routing.closest(table.selfPosition, count, signal)
        if (found.length === 0) await walkHome(node, signal)
      },
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
    const peers = [...table.remembered(REMEMBERED_PEERS_MAX)].sort((a, b) => this.#rtt(a) - this.#rtt(b))
    for (const peer of peers.toReversed()) this.#cache.remember(peer)
    await this.#cache.save()
  }

  /** Milliseconds; those that are not connected come after all that are. */
  #rtt(peer: PeerRecord): number {
    return this.#init.dialer.existing(peer.id)?.rtt ?? Number.MAX_SAFE_INTEGER
  }
}
