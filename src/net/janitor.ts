/**
 * Throws dead peers out of kad-dht's routing table and of ours. kad-dht itself does so only when a bucket is full:
 * with half of the peers frozen every lookup takes 12 s for ever.
 */
import type { PeerId } from '@libp2p/interface'
import { NetworkError, nameOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { Startable } from '../lib/lifecycle.ts'
import type { PeerRecord } from '../wire/peer.ts'
import type { Dialer } from './dialer.ts'
import type { Node } from './libp2p-node.ts'
import { within } from './signals.ts'

const PROBE_DEADLINE_MS = 3_000
/** Probes at once, and suspects that wait for theirs: half of all connections may go in one moment. */
const PROBES_MAX = 16
const SUSPECTS_MAX = 512

/** The parts of kad-dht that its public type leaves out. */
interface KadInternals {
  readonly routingTable: { remove(peer: PeerId): Promise<void>; find(peer: PeerId): Promise<PeerId | undefined> }
  readonly network: { sendRequest(...args: readonly unknown[]): AsyncGenerator<KadEvent> }
}
interface KadEvent {
  readonly name: string
  readonly from?: PeerId
}

export interface JanitorInit {
  readonly node: Node
  readonly dialer: Dialer
  readonly log: Logger
  readonly recordOf: (peerId: string) => PeerRecord | undefined
  readonly evict: (peerId: string) => void
}

export class Janitor implements Startable {
  readonly #init: JanitorInit
  readonly #kad: KadInternals
  readonly #probing = new Set<string>()
  readonly #suspects = new Map<string, PeerId>()
  readonly #stopped = new AbortController()

  constructor(init: JanitorInit) {
    this.#init = init
    this.#kad = init.node.services.dht as unknown as KadInternals
    this.#watchQueries()
  }

  start(): void {
    this.#init.node.addEventListener('peer:disconnect', this.#onDisconnect)
  }

  stop(): void {
    this.#stopped.abort()
    this.#init.node.removeEventListener('peer:disconnect', this.#onDisconnect)
  }

  /** One attempt to reach the peer again; if that fails, it is out of both tables, and what is left of its connections is cut. */
  suspect(peer: PeerId): void {
    if (this.#stopped.signal.aborted || this.#suspects.size >= SUSPECTS_MAX) return
    this.#suspects.set(peer.toString(), peer)
    this.#next()
  }

  #next(): void {
    for (const [id, peer] of this.#suspects) {
      if (this.#probing.size >= PROBES_MAX || this.#stopped.signal.aborted) return
      this.#suspects.delete(id)
      if (!this.#probing.has(id)) void this.#probe(peer)
    }
  }

  async #probe(peer: PeerId): Promise<void> {
    const id = peer.toString()
    this.#probing.add(id)
    try {
      if ((await this.#known(peer)) && !(await this.#answers(peer))) {
        this.#init.evict(id)
        for (const connection of this.#init.node.getConnections(peer))
          connection.abort(new NetworkError('it is frozen'))
        await this.#kad.routingTable.remove(peer)
      }
    } catch (error) {
      this.#init.log.debug('a dead peer stays in the table', { error: nameOf(error) })
    }
    this.#probing.delete(id)
    this.#next()
  }

  readonly #onDisconnect = (event: CustomEvent<PeerId>): void => {
    this.suspect(event.detail)
  }

  async #known(peer: PeerId): Promise<boolean> {
    if (this.#init.recordOf(peer.toString()) !== undefined) return true
    return (await this.#kad.routingTable.find(peer)) !== undefined
  }

  async #answers(peer: PeerId): Promise<boolean> {
    const record = this.#init.recordOf(peer.toString())
    const signal = within(PROBE_DEADLINE_MS, this.#stopped.signal)
    try {
      if (record !== undefined) await this.#init.dialer.connect(record, signal)
      await this.#init.node.services.ping.ping(peer, { signal })
      return true
    } catch {
      return this.#stopped.signal.aborted
    }
  }

  /** kad-dht keeps the failures of its own background queries to itself: listen where they are made. */
  #watchQueries(): void {
    const { network } = this.#kad
    const send = network.sendRequest.bind(network)
    const suspect = (peer: PeerId): void => {
      this.suspect(peer)
    }
    network.sendRequest = async function* watched(...args) {
      for await (const event of send(...args)) {
        if (event.name === 'QUERY_ERROR' && event.from !== undefined) suspect(event.from)
        yield event
      }
    }
  }
}
