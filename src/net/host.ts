/** The peer: one libp2p node and everything of Sotto that speaks over it. `README.md` is the specification. */
import type { IdentifyResult, PeerId } from '@libp2p/interface'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { Clock } from '../lib/clock.ts'
import { NetworkError, UsageError, nameOf } from '../lib/errors.ts'
import type { Startable } from '../lib/lifecycle.ts'
import type { Logger } from '../lib/log.ts'
import type { NetworkProfile } from '../lib/network-profile.ts'
import type { Rng } from '../lib/rng.ts'
import { keepAddresses, parseAddress, withoutPeer } from './addresses.ts'
import { Bootstrap } from './bootstrap.ts'
import { Dialer } from './dialer.ts'
import { DirectStreams } from './direct.ts'
import { HolderClient } from './holder-client.ts'
import { HolderServer } from './holder-server.ts'
import type { HolderServerCounters } from './holder-server.ts'
import { Janitor } from './janitor.ts'
import { Keeper } from './keeper.ts'
import { clearLeftovers, createNode } from './libp2p-node.ts'
import type { Encrypter, Node } from './libp2p-node.ts'
import { LiveTable } from './live-table.ts'
import { NodeEvents } from './node-events.ts'
import { noiseLink } from './noise-link.ts'
import { PeerCache, REMEMBERED_PEERS_MAX } from './peer-cache.ts'
import { parsePeerId, positions } from './peer-id.ts'
import { loadPeerKey, peerSigner } from './peer-key.ts'
import type {
  ConnectedPeer,
  DirectNetwork,
  HolderHandler,
  HolderNetwork,
  PeerListener,
  PeerSigner,
  Routing,
} from './ports.ts'
import { HOLDER_ANSWERS_BYTES_MAX, protocolsOf } from './protocols.ts'
import type { Protocols } from './protocols.ts'
import { PeerRouting } from './routing.ts'
import { networkError, orAborted, within } from './signals.ts'
import { tlsLink } from './tls-link.ts'

const CACHE_EVERY_MS = 60_000
const STOP_DEADLINE_MS = 2_000
const NEAR_TAG = 'sotto-near'
const NEAR_TAG_VALUE = 50
const NEAR_TAG_TTL_MS = 120_000

/** The links that a host can offer, both post-quantum. */
export type LinkName = 'tls' | 'noise'

export interface HostInit {
  /** The peer's key, made where there is none. */
  readonly keyFile: string
  /** Peers to join by later. */
  readonly cacheFile: string
  /** Multiaddrs to listen on. */
  readonly listen: readonly string[]
  /** Multiaddrs to tell others instead of those listened on. */
  readonly announce: readonly string[]
  /** Multiaddrs to join by, besides the profile's. */
  readonly bootstrap: readonly string[]
  readonly profile: NetworkProfile
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  /** In the order in which they are offered; both by default. */
  readonly links?: readonly LinkName[]
}

interface Parts {
  readonly init: HostInit
  readonly node: Node
  readonly signer: PeerSigner
  readonly protocols: Protocols
}

export class Host implements Startable {
  readonly peerId: string
  readonly signer: PeerSigner
  readonly holderNetwork: HolderNetwork
  readonly routing: Routing
  readonly direct: DirectNetwork
  readonly #init: HostInit
  readonly #node: Node
  readonly #protocols: Protocols
  readonly #table: LiveTable
  readonly #dialer: Dialer
  readonly #client: HolderClient
  readonly #streams: DirectStreams
  readonly #cache: PeerCache
  readonly #janitor: Janitor
  readonly #bootstrap: Bootstrap
  readonly #keeper: Keeper
  readonly #events: NodeEvents
  readonly #peerListeners = new Set<PeerListener>()
  #server: HolderServer | undefined
  #ownAddresses: readonly string[] | undefined
  #savedAtMs = 0
  #running = false

  /** Reads or makes the key and puts the parts together; nothing listens or dials before `start`. */
  static async create(init: HostInit): Promise<Host> {
    const privateKey = await loadPeerKey(init.keyFile, init.rng)
    const protocols = protocolsOf(init.profile.name)
    const trusted = [...init.bootstrap, ...init.profile.bootstrap].map((text) => withoutPeer(text.trim()))
    const node = await createNode({
      privateKey,
      listen: init.listen,
      announce: init.announce,
      profile: init.profile,
      kadId: protocols.kadId,
      encrypters: encrypters(init),
      trustedAddresses: new Set(trusted),
    })
    return new Host({ init, node, signer: peerSigner(privateKey, init.crypto), protocols })
  }

