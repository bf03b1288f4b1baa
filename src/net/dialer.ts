/** Connections and streams to peers, by explicit addresses: what the peer store says of a peer may be a stranger's word. */
import type { Connection, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '../lib/clock.ts'
import { withDeadline } from '../lib/clock.ts'
import { NetworkError, TimeoutError, UsageError } from '../lib/errors.ts'
import type { PeerRecord } from '../wire/peer.ts'
import { addressFor, isRelayed, parseAddress } from './addresses.ts'
import { pingOver } from './join/pulse.ts'
import type { Node } from './libp2p-node.ts'
import { parsePeerId } from './peer-id.ts'
import { DIAL_DEADLINE_MS } from './protocols.ts'
import { networkError, orAborted, within } from './signals.ts'

const STREAM_TRIES = 2
const PROBE_DEADLINE_MS = 3_000

/**
 * `relayed`: over a relay, though there be a direct connection. `arrived`: only on a connection that the peer made over a relay of
 * ours; one that it names may be its own, and see where we are.
 */
type Path = 'any' | 'relayed' | 'arrived'

/** Whether the peer came over a relay that we chose. */
export function hasArrived(connection: Connection): boolean {
  return isRelayed(connection) && connection.direction === 'inbound'
}

/** A new stream, and what it runs over. */
export interface Opened {
  readonly stream: Stream
  readonly connection: Connection
}

export class Dialer {
  readonly #node: Node
  readonly #probed = new WeakSet<Connection>()

  constructor(node: Node) {
    this.#node = node
  }

  /** An open connection to the peer, a direct one where there is one, or `undefined`. */
  existing(peerId: string): Connection | undefined {
    return this.direct(peerId) ?? this.connections(peerId)[0]
  }

  /** An open connection that nobody carries for us, or `undefined`. */
  direct(peerId: string): Connection | undefined {
    return this.connections(peerId).find((connection) => !isRelayed(connection))
  }

  /** Those that are open. */
  connections(peerId: string): readonly Connection[] {
    const id = parsePeerId(peerId)
    if (id === undefined) return []
    return this.#node.getConnections(id).filter((connection) => connection.status === 'open')
  }

  /** A connection, the existing one where there is one. Throws NetworkError or TimeoutError. */
  async connect(peer: PeerRecord, signal: AbortSignal, path: Path = 'any'): Promise<Connection> {
    const existing = this.#existingOn(path, peer.id)
    if (existing !== undefined) return existing
    if (path === 'arrived') throw new NetworkError('the peer has not come over a relay of ours')
    const carried = path === 'relayed'
    const known = peer.addresses.map((text) => addressFor(text, peer.id)).filter((address) => address !== undefined)
    const addresses = carried ? known.filter((remoteAddr) => isRelayed({ remoteAddr })) : known
    if (addresses.length === 0) throw new NetworkError('no address of the peer is known')
    const connection = await this.#dial(addresses, within(DIAL_DEADLINE_MS, signal), carried)
    // libp2p may have joined another dial to this peer
    if (carried && !isRelayed(connection)) throw new NetworkError('no relay leads to the peer')
    return connection
  }

  #existingOn(path: Path, peerId: string): Connection | undefined {
    if (path === 'any') return this.existing(peerId)
    return this.connections(peerId).find(path === 'relayed' ? isRelayed : hasArrived)
  }

  /** @param force even where the peer is connected on another path */
  async #dial(addresses: readonly Multiaddr[], signal: AbortSignal, force: boolean): Promise<Connection> {
    try {
      return await this.#node.dial([...addresses], { signal, force })
    } catch (error) {
      throw networkError('dialling the peer', error)
    }
  }

  /** A new stream. A connection that turns out to be dead costs one more try. */
  async open(peer: PeerRecord, protocol: string, signal: AbortSignal, path: Path = 'any'): Promise<Opened> {
    for (let tries = 1; ; tries++) {
      const connection = await this.connect(peer, signal, path)
      try {
        const stream = await connection.newStream(protocol, { signal, runOnLimitedConnection: true })
        return { stream, connection }
      } catch (error) {
        if (tries === STREAM_TRIES || signal.aborted || connection.status === 'open') {
          throw networkError('opening the stream', error)
        }
      }
    }
  }

  /** Dials these and no others, whether or not the peer is connected over a relay. Throws NetworkError or TimeoutError. */
  async dialDirect(addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
    return this.#dial(addresses, signal, false)
  }

  /**
   * The peer chose another path: cuts its direct connection if nothing comes back on it any more. Whoever refuses answers as well.
   * Never throws.
   */
  async probeDirect(peerId: string, clock: Clock, stopped: AbortSignal): Promise<void> {
    const connection = this.direct(peerId)
    if (connection === undefined || this.#probed.has(connection)) return
    this.#probed.add(connection)
    try {
      await withDeadline(
        clock,
        PROBE_DEADLINE_MS,
        async (signal) => orAborted(pingOver(connection, signal), signal),
        stopped,
      )
    } catch (error) {
      if (error instanceof TimeoutError) connection.abort(error)
    }
    this.#probed.delete(connection)
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

  /** Closes the connections to a peer. */
  async hangUp(peerId: string): Promise<void> {
    const id = parsePeerId(peerId)
    if (id !== undefined) await this.#node.hangUp(id)
  }
}
