/** The one place where libp2p is put together. Why each value is what it is: `README.md`. */
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify, identifyPush } from '@libp2p/identify'
import type { Identify, IdentifyPush } from '@libp2p/identify'
import { FaultTolerance } from '@libp2p/interface'
import type { Connection, Ed25519PrivateKey, Libp2p } from '@libp2p/interface'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import type { KadDHT } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import type { Ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { Libp2pOptions } from 'libp2p'
import type { NetworkProfile } from '../lib/network-profile.ts'
import { NetworkError, VerificationError, nameOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { addressAllowed } from './addresses.ts'
import { connectionGater } from './gater.ts'
import { PeerDatastore } from './peer-datastore.ts'
import { parsePeerId } from './peer-id.ts'
import type { ConnectedPeer } from './ports.ts'
import type { ReachParts } from './reach/parts.ts'
import { ADDRESS_DIAL_DEADLINE_MS, DIAL_DEADLINE_MS } from './protocols.ts'
import type { Role } from '../lib/roles.ts'
import { DAY_MS } from '../lib/time.ts'
import { orAborted, within } from './signals.ts'
import type { TcpDialer } from './upgrade/tcp-dialer.ts'
import type { LinkParts } from './upgrade/webrtc/webrtc.ts'

const KAD_REFRESH_MS = 1_800_000
const KIB = 1_024
const STOP_DEADLINE_MS = 2_000
const NEAR_TAG_VALUE = 50
const NEAR_TAG_TTL_MS = 120_000

// A type, not an interface: libp2p's service map asks for an index signature.
// oxlint-disable-next-line typescript/consistent-type-definitions
export type NodeServices = {
  identify: Identify
  identifyPush: IdentifyPush
  ping: Ping
  dht: KadDHT
}
export type Node = Libp2p<NodeServices>
export type Encrypter = NonNullable<Libp2pOptions['connectionEncrypters']>[number]

export interface NodeInit {
  readonly privateKey: Ed25519PrivateKey
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly profile: NetworkProfile
  readonly role: Role
  readonly kadId: string
  /** In the order in which they are offered. */
  readonly encrypters: readonly Encrypter[]
  /** Addresses the user gave, peer ids cut off: they may be private whatever the profile says. */
  readonly trustedAddresses: ReadonlySet<string>
  /** What dials and listens, where somebody asks it where connections left from. */
  readonly tcp?: TcpDialer
  /** What makes others able to reach us; without it nothing is proved, carried or asked. */
  readonly reach?: ReachParts
}

/** A node that is not started yet. */
export async function createNode(init: NodeInit): Promise<Node> {
  let made: Node | undefined
  const open = (): readonly Connection[] => made?.getConnections() ?? []
  made = await createLibp2p<NodeServices>({
    start: false,
    privateKey: init.privateKey,
    nodeInfo: { name: 'sotto', version: '1', userAgent: 'sotto/1' }, // the same for all: versions single people out
    datastore: new PeerDatastore(),
    addresses: {
      listen: [...init.listen],
      announce: [...init.announce],
      // private ones say which household and which machines belong together; the local network hears them another way
      announceFilter: (addresses) => addresses.filter((address) => addressAllowed(address, init.profile)),
    },
    transports: [init.tcp?.transport ?? tcp(), ...(init.reach === undefined ? [] : [init.reach.client.transport])],
    connectionEncrypters: [...init.encrypters],
    streamMuxers: [muxer()],
    transportManager: { faultTolerance: FaultTolerance.NO_FATAL },
    connectionManager: {
      maxConnections: init.role.connectionsMax,
      maxIncomingPendingConnections: 64,
      inboundConnectionThreshold: init.profile.inboundPerSecond,
      addressDialTimeout: ADDRESS_DIAL_DEADLINE_MS,
      dialTimeout: DIAL_DEADLINE_MS,
      // libp2p asks DNS for each dnsaddr that a stranger names, and for all that the answers name, 32 deep, before any gate
      resolvers: {},
    },
    // the default (10 s, 5 s) aborts busy healthy connections, and without aborting a frozen peer stays for ever; both ends
    // ask, and at every 30 s that alone was more than 1 KB/s with 20 neighbours
    connectionMonitor: { pingInterval: 120_000, pingTimeout: { minTimeout: 20_000 } },
    peerStore: { maxAddressAge: 7 * DAY_MS, maxPeerAge: 30 * DAY_MS },
    connectionGater: connectionGater(init.profile, init.trustedAddresses, open),
    services: {
      identify: identify(),
      identifyPush: identifyPush(), // tells others when the holder role comes or goes
      ping: ping({ maxInboundStreams: 32, maxOutboundStreams: 64 }),
      dht: routingTable(init),
      ...(init.reach === undefined ? {} : servicesOf(init.reach)),
    },
  })
  calmDown(made)
  return made
}

/** kad-dht walks to a random place for each of its buckets every five minutes, and connects to all on the way. */
function calmDown(node: Node): void {
  const kad = node.services.dht as unknown as { readonly routingTableRefresh: { refreshInterval: number } }
  kad.routingTableRefresh.refreshInterval = KAD_REFRESH_MS
}

/** Nobody calls them: they work by themselves, and are steered from where they were made. */
function servicesOf({ proofs, server }: ReachParts): Record<string, (components: never) => unknown> {
  const { v1, v2 } = proofs.autoNat
  return { autoNat: v1, autoNat2: v2, ...(server === undefined ? {} : { relay: server.service }) }
}

/** A paused stream may be sent its whole window, and above the read buffer it is reset: so the one is below the other. */
function muxer(): ReturnType<typeof yamux> {
  return yamux({
    maxInboundStreams: 128,
    maxOutboundStreams: 128,
    streamOptions: { maxReadBufferLength: 1_024 * KIB, maxStreamWindowSize: 512 * KIB },
  })
}

/** kad-dht as a routing table and a walk; every value is refused, and {@link PeerDatastore} keeps none. */
function routingTable(init: NodeInit): ReturnType<typeof kadDHT> {
  const refuse = async (): Promise<void> => {
    throw new VerificationError('values are not stored here')
  }
  return kadDHT({
    protocol: init.kadId,
    clientMode: !init.role.routes || !init.profile.privateAddresses, // until it is known that others can dial us
    alpha: 3,
    disjointPaths: 2,
    kBucketSize: 20,
    peerInfoMapper: init.profile.privateAddresses
      ? passthroughMapper
      : (peer) => ({ ...peer, multiaddrs: peer.multiaddrs.filter((address) => addressAllowed(address, init.profile)) }),
    networkDialTimeout: { minTimeout: 2_000, maxTimeout: 6_000 },
    validators: { pk: refuse },
    selectors: { pk: () => 0 },
    allowQueryWithZeroPeers: true,
    querySelfInterval: 600_000,
    maxInboundStreams: 16,
  })
}

/** What the transports listen on, peer id left out, whatever is announced. */
export function listeningOn(node: Node): readonly Multiaddr[] {
  const inner = node as unknown as { readonly components: { readonly transportManager: { getAddrs(): Multiaddr[] } } }
  return inner.components.transportManager.getAddrs()
}

/** What makes connections of byte pipes that no transport of ours made. */
export function linkParts(node: Node): LinkParts {
  return (node as unknown as { readonly components: LinkParts }).components
}

interface Debounced {
  readonly stop?: () => void
}
interface Leftovers {
  readonly components?: { readonly addressManager?: { readonly _updatePeerStoreAddresses?: Debounced } }
  readonly services: { readonly identifyPush: { readonly _push?: Debounced } }
}

/** Two debounced calls that libp2p leaves behind when it stops keep the process alive for two seconds: call them off. */
function clearLeftovers(node: Node): void {
  const inner = node as unknown as Leftovers
  inner.components?.addressManager?._updatePeerStoreAddresses?.stop?.()
  inner.services.identifyPush._push?.stop?.()
}

/** Ends within two seconds, whatever the peers do. */
export async function stopNode(node: Node, log: Logger): Promise<void> {
  try {
    await orAborted(Promise.resolve(node.stop()), within(STOP_DEADLINE_MS))
  } catch (error) {
    log.warn('the network did not stop in time', { error: nameOf(error) })
    for (const connection of node.getConnections()) connection.abort(new NetworkError('the host stops'))
  }
  clearLeftovers(node)
}

/** Where connections are too many, those to others go first. */
export async function protectPeers(node: Node, peerIds: readonly string[]): Promise<void> {
  const tags = { 'sotto-near': { value: NEAR_TAG_VALUE, ttl: NEAR_TAG_TTL_MS } }
  for (const peerId of peerIds) {
    const id = parsePeerId(peerId)
    if (id !== undefined) await node.peerStore.merge(id, { tags })
  }
}

/**
 * Lets kad-dht ask for who is near us. It connects to those it asks, and the holders among them greet: for who has joined by
 * peers that hold nothing, and can be reached by nobody.
 */
export async function walkHome(node: Node, signal: AbortSignal): Promise<void> {
  const walk = node.services.dht.getClosestPeers(node.peerId.toMultihash().bytes, { signal })[Symbol.asyncIterator]()
  while ((await walk.next()).done !== true) signal.throwIfAborted()
}

/** One line per connection. */
export function connectedPeers(node: Node, isHolder: (peerId: string) => boolean): readonly ConnectedPeer[] {
  return node.getConnections().map((connection) => ({
    id: connection.remotePeer.toString(),
    address: connection.remoteAddr.toString(),
    direction: connection.direction,
    link: connection.encryption ?? '',
    roundTripMs: connection.rtt,
    streams: connection.streams.length,
    holder: isHolder(connection.remotePeer.toString()),
  }))
}
