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
import { addressFor, ipOf, isPlain, keepAddresses } from '../addresses.ts'
import { listeningOn, protectPeers } from '../libp2p-node.ts'
import type { Node } from '../libp2p-node.ts'
import { DIAL_DEADLINE_MS } from '../protocols.ts'
import type { Role } from '../../lib/roles.ts'
import { parsePeerId } from '../peer-id.ts'
import { within } from '../signals.ts'
import type { ObservedAddresses } from '../upgrade/observed.ts'
import type { ReachParts } from './parts.ts'
import { judge } from './reachability.ts'
import type { Reachability, ReachStatus } from './reachability.ts'
import { HOP_PROTOCOL } from './relay-client.ts'
import { RelayKeeper } from './relay-keeper.ts'

/** How often the verdict is looked at anew: while it is open, and when it is not. */
const OPEN_LOOK_MS = 2_000
const LOOK_MS = 20_000
/** Connected for so long without a verdict, we look for relays: a router that drops in silence is known only after a whole round. */
const DOUBT_MS = 4_000
/** After something happened, before looking: things come in bursts. */
const SETTLE_MS = 200
const PROTECT_EVERY_MS = 60_000
const ASKED_AGAIN_MAX = 8
const IDENTIFY_DEADLINE_MS = 3_000
/** For a dial and a handshake over a relay. */
const TRIAL_DEADLINE_MS = 6_000

export type ReachListener = (status: ReachStatus) => void

export interface ReachInit {
  readonly node: Node
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
  #protected = { ids: '', atMs: 0 }
  #told = ''
  #next: { readonly atMs: number; readonly cancel: () => void } | undefined
  #running = false
  #applying: Promise<void> = Promise.resolve()
  #waitsToApply = false

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
      carries: async (address, signal) => this.#carries(address, signal),
      expiresAt: (peerId) => parts.client.expiresAt(peerId),
      release: (peerId) => {
        parts.client.release(peerId)
      },
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
    const { node, parts } = this.#init
    node.addEventListener('connection:open', this.#onOpen)
    parts.stun?.start(listeningOn(node).map(String))
    this.#look()
  }

  async stop(): Promise<void> {
    const { node, parts } = this.#init
    this.#running = false
    this.#next?.cancel()
    node.removeEventListener('connection:open', this.#onOpen)
    await this.#applying // its step at hand: it may be the one that serves or listens
    parts.server?.stop()
    parts.stun?.stop()
    await this.#keeper.stop()
    await parts.client.listen(false)
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
    this.#init.parts.proofs.identified(result)
    if (isPlain(result.connection)) this.#noteRelay(result)
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

  /** Where we reached it; where it came to us, what it says of the place that it came from. */
  #noteRelay({ peerId, protocols, connection, signedPeerRecord, listenAddrs }: IdentifyResult): void {
    const id = peerId.toString()
    if (!protocols.includes(HOP_PROTOCOL)) {
      this.#keeper.unmet(id)
      return
    }
    const { direction, remoteAddr } = connection
    const from = ipOf(remoteAddr)
    const said = (signedPeerRecord?.addresses ?? listenAddrs).filter((address) => ipOf(address) === from)
    const known = (direction === 'outbound' ? [remoteAddr] : said).map(String)
    this.#keeper.met({ id, addresses: keepAddresses(known, id, this.#init.profile) })
  }

  readonly #onOpen = ({ detail }: CustomEvent<Connection>): void => {
    try {
      this.#init.parts.proofs.opened(detail)
      if (isDialled(detail)) this.#keeper.arrived()
    } catch (error) {
      this.#init.log.debug('a connection was not looked at', { error: nameOf(error) })
    }
  }

