/** The peer: one libp2p node and everything of Sotto that speaks over it. `README.md` is the specification. */
import type { IdentifyResult, PeerId } from '@libp2p/interface'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { Clock } from '../lib/clock.ts'
import { NetworkError } from '../lib/errors.ts'
import type { Startable } from '../lib/lifecycle.ts'
import type { Logger } from '../lib/log.ts'
import type { NetworkProfile } from '../lib/network-profile.ts'
import type { Rng } from '../lib/rng.ts'
import { NO_PUZZLE } from '../protocol/id-puzzle.ts'
import type { PeerRecord } from '../wire/peer.ts'
import { identifiedAddresses, keepAddresses, withoutPeer } from './addresses.ts'
import { Admission } from './admission.ts'
import { Dialer } from './dialer.ts'
import { DirectStreams } from './direct.ts'
import { HolderClient } from './holder-client.ts'
import { HolderPrices } from './holder-prices.ts'
import { HolderServer } from './holder-server.ts'
import type { HolderServerCounters } from './holder-server.ts'
import { Janitor } from './janitor.ts'
import { connectedPeers, createNode, stopNode } from './libp2p-node.ts'
import type { Node } from './libp2p-node.ts'
import { encrypters } from './links.ts'
import type { LinkName } from './links.ts'
import { LiveTable } from './live-table.ts'
import { Membership } from './membership.ts'
import { NodeEvents } from './node-events.ts'
import { positions } from './peer-id.ts'
import { loadPeerKey, peerSigner } from './peer-key.ts'
import type {
  ConnectedPeer,
  DirectNetwork,
  HolderHandler,
  HolderLink,
  HolderNetwork,
  PeerListener,
  PeerSigner,
  Routing,
} from './ports.ts'
import { HOLDER_ANSWERS_BYTES_MAX, LINK_DEADLINE_MS, protocolsOf } from './protocols.ts'
import type { Protocols } from './protocols.ts'
import { ROLES } from './roles.ts'
import type { RoleName } from './roles.ts'
import { PeerRouting } from './routing.ts'
import { within } from './signals.ts'

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
  readonly role: RoleName
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
  readonly #peers: PeerRouting
  readonly #dialer: Dialer
  readonly #client: HolderClient
  readonly #streams: DirectStreams
  readonly #janitor: Janitor
  readonly #membership: Membership
  readonly #events: NodeEvents
  readonly #prices: HolderPrices
  readonly #admission: Admission
  readonly #peerListeners = new Set<PeerListener>()
  #server: HolderServer | undefined
  #ownAddresses: readonly string[] | undefined
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
      role: ROLES[init.role],
      kadId: protocols.kadId,
      encrypters: encrypters(init.links ?? ['tls', 'noise'], init.crypto, init.rng),
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
    this.#prices = new HolderPrices(crypto, profile, clock)
    this.#client = new HolderClient(this.#dialer, protocols.holder, clock, {
      onAnswer: (peerId, response) => {
        this.#table.seen(peerId, [], true)
        this.#peers.learn(peerId, response.closer)
      },
      onFailure: (peer) => {
        if (this.#running) this.#peers.unreachable(peer)
      },
      onFrozen: (peerId) => this.#peers.evict(peerId),
      isPaid: async (peerId, puzzle) => this.#prices.paid(peerId, puzzle),
      onUnpaid: (peerId) => this.#table.refuse(peerId),
    })
    this.#streams = new DirectStreams({ dialer: this.#dialer, limits: protocols.direct, clock, log })
    this.#peers = new PeerRouting({
      selfId: signer.peerId,
      selfAddresses: () => this.addresses(),
      table: this.#table,
      positionOf,
      profile,
      clock,
      log,
      link: async (peer, signal) => this.#link(peer, signal),
      onEvicted: (peerId) => this.#onEvicted(peerId),
    })
    this.routing = this.#peers
    this.holderNetwork = this.#holderNetwork()
    this.direct = this.#directNetwork()
    this.#janitor = this.#makeJanitor()
    this.#membership = this.#makeMembership()
    this.#admission = this.#makeAdmission()
    this.#events = new NodeEvents(node, log, {
      connect: (peer) => this.#tell(peer.toString(), true),
      disconnect: (peer) => this.#onDisconnect(peer),
      identify: (result) => this.#onIdentify(result),
      selfUpdate: () => (this.#ownAddresses = undefined),
    })
  }

  /** Listens, joins in the background, speaks. Throws {@link NetworkError} where none of the addresses can be listened on. */
  async start(): Promise<void> {
    await this.#membership.load()
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
    this.#membership.start()
  }

  /** Ends within about two seconds, whatever the peers do. */
  async stop(): Promise<void> {
    if (!this.#running) return
    this.#running = false
    this.#janitor.stop()
    this.#client.stop()
    this.#server?.stop()
    this.#streams.stop()
    await this.#membership.stop()
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
    return connectedPeers(this.#node, (peerId) => this.#table.isLive(peerId))
  }

  /** What peers did that they should not have, since the holder role was taken on. */
  counters(): HolderServerCounters {
    return this.#server?.counters ?? { malformed: 0, limited: 0 }
  }

  /**
   * Takes on the role of a holder, or puts it down (`undefined`). Peers are told, and greeted with the solution of the puzzle under
   * our id (16 bytes; none where the profile asks none).
   */
  async setHolderHandler(handler?: HolderHandler, puzzle: Uint8Array = NO_PUZZLE): Promise<void> {
    const { id, inboundStreamsMax, outboundStreamsMax } = this.#protocols.holder
    if (this.#server !== undefined) {
      await this.#node.unhandle(id)
      this.#server.stop()
      this.#server = undefined
    }
    if (handler === undefined) return
    const { clock, rng, log } = this.#init
    const limits = { limits: this.#protocols.holder, answersBytesMax: HOLDER_ANSWERS_BYTES_MAX }
    const server = new HolderServer({ ...limits, clock, rng, log, handler, puzzle })
    this.#server = server
    await this.#node.handle(id, async (stream, connection) => server.serve(stream, connection), {
      maxInboundStreams: inboundStreamsMax,
      maxOutboundStreams: outboundStreamsMax,
    })
  }

  /** Dials a multiaddr that the user gave; the id of who answered. Throws UsageError, NetworkError or TimeoutError. */
  async dial(text: string, signal: AbortSignal): Promise<string> {
    return this.#dialer.dial(text, signal)
  }

  /** Cuts the connections to a peer. */
  async disconnect(peerId: string): Promise<void> {
    await this.#dialer.hangUp(peerId)
  }

  async #link(peer: PeerRecord, signal: AbortSignal): Promise<HolderLink> {
    if (this.#table.isRefused(peer.id)) throw new NetworkError('the holder has not paid for its id')
    // Zones are remembered for longer than it takes to die: nobody waits for one peer twice.
    if (this.#table.failedLately(peer.id) && this.#dialer.existing(peer.id) === undefined)
      throw new NetworkError('the peer failed a moment ago')
    return this.#client.link(this.#table.withKnown(peer), signal)
  }

  #holderNetwork(): HolderNetwork {
    return {
      link: async (peer, signal) => this.#link(peer, signal),
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
      evict: (peerId) => this.#peers.evict(peerId),
    })
  }

  #makeMembership(): Membership {
    const { cacheFile, bootstrap, profile, role, clock, rng, log } = this.#init
    return new Membership({
      node: this.#node,
      dialer: this.#dialer,
      table: this.#table,
      routing: this.routing,
      cacheFile,
      bootstrap: [...bootstrap, ...profile.bootstrap],
      neighbours: ROLES[role].neighbours,
      clock,
      rng,
      log,
    })
  }

  #makeAdmission(): Admission {
    return new Admission({
      table: this.#table,
      clock: this.#init.clock,
      isConnected: (peerId) => this.#dialer.existing(peerId) !== undefined,
      isPaid: (peerId) => this.#prices.isPaid(peerId),
      meet: async (peer) => this.#link(peer, within(LINK_DEADLINE_MS)),
      onHolder: (peer, isNew) => this.#membership.met(peer, isNew),
    })
  }

  async #stopNode(): Promise<void> {
    this.#events.detach()
    await stopNode(this.#node, this.#init.log)
  }

  /** One listener of the floor above that throws does not keep the others from hearing. */
  #tell(peerId: string, connected: boolean): void {
    for (const listener of this.#peerListeners) {
      this.#events.guard('a peer listener', () => {
        listener(peerId, connected)
      })
    }
  }

  /** Its place among the neighbours is another's, and a connection that is left may be a dead one. */
  #onEvicted(peerId: string): void {
    if (!this.#running) return
    this.#membership.lost(peerId)
    const left = this.#dialer.existing(peerId)
    if (left !== undefined) this.#janitor.suspect(left.remotePeer)
  }

  #onDisconnect(peer: PeerId): void {
    const id = peer.toString()
    this.#table.disconnected(id)
    if (this.#node.getConnections().length === 0) this.#membership.alone()
    this.#tell(id, false)
  }

  #onIdentify(result: IdentifyResult): void {
    const id = result.peerId.toString()
    const holds = result.protocols.includes(this.#protocols.holder.id)
    if (holds) this.#admission.arrived({ id, addresses: identifiedAddresses(result, this.#init.profile) })
    else this.#table.remove(id)
  }
}
