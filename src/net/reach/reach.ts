/**
 * Whether others can reach us, what we do about it where they cannot, and what we do for others where they can: addresses proved by
 * AutoNAT, places at relays, the relay service. `README.md` of the room above has the rules.
 */
import type { Connection, IdentifyResult, PeerId } from '@libp2p/interface'
import type { Clock } from '../../lib/clock.ts'
import { NetworkError, nameOf } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import type { NetworkProfile } from '../../lib/network-profile.ts'
import type { Rng } from '../../lib/rng.ts'
import { sourceNetwork } from '../../protocol/replicas.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { addressFor, identifiedAddresses, ipOf, isRelayed } from '../addresses.ts'
import type { Dialer } from '../dialer.ts'
import { protectPeers } from '../libp2p-node.ts'
import type { Node } from '../libp2p-node.ts'
import { DIAL_DEADLINE_MS } from '../protocols.ts'
import type { Role } from '../../lib/roles.ts'
import { orAborted, within } from '../signals.ts'
import type { ObservedAddresses } from '../upgrade/observed.ts'
import type { ReachParts } from './parts.ts'
import { judge } from './reachability.ts'
import type { Reachability, ReachStatus } from './reachability.ts'
import { HOP_PROTOCOL } from './relay-client.ts'
import { RelayKeeper } from './relay-keeper.ts'

/** How often the verdict is looked at anew: while it is open, and when it is not. */
const OPEN_LOOK_MS = 2_000
const LOOK_MS = 20_000
/** After something happened, before looking: things come in bursts. */
const SETTLE_MS = 200
const PROTECT_EVERY_MS = 60_000
const ASKED_AGAIN_MAX = 8
const IDENTIFY_DEADLINE_MS = 3_000

export type ReachListener = (status: ReachStatus) => void

export interface ReachInit {
  readonly node: Node
  readonly dialer: Dialer
  readonly parts: ReachParts
  readonly role: Role
  readonly profile: NetworkProfile
  readonly observed: Pick<ObservedAddresses, 'mapping' | 'punchable'>
  readonly selfId: string
  /** Walks to somewhere at random, so that peers show themselves. */
  readonly walk: (signal: AbortSignal) => Promise<unknown>
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}

export class Reach implements Startable {
  readonly #init: ReachInit
  readonly #keeper: RelayKeeper
  readonly #listeners = new Set<ReachListener>()
  #reachability: Reachability = 'unknown'
  /** Since when a public peer that we dialled has been connected. */
  #connectedAtMs: number | undefined
  #protectedAtMs = 0
  #told = ''
  #cancel: (() => void) | undefined
  #running = false
  #applying: Promise<void> = Promise.resolve()

