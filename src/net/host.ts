/** The peer: one libp2p node and everything of Sotto that speaks over it. `README.md` is the specification. */
import type { IdentifyResult, PeerId } from '@libp2p/interface'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { Clock } from '../lib/clock.ts'
import { NetworkError } from '../lib/errors.ts'
import type { Startable } from '../lib/lifecycle.ts'
import type { Logger } from '../lib/log.ts'
import type { NetworkProfile } from '../lib/network-profile.ts'
import type { Rng } from '../lib/rng.ts'
import { keepAddresses, withoutPeer } from './addresses.ts'
import { Dialer } from './dialer.ts'
import { DirectStreams } from './direct/direct.ts'
import type { HolderServerCounters } from './holders/holder-server.ts'
import { Holders } from './holders/holders.ts'
import { Janitor } from './janitor.ts'
import { connectedPeers, createNode, listeningOn, stopNode } from './libp2p-node.ts'
import type { Node } from './libp2p-node.ts'
import { encrypters } from './holders/links.ts'
import type { LinkName } from './holders/links.ts'
import { LiveTable } from './find/live-table.ts'
import { Membership } from './join/membership.ts'
import { NodeEvents } from './node-events.ts'
import { positions } from './peer-id.ts'
import { loadPeerKey, peerSigner } from './link/peer-key.ts'
import type {
  ConnectedPeer,
  DirectNetwork,
  HolderHandler,
  HolderNetwork,
  Joining,
  PeerListener,
  PeerSigner,
  Routing,
} from './ports.ts'
import { protocolsOf } from './protocols.ts'
import type { Protocols } from './protocols.ts'
import { reachParts } from './reach/parts.ts'
import type { ReachParts } from './reach/parts.ts'
import { Reach } from './reach/reach.ts'
import type { ReachListener } from './reach/reach.ts'
import type { ReachStatus } from './reach/reachability.ts'
import { walkAnywhere } from './reach/walk.ts'
import { ROLES } from '../lib/roles.ts'
import type { RoleName } from '../lib/roles.ts'
import { PeerRouting } from './routing.ts'
import { TcpDialer } from './upgrade/tcp-dialer.ts'
import { Upgrader } from './upgrade/upgrader.ts'
import { WebRtc } from './upgrade/webrtc/webrtc.ts'

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
  /** Whether peers on the local network are looked for, where the role allows it; not by default. */
  readonly mdns?: boolean
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
  /** Addresses, peer ids cut off, that may be dialled though they are private: the user's, and those next door for a moment. */
  readonly dialable: Set<string>
  readonly reach: ReachParts
  readonly tcp: TcpDialer
}

export class Host implements Startable {
  readonly peerId: string
  readonly signer: PeerSigner
  readonly holderNetwork: HolderNetwork
  readonly routing: Routing
  readonly direct: DirectNetwork
  readonly joining: Joining
  readonly #init: HostInit
  readonly #node: Node
  readonly #protocols: Protocols
  readonly #table: LiveTable
  readonly #peers: PeerRouting
  readonly #dialer: Dialer
  readonly #holders: Holders
  readonly #streams: DirectStreams
  readonly #janitor: Janitor
  readonly #membership: Membership
  readonly #events: NodeEvents
  readonly #upgrader: Upgrader
  readonly #reach: Reach
  readonly #peerListeners = new Set<PeerListener>()
  #ownAddresses: readonly string[] | undefined
  #running = false

  /** Reads or makes the key and puts the parts together; nothing listens or dials before `start`. */
  static async create(init: HostInit): Promise<Host> {
    const privateKey = await loadPeerKey(init.keyFile, init.rng)
    const protocols = protocolsOf(init.profile.name)
    const dialable = new Set([...init.bootstrap, ...init.profile.bootstrap].map((text) => withoutPeer(text.trim())))
    const role = ROLES[init.role]
    const tcp = new TcpDialer()
    const reach = reachParts({ ...init, announced: init.announce, role })
    const node = await createNode({
      privateKey,
      listen: init.listen,
      announce: init.announce,
      profile: init.profile,
      role,
      kadId: protocols.kadId,
      encrypters: encrypters(init.links ?? ['tls', 'noise'], init.crypto, init.rng),
      trustedAddresses: dialable,
      reach,
      tcp,
    })
    return new Host({ init, node, signer: peerSigner(privateKey, init.crypto), protocols, dialable, reach, tcp })
  }