  private constructor({ init, node, signer, protocols }: Parts) {
    const { clock, log, profile, crypto } = init
    const positionOf = positions((bytes) => crypto.sha256(bytes))
    this.#init = init
    this.#node = node
    this.#protocols = protocols
    this.peerId = signer.peerId
    this.signer = signer
    this.#table = new LiveTable(signer.peerId, positionOf, clock)
    this.#dialer = new Dialer(node)
    this.#client = new HolderClient(this.#dialer, protocols.holder, clock, {
      onAnswer: (peerId, response) => {
        this.#table.seen(peerId, [], true)
        this.routing.learn(peerId, response.closer)
      },
      onFailure: (peer) => {
        if (this.#running) this.#table.unreachable(peer)
      },
    })
    this.#streams = new DirectStreams({ dialer: this.#dialer, limits: protocols.direct, clock, log })
    this.routing = new PeerRouting({
      selfId: signer.peerId,
      selfAddresses: () => this.addresses(),
      table: this.#table,
      positionOf,
      profile,
      clock,
      log,
      link: async (peer, signal) => this.#client.link(this.#table.withKnown(peer), signal),
    })
    this.holderNetwork = this.#holderNetwork()
    this.direct = this.#directNetwork()
    this.#cache = new PeerCache(init.cacheFile, log)
    this.#janitor = this.#makeJanitor()
    this.#bootstrap = this.#makeBootstrap()
    this.#keeper = this.#makeKeeper()
    this.#events = new NodeEvents(node, log, {
      connect: (peer) => this.#tell(peer.toString(), true),
      disconnect: (peer) => this.#onDisconnect(peer),
      identify: (result) => this.#onIdentify(result),
      selfUpdate: () => (this.#ownAddresses = undefined),
    })
  }

  /** Listens, joins in the background, speaks. Throws {@link NetworkError} where none of the addresses can be listened on. */
  async start(): Promise<void> {
    await this.#cache.load()
    this.#events.attach()
    try {
      await this.#serveDirect()
      await this.#node.start()
    } catch (error) {
      await this.#stopNode()
      await this.#node.unhandle(this.#protocols.direct.id)
      throw error
    }
    this.#running = true
    if (this.#init.listen.length > 0 && this.#node.getMultiaddrs().length === 0) {
      await this.stop()
      throw new NetworkError('none of the listen addresses can be used: is another daemon running there?')
    }
    this.#janitor.start()
    this.#bootstrap.start()
    this.#keeper.start()
  }

  /** Ends within about two seconds, whatever the peers do. */
  async stop(): Promise<void> {
    if (!this.#running) return
    this.#running = false
    this.#janitor.stop()
    this.#client.stop()
    this.#server?.stop()
    this.#streams.stop()
    await Promise.all([this.#bootstrap.stop(), this.#keeper.stop()])
    await this.#saveCache()
    await this.#stopNode()
  }

  /** Where others may dial us, whole multiaddrs, the farthest reaching first. */
  addresses(): readonly string[] {
    if (this.#ownAddresses === undefined) {
      this.#ownAddresses = keepAddresses(this.listening(), this.peerId, this.#init.profile)
    }
    return this.#ownAddresses
  }

  /** What we listen on or announce, private addresses included. */
  listening(): readonly string[] {
    return this.#node.getMultiaddrs().map(String)
  }

  /** Who is connected, one line per connection. */
  peers(): readonly ConnectedPeer[] {
    return this.#node.getConnections().map((connection) => ({
      id: connection.remotePeer.toString(),
      address: connection.remoteAddr.toString(),
      direction: connection.direction,
      link: connection.encryption ?? '',
      roundTripMs: connection.rtt,
      holder: this.#table.isLive(connection.remotePeer.toString()),
    }))
  }

  /** What peers did that they should not have, since the holder role was taken on. */
  counters(): HolderServerCounters {
    return this.#server?.counters ?? { malformed: 0, limited: 0 }
  }

  /** Takes on the role of a holder, or puts it down (`undefined`). Peers are told. */
  async setHolderHandler(handler: HolderHandler | undefined): Promise<void> {
    const { id, inboundStreamsMax, outboundStreamsMax } = this.#protocols.holder
    if (this.#server !== undefined) {
      await this.#node.unhandle(id)
      this.#server.stop()
      this.#server = undefined
    }
    if (handler === undefined) return
    const { clock, rng, log } = this.#init
    const limits = { limits: this.#protocols.holder, answersBytesMax: HOLDER_ANSWERS_BYTES_MAX }
    const server = new HolderServer({ ...limits, clock, rng, log, handler })
    this.#server = server
    await this.#node.handle(id, async (stream, connection) => server.serve(stream, connection), {
      maxInboundStreams: inboundStreamsMax,
      maxOutboundStreams: outboundStreamsMax,
    })
  }

  /** Dials a multiaddr that the user gave; the id of who answered. Throws UsageError, NetworkError or TimeoutError. */
  async dial(text: string, signal: AbortSignal): Promise<string> {
    const address = parseAddress(text)
    if (address === undefined) throw new UsageError('this is not a multiaddr')
    try {
      return (await this.#node.dial(address, { signal })).remotePeer.toString()
    } catch (error) {
      throw networkError('dialling the address', error)
    }
  }

  /** Cuts the connections to a peer. */
  async disconnect(peerId: string): Promise<void> {
    const id = parsePeerId(peerId)
    if (id !== undefined) await this.#node.hangUp(id)
  }

  #holderNetwork(): HolderNetwork {
    return {
      link: async (peer, signal) => this.#client.link(this.#table.withKnown(peer), signal),
      onPush: (listener) => this.#client.onPush(listener),
      onPeerChange: (listener) => {
        this.#peerListeners.add(listener)
        return () => {
          this.#peerListeners.delete(listener)
        }
      },
    }
  }

  #directNetwork(): DirectNetwork {
    return {
      send: async (peer, frame, signal) => this.#streams.send(this.#table.withKnown(peer), frame, signal),
      connected: (peerId) => this.#streams.connected(peerId),
      onFrame: (listener) => {
        this.#streams.onFrame(listener)
      },
    }
  }

  async #serveDirect(): Promise<void> {
    const { id, inboundStreamsMax: maxInboundStreams, outboundStreamsMax: maxOutboundStreams } = this.#protocols.direct
    const limits = { maxInboundStreams, maxOutboundStreams }
    await this.#node.handle(id, async (stream, connection) => this.#streams.serve(stream, connection), limits)
  }

  #makeJanitor(): Janitor {
    return new Janitor({
      node: this.#node,
      dialer: this.#dialer,
      log: this.#init.log,
      recordOf: (peerId) => this.#table.record(peerId),
      evict: (peerId) => {
        this.#table.evict(peerId)
      },
    })
  }

  #makeBootstrap(): Bootstrap {
    const { bootstrap, profile, clock, rng, log } = this.#init
    return new Bootstrap({
      entries: [...bootstrap, ...profile.bootstrap],
      clock,
      rng,
      log,
      cached: () => this.#cache.all(),
      connections: () => this.#node.getConnections().length,
      isConnected: (peerId) => this.#dialer.existing(peerId) !== undefined,
      dial: async (address, signal) => (await this.#node.dial(address, { signal })).remotePeer.toString(),
      connect: async (peer, signal) => this.#dialer.connect(peer, signal),
    })
  }

  #makeKeeper(): Keeper {
    const { clock, rng, log } = this.#init
    return new Keeper({
      clock,
      rng,
      log,
      near: (count) => this.routing.known(this.#table.selfPosition, count),
      searchDue: (count) => this.#table.hasNearCandidates(count),
      search: async (count, signal) => this.routing.closest(this.#table.selfPosition, count, signal),
      isConnected: (peerId) => this.#dialer.existing(peerId) !== undefined,
      connect: async (peer, signal) => this.#dialer.connect(peer, signal),
      protect: async (peerIds) => this.#protect(peerIds),
      onRound: async () => {
        if (clock.now() - this.#savedAtMs >= CACHE_EVERY_MS) await this.#saveCache()
      },
    })
  }

  async #protect(peerIds: readonly string[]): Promise<void> {
    const tags = { [NEAR_TAG]: { value: NEAR_TAG_VALUE, ttl: NEAR_TAG_TTL_MS } }
    for (const peerId of peerIds) {
      const id = parsePeerId(peerId)
      if (id !== undefined) await this.#node.peerStore.merge(id, { tags })
    }
  }

  async #saveCache(): Promise<void> {
    this.#savedAtMs = this.#init.clock.now()
    for (const peer of this.#table.remembered(REMEMBERED_PEERS_MAX).toReversed()) this.#cache.remember(peer)
    await this.#cache.save()
  }

  async #stopNode(): Promise<void> {
    this.#events.detach()
    try {
      await orAborted(Promise.resolve(this.#node.stop()), within(STOP_DEADLINE_MS))
    } catch (error) {
      this.#init.log.warn('the network did not stop in time', { error: nameOf(error) })
      for (const connection of this.#node.getConnections()) connection.abort(new NetworkError('the host stops'))
    }
    clearLeftovers(this.#node)
  }

  /** One listener of the floor above that throws does not keep the others from hearing. */
  #tell(peerId: string, connected: boolean): void {
    for (const listener of this.#peerListeners) {
      this.#events.guard('a peer listener', () => {
        listener(peerId, connected)
      })
    }
  }

  #onDisconnect(peer: PeerId): void {
    const id = peer.toString()
    this.#table.disconnected(id)
    if (this.#node.getConnections().length === 0) this.#bootstrap.nudge()
    this.#tell(id, false)
  }

  /** What a peer says of itself, over a link that proves it is itself: the only source of addresses that is believed. */
  #onIdentify({ peerId, protocols, signedPeerRecord, listenAddrs, connection }: IdentifyResult): void {
    const id = peerId.toString()
    if (!protocols.includes(this.#protocols.holder.id)) {
      this.#table.remove(id)
      return
    }
    const own = (signedPeerRecord?.addresses ?? listenAddrs).map(String)
    const dialled = connection.direction === 'outbound' ? [connection.remoteAddr.toString()] : []
    const addresses = keepAddresses([...own, ...dialled], id, this.#init.profile)
    const isNew = !this.#table.isLive(id)
    this.#table.seen(id, addresses, this.#dialer.existing(id) !== undefined)
    this.#cache.remember({ id, addresses })
    if (isNew) this.#keeper.nudge()
  }
}

function encrypters(init: HostInit): readonly Encrypter[] {
  const made: Record<LinkName, Encrypter> = { tls: tlsLink(), noise: noiseLink(init.crypto, init.rng) }
  return (init.links ?? ['tls', 'noise']).map((name) => made[name])
}