  constructor(init: ReachInit) {
    this.#init = init
    const { clock, rng, log, profile, parts } = init
    this.#keeper = new RelayKeeper({
      clock,
      rng,
      log,
      diversity: profile.diversity,
      discover: async (signal) => this.#discover(signal),
      reserve: async (relay, signal) => this.#reserve(relay, signal),
      expiresAt: (peerId) => parts.client.expiresAt(peerId),
      onChange: () => {
        this.#tell()
        this.#lookSoon()
      },
    })
    parts.proofs.onProof(() => {
      this.#lookSoon()
    })
    parts.client.onLost((peerId) => {
      this.#keeper.lost(peerId)
    })
  }

  start(): void {
    this.#running = true
    this.#init.node.addEventListener('connection:open', this.#onOpen)
    this.#look()
  }

  async stop(): Promise<void> {
    this.#running = false
    this.#cancel?.()
    this.#init.node.removeEventListener('connection:open', this.#onOpen)
    this.#init.parts.server?.stop()
    await this.#keeper.stop()
    await this.#applying
  }

  status(): ReachStatus {
    const { parts, observed } = this.#init
    return {
      reachability: this.#reachability,
      verified: parts.proofs.verified(),
      unproved: parts.proofs.unproved(),
      mapping: observed.mapping(),
      observed: observed.punchable(),
      relays: this.#keeper.places().map(({ record, expiresAt }) => ({ peerId: record.id, expiresAt })),
      serves: {
        relay: parts.server?.serving ?? false,
        reservations: parts.server?.reservations ?? 0,
        circuits: parts.server?.circuits ?? 0,
      },
    }
  }

  /** Called when reachability, our proved addresses or our relays change; the returned function ends it. */
  onChange(listener: ReachListener): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** Our addresses at the relays that carry to us: whole multiaddrs. */
  relayed(): readonly string[] {
    return this.#keeper.places().map(({ address }) => `${address}/p2p-circuit/p2p/${this.#init.selfId}`)
  }

  /** What a peer says of itself and of us; also when it says it anew. */
  identified(result: IdentifyResult): void {
    const { peerId, protocols, connection } = result
    this.#init.parts.proofs.identified(result)
    if (!isRelayed(connection)) this.#noteRelay(peerId.toString(), protocols, result)
    if (this.#reachability === 'unknown') this.#lookSoon()
  }

  disconnected(peer: PeerId): void {
    this.#init.parts.server?.gone(peer)
    this.#keeper.lost(peer.toString())
  }

  /** The addresses of this machine changed. */
  moved(): void {
    this.#lookSoon()
  }

  /** The network may be another one: everything is asked for anew. */
  recheck(): void {
    this.#init.parts.proofs.forget()
    this.#connectedAtMs = undefined
    this.#lookSoon()
  }

  #noteRelay(id: string, protocols: readonly string[], result: IdentifyResult): void {
    const addresses = identifiedAddresses(result, this.#init.profile).filter((text) => !text.includes('/p2p-circuit'))
    if (protocols.includes(HOP_PROTOCOL)) this.#keeper.met({ id, addresses })
    // libp2p would go on taking the place for ours as long as the connection stands
    else if (this.#keeper.unmet(id)) void this.#init.dialer.hangUp(id).catch(() => {})
  }

  readonly #onOpen = ({ detail }: CustomEvent<Connection>): void => {
    try {
      const others = this.#init.node.getConnections(detail.remotePeer).filter(({ id }) => id !== detail.id)
      this.#init.parts.proofs.opened(detail, others.some(isRelayed))
      if (detail.direction === 'outbound' && !isRelayed(detail)) this.#keeper.arrived()
    } catch (error) {
      this.#init.log.debug('a connection was not looked at', { error: nameOf(error) })
    }
  }

  #lookSoon(): void {
    this.#schedule(SETTLE_MS)
  }

  #schedule(delayMs: number): void {
    if (!this.#running) return
    this.#cancel?.()
    this.#cancel = this.#init.clock.after(delayMs, () => {
      this.#look()
    })
  }

  #look(): void {
    if (!this.#running) return
    const { node, parts, profile } = this.#init
    try {
      const connections = node.getConnections()
      if (!profile.privateAddresses) parts.proofs.look(connections)
      this.#decide(this.#verdict(connections))
      this.#protect()
      this.#tell()
    } catch (error) {
      this.#init.log.warn('reachability could not be looked at', { error: nameOf(error) })
    }
    const settled = this.#reachability === 'public' || this.#keeper.places().length > 0
    this.#schedule(settled || profile.privateAddresses ? LOOK_MS : OPEN_LOOK_MS)
  }

  #verdict(connections: readonly Connection[]): Reachability {
    const { clock, profile, parts, node } = this.#init
    // Where private addresses are dialled everybody is next door, but for those who listen nowhere.
    if (profile.privateAddresses) return node.getMultiaddrs().length > 0 ? 'public' : 'behind-nat'
    const now = clock.now()
    const connected = connections.some((connection) => connection.direction === 'outbound' && isPublic(connection))
    this.#connectedAtMs = connected ? (this.#connectedAtMs ?? now) : undefined
    return judge({
      verified: parts.proofs.verified().length > 0,
      connectedMs: this.#connectedAtMs === undefined ? undefined : now - this.#connectedAtMs,
      candidates: parts.proofs.candidates(),
      before: this.#reachability,
    })
  }

  #decide(verdict: Reachability): void {
    const before = this.#reachability
    this.#reachability = verdict
    if (verdict !== before) this.#init.log.info('reachability changed', { from: before, to: verdict })
    this.#applying = this.#applying
      .then(async () => this.#apply(verdict))
      .catch((error: unknown) => {
        this.#init.log.warn('a role could not be changed', { error: nameOf(error) })
      })
  }

  /** What follows from it. Each part knows whether it is on already. */
  async #apply(verdict: Reachability): Promise<void> {
    const { node, parts, role, profile } = this.#init
    if (!this.#running) return
    const isPublicNow = verdict === 'public'
    // Who has a public address but no proof yet answers, too: else nobody would be the first.
    const answers = role.routes && (isPublicNow || (verdict === 'unknown' && parts.proofs.hopeful))
    await parts.proofs.autoNat.serve(answers && !profile.privateAddresses)
    await this.#relay(isPublicNow)
    await node.services.dht.setMode(isPublicNow && role.routes ? 'server' : 'client')
    const hidden = verdict === 'behind-nat'
    await parts.client.listen(hidden)
    if (hidden) this.#keeper.start()
    else await this.#keeper.stop()
  }

  async #relay(on: boolean): Promise<void> {
    const { server } = this.#init.parts
    if (server === undefined || server.serving === on) return
    await server.serve(on)
    this.#init.log.info(on ? 'carries connections for others' : 'carries no connections for others')
  }

  /** Who took up carrying may have told nobody: libp2p's push breaks off where a peer has just come. So those connected are asked again. */
  async #discover(signal: AbortSignal): Promise<void> {
    const { node, walk } = this.#init
    const direct = node.getConnections().filter((connection) => !isRelayed(connection))
    const asked = direct.filter(({ direction }) => direction === 'outbound').slice(-ASKED_AGAIN_MAX)
    await Promise.allSettled([
      walk(signal),
      ...asked.map(async (connection) =>
        node.services.identify.identify(connection, { signal: within(IDENTIFY_DEADLINE_MS, signal) }),
      ),
    ])
  }

  async #reserve(relay: PeerRecord, signal: AbortSignal): Promise<{ address: string; expiresAt: number }> {
    const { dialer, parts } = this.#init
    const connection = await dialer.connect(relay, within(DIAL_DEADLINE_MS, signal))
    if (isRelayed(connection)) throw new NetworkError('the relay is behind a relay itself')
    const dialled = connection.direction === 'outbound' ? connection.remoteAddr.toString() : (relay.addresses[0] ?? '')
    const address = addressFor(dialled, relay.id)?.toString()
    if (address === undefined) throw new NetworkError('the relay has no address that others could dial')
    return { address, expiresAt: await orAborted(parts.client.reserve(relay.id), signal) }
  }

  /** Connections to relays are the last to be given up where there are too many. */
  #protect(): void {
    const now = this.#init.clock.now()
    const places = this.#keeper.places()
    if (places.length === 0 || now - this.#protectedAtMs < PROTECT_EVERY_MS) return
    this.#protectedAtMs = now
    void protectPeers(
      this.#init.node,
      places.map(({ record }) => record.id),
    ).catch(() => {})
  }

  #tell(): void {
    const { parts } = this.#init
    const now = [this.#reachability, ...parts.proofs.verified(), ...this.relayed()].join(' ')
    if (now === this.#told) return
    this.#told = now
    const status = this.status()
    for (const listener of this.#listeners) {
      try {
        listener(status)
      } catch (error) {
        this.#init.log.error('a listener failed', { event: 'reach', error: nameOf(error) })
      }
    }
  }
}

function isPublic({ remoteAddr }: Connection): boolean {
  const ip = ipOf(remoteAddr)
  return ip !== undefined && sourceNetwork(ip) !== undefined
}