  #lookSoon(): void {
    this.#schedule(SETTLE_MS)
  }

  /** What is due sooner stays: whoever makes things happen all the time would put it off for ever. */
  #schedule(delayMs: number): void {
    const { clock } = this.#init
    const atMs = clock.now() + delayMs
    if (!this.#running || (this.#next !== undefined && this.#next.atMs <= atMs)) return
    this.#next?.cancel()
    const cancel = clock.after(delayMs, () => {
      this.#next = undefined
      this.#look()
    })
    this.#next = { atMs, cancel }
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
    const connected = connections.some((connection) => isDialled(connection) && isPublic(connection))
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
    if (this.#waitsToApply) return
    this.#waitsToApply = true
    this.#applying = this.#applying
      .then(async () => {
        this.#waitsToApply = false
        await this.#apply()
      })
      .catch((error: unknown) => {
        this.#init.log.warn('a role could not be changed', { error: nameOf(error) })
      })
  }

  /** What follows from the verdict. Each part knows whether it is on already; a stop may come between any two. */
  async #apply(): Promise<void> {
    const { node, parts, role, profile } = this.#init
    const verdict = this.#reachability
    const isPublicNow = verdict === 'public'
    const hidden = verdict === 'behind-nat' || (verdict === 'unknown' && this.#isInDoubt())
    // Who has a public address but no proof yet answers, too: else nobody would be the first.
    const answers = role.routes && (isPublicNow || (verdict === 'unknown' && parts.proofs.hopeful))
    const steps = [
      async () => parts.proofs.autoNat.serve(answers && !profile.privateAddresses),
      async () => this.#relay(isPublicNow),
      async () => node.services.dht.setMode(isPublicNow && role.routes ? 'server' : 'client'),
      async () => (hidden ? undefined : this.#keeper.stop()), // before the listening: a place asked for meanwhile would outlive it
      async () => parts.client.listen(hidden),
      async () => {
        if (hidden) this.#keeper.start()
      },
    ]
    for (const step of steps) if (this.#running) await step()
  }

  #isInDoubt(): boolean {
    const { clock, profile } = this.#init
    const since = this.#connectedAtMs
    return !profile.privateAddresses && since !== undefined && clock.now() - since >= DOUBT_MS
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
    const asked = node.getConnections().filter(isDialled).slice(-ASKED_AGAIN_MAX)
    await Promise.allSettled([
      walk(signal),
      ...asked.map(async (connection) =>
        node.services.identify.identify(connection, { signal: within(IDENTIFY_DEADLINE_MS, signal) }),
      ),
    ])
  }

  async #reserve(relay: PeerRecord, signal: AbortSignal): Promise<{ address: string; expiresAt: number }> {
    const { client } = this.#init.parts
    const { remoteAddr } = await this.#dialled(relay, within(DIAL_DEADLINE_MS, signal))
    const address = addressFor(remoteAddr.toString(), relay.id)?.toString()
    if (address === undefined) throw new NetworkError('the relay has no address that others could dial')
    const expiresAt = await client.reserve(relay.id, signal)
    if (await this.#carries(address, signal)) return { address, expiresAt }
    client.release(relay.id)
    throw new NetworkError('the relay does not carry to us')
  }

  /** A connection that we dialled: others are told to dial the relay there, and its own word may lead them to anybody. */
  async #dialled({ id, addresses }: PeerRecord, signal: AbortSignal): Promise<Connection> {
    const { node } = this.#init
    const isOurs = (each: Connection): boolean => isDialled(each) && each.status === 'open'
    const open = node.getConnections(parsePeerId(id)).find(isOurs)
    const targets = addresses.map((text) => addressFor(text, id)).filter((address) => address !== undefined)
    return open ?? node.dial(targets, { signal, force: true })
  }

  /** Whoever is connected over the relay shows that it carries. */
  async #carries(address: string, signal: AbortSignal): Promise<boolean> {
    const { node, parts } = this.#init
    const over = `${address}/p2p-circuit`
    const inUse = ({ direction, remoteAddr }: Connection): boolean =>
      direction === 'inbound' && remoteAddr.toString().startsWith(over)
    return node.getConnections().some(inUse) || parts.client.carries(address, within(TRIAL_DEADLINE_MS, signal))
  }

  /** Connections to relays are the last to be given up where there are too many. */
  #protect(): void {
    const now = this.#init.clock.now()
    const relays = this.#keeper.places().map(({ record }) => record.id)
    const ids = relays.join(' ')
    if (relays.length === 0 || (ids === this.#protected.ids && now - this.#protected.atMs < PROTECT_EVERY_MS)) return
    this.#protected = { ids, atMs: now }
    void protectPeers(this.#init.node, relays).catch(() => {})
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

/** Whether we reached the peer where others can, too. */
function isDialled(connection: Connection): boolean {
  return connection.direction === 'outbound' && isPlain(connection)
}

function isPublic({ remoteAddr }: Connection): boolean {
  const ip = ipOf(remoteAddr)
  return ip !== undefined && sourceNetwork(ip) !== undefined
}