  private constructor({ init, node, signer, protocols, dialable, reach, tcp }: Parts) {
    const { clock, log, profile, crypto } = init
    const positionOf = positions((bytes) => crypto.sha256(bytes))
    this.#init = init
    this.#node = node
    this.#protocols = protocols
    this.peerId = signer.peerId
    this.signer = signer
    this.#table = new LiveTable(signer.peerId, positionOf, clock)
    this.#dialer = new Dialer(node)
    this.#holders = this.#makeHolders()
    this.#streams = new DirectStreams({
      dialer: this.#dialer,
      withKnown: (peer) => this.#table.withKnown(peer),
      limits: protocols.direct,
      clock,
      log,
    })
    this.#peers = new PeerRouting({
      selfId: signer.peerId,
      selfAddresses: () => this.addresses(),
      table: this.#table,
      positionOf,
      profile,
      clock,
      log,
      link: async (peer, signal) => this.#holders.link(peer, signal),
      onEvicted: (peerId) => this.#onEvicted(peerId),
    })
    this.routing = this.#peers
    this.holderNetwork = this.#holderNetwork()
    this.direct = this.#streams
    this.#janitor = this.#makeJanitor()
    this.#membership = this.#makeMembership(dialable)
    this.joining = this.#membership
    this.#upgrader = this.#makeUpgrader(tcp)
    this.#reach = this.#makeReach(reach)
    this.joining.onReturn(() => this.#reach.recheck())
    this.#events = new NodeEvents(node, log, {
      connect: (peer) => this.#tell(peer.toString(), true),
      disconnect: (peer) => this.#onDisconnect(peer),
      identify: (result) => this.#onIdentify(result),
      selfUpdate: () => {
        this.#ownAddresses = undefined
        this.#reach.moved()
      },
    })
  }

  /** Listens, joins in the background, speaks. Throws {@link NetworkError} where none of the addresses can be listened on. */
  async start(): Promise<void> {
    await this.#membership.load()
    this.#events.attach()
    try {
      await this.#serveDirect()
      await this.#upgrader.start()
      await this.#node.start()
    } catch (error) {
      await this.#stopNode()
      await this.#node.unhandle(this.#protocols.direct.id)
      await this.#upgrader.stop()
      throw error
    }
    this.#running = true
    if (this.#init.listen.length > 0 && listeningOn(this.#node).length === 0) {
      await this.stop()
      throw new NetworkError('none of the listen addresses can be used: is another daemon running there?')
    }
    this.#janitor.start()
    this.#membership.start()
    this.#reach.start()
  }

  /** Ends within about two seconds, whatever the peers do. */
  async stop(): Promise<void> {
    if (!this.#running) return
    this.#running = false
    this.#janitor.stop()
    this.#holders.stop()
    this.#streams.stop()
    await this.#upgrader.stop()
    await Promise.all([this.#membership.stop(), this.#reach.stop()])
    await this.#stopNode()
  }

  /** Where others may dial us, whole multiaddrs, the farthest reaching first, those over relays last. */
  addresses(): readonly string[] {
    this.#ownAddresses ??= keepAddresses(
      [...this.#node.getMultiaddrs().map(String), ...this.#reach.relayed()],
      this.peerId,
      this.#init.profile,
    )
    return this.#ownAddresses
  }

  /** Whether others can reach us, and how. */
  reach(): ReachStatus {
    return this.#reach.status()
  }

  /** Called when that changes, or our addresses do, until the returned function ends it. */
  onReach(listener: ReachListener): () => void {
    return this.#reach.onChange(listener)
  }

  /** What we listen on, whatever is announced, private addresses included. */
  listening(): readonly string[] {
    return listeningOn(this.#node).map((address) => `${address.toString()}/p2p/${this.peerId}`)
  }

  /** Who is connected, one line per connection. */
  peers(): readonly ConnectedPeer[] {
    return connectedPeers(this.#node, (peerId) => this.#table.isLive(peerId))
  }

  /** What peers did that they should not have, since the holder role was taken on. */
  counters(): HolderServerCounters {
    return this.#holders.counters
  }

  /**
   * Takes on the role of a holder, or puts it down (`undefined`). Peers are told, and greeted with the solution of the puzzle under
   * our id (16 bytes; none where the profile asks none).
   */
  async setHolderHandler(handler?: HolderHandler, puzzle?: Uint8Array): Promise<void> {
    await this.#holders.serve(handler, puzzle)
  }

  /** Dials a multiaddr that the user gave; the id of who answered. Throws UsageError, NetworkError or TimeoutError. */
  async dial(text: string, signal: AbortSignal): Promise<string> {
    return this.#dialer.dial(text, signal)
  }

  /** Cuts the connections to a peer. */
  async disconnect(peerId: string): Promise<void> {
    await this.#dialer.hangUp(peerId)
  }

  #holderNetwork(): HolderNetwork {
    return {
      link: async (peer, signal) => this.#holders.link(peer, signal),
      onPush: (listener) => this.#holders.onPush(listener),
      onPeerChange: (listener) => {
        this.#peerListeners.add(listener)
        return () => {
          this.#peerListeners.delete(listener)
        }
      },
    }
  }

  async #serveDirect(): Promise<void> {
    const { id, inboundStreamsMax: maxInboundStreams, outboundStreamsMax: maxOutboundStreams } = this.#protocols.direct
    const limits = { maxInboundStreams, maxOutboundStreams, runOnLimitedConnection: true }
    await this.#node.handle(id, async (stream, connection) => this.#streams.serve(stream, connection), limits)
  }

  /** What every part needs. */
  #common(): Pick<HostInit, 'profile' | 'clock' | 'rng' | 'log'> & { readonly node: Node; readonly dialer: Dialer } {
    const { profile, clock, rng, log } = this.#init
    return { node: this.#node, dialer: this.#dialer, profile, clock, rng, log }
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

  #makeMembership(dialable: Set<string>): Membership {
    const { cacheFile, bootstrap, profile, role, mdns } = this.#init
    return new Membership({
      ...this.#common(),
      table: this.#table,
      routing: this.routing,
      cacheFile,
      bootstrap: [...bootstrap, ...profile.bootstrap],
      neighbours: ROLES[role].neighbours,
      lan: mdns === true && ROLES[role].lan,
      dialable,
      addresses: () => this.addresses(),
    })
  }

  #makeUpgrader(tcp: TcpDialer): Upgrader {
    const { listen, bootstrap, profile } = this.#init
    const stunPeers = (): readonly string[] => [...bootstrap, ...profile.bootstrap, ...this.#reach.relayed()]
    return new Upgrader({
      ...this.#common(),
      selfId: this.peerId,
      streams: this.#streams,
      tcp,
      webRtc: new WebRtc({ ...this.#common(), listen, stunPeers }),
      limits: this.#protocols.upgrade,
      addresses: () => this.addresses(),
      log: this.#init.log.child('upgrade'),
    })
  }

  #makeReach(parts: ReachParts): Reach {
    const { role, rng, log } = this.#init
    const reach = new Reach({
      ...this.#common(),
      parts,
      role: ROLES[role],
      observed: this.#upgrader.observed,
      selfId: this.peerId,
      walk: async (signal) => walkAnywhere(this.#node, this.#peers, rng, signal),
      log: log.child('reach'),
    })
    reach.onChange(() => {
      this.#ownAddresses = undefined
      this.#upgrader.changed()
    })
    return reach
  }

  #makeHolders(): Holders {
    return new Holders({
      ...this.#common(),
      crypto: this.#init.crypto,
      table: this.#table,
      limits: this.#protocols.holder,
      routing: () => this.#peers,
      running: () => this.#running,
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
    this.#reach.disconnected(peer)
    if (this.#node.getConnections().length === 0) this.#membership.alone()
    this.#tell(id, false)
  }

  #onIdentify(result: IdentifyResult): void {
    this.#upgrader.identified(result)
    this.#reach.identified(result)
    this.#holders.identified(result)
  }
}
