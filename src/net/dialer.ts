/** Connections and streams to peers, by explicit addresses: what the peer store says of a peer may be a stranger's word. */
import type { Connection, Stream } from '@libp2p/interface'
import { NetworkError, UsageError } from '../lib/errors.ts'
import type { PeerRecord } from '../wire/peer.ts'
import { addressFor, parseAddress } from './addresses.ts'
import type { Node } from './libp2p-node.ts'
import { parsePeerId } from './peer-id.ts'
import { DIAL_DEADLINE_MS } from './protocols.ts'
import { networkError, within } from './signals.ts'

const STREAM_TRIES = 2

export class Dialer {
  readonly #node: Node

  constructor(node: Node) {
    this.#node = node
  }

  /** An open connection to the peer, or `undefined`. */
  existing(peerId: string): Connection | undefined {
    const id = parsePeerId(peerId)
    if (id === undefined) return undefined
    return this.#node.getConnections(id).find((connection) => connection.status === 'open')
  }

  /** A connection, the existing one where there is one. Throws NetworkError or TimeoutError. */
  async connect(peer: PeerRecord, signal: AbortSignal): Promise<Connection> {
    const existing = this.existing(peer.id)
    if (existing !== undefined) return existing
    const addresses = peer.addresses.map((text) => addressFor(text, peer.id)).filter((address) => address !== undefined)
    if (addresses.length === 0) throw new NetworkError('no address of the peer is known')
    try {
      return await this.#node.dial(addresses, { signal: within(DIAL_DEADLINE_MS, signal) })
    } catch (error) {
      throw networkError('dialling the peer', error)
    }
  }

  /** A new stream. A connection that turns out to be dead costs one more try. */
  async open(peer: PeerRecord, protocol: string, signal: AbortSignal): Promise<Stream> {
    for (let tries = 1; ; tries++) {
      const connection = await this.connect(peer, signal)
      try {
        return await connection.newStream(protocol, { signal })
      } catch (error) {
        if (tries === STREAM_TRIES || signal.aborted || connection.status === 'open') {
          throw networkError('opening the stream', error)
        }
      }
    }
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
