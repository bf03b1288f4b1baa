/** Everything of the holder protocol: asking holders, being one, and who may enter the table as one. */
import type { IdentifyResult } from '@libp2p/interface'
import type { CryptoProvider } from '../../crypto/provider.ts'
import type { Clock } from '../../lib/clock.ts'
import { NetworkError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { NetworkProfile } from '../../lib/network-profile.ts'
import type { Rng } from '../../lib/rng.ts'
import { NO_PUZZLE } from '../../protocol/id-puzzle.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { identifiedAddresses } from '../addresses.ts'
import { Admission } from './admission.ts'
import type { Dialer } from '../dialer.ts'
import { HolderClient } from './holder-client.ts'
import { HolderPrices } from './holder-prices.ts'
import { HolderServer } from './holder-server.ts'
import type { HolderServerCounters } from './holder-server.ts'
import type { Node } from '../libp2p-node.ts'
import type { LiveTable } from '../find/live-table.ts'
import type { HolderHandler, HolderLink, PushListener } from '../ports.ts'
import { HOLDER_ANSWERS_BYTES_MAX, LINK_DEADLINE_MS } from '../protocols.ts'
import type { ProtocolLimits } from '../protocols.ts'
import type { PeerRouting } from '../routing.ts'
import { within } from '../signals.ts'

export interface HoldersInit {
  readonly node: Node
  readonly dialer: Dialer
  readonly table: LiveTable
  readonly limits: ProtocolLimits
  readonly profile: NetworkProfile
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  /** Who walks the network by the links that are made here. */
  readonly routing: () => PeerRouting
  readonly running: () => boolean
  /** Somebody is in the table who was not before. */
  readonly onHolder: (peer: PeerRecord, isNew: boolean) => void
}

export class Holders {
  readonly #init: HoldersInit
  readonly #client: HolderClient
  readonly #prices: HolderPrices
  readonly #admission: Admission
  #server: HolderServer | undefined

  constructor(init: HoldersInit) {
    this.#init = init
    this.#prices = new HolderPrices(init.crypto, init.profile, init.clock)
    this.#client = this.#makeClient()
    this.#admission = new Admission({
      table: init.table,
      clock: init.clock,
      isConnected: (peerId) => init.dialer.existing(peerId) !== undefined,
      isPaid: (peerId) => this.#prices.isPaid(peerId),
      meet: async (peer) => this.link(peer, within(LINK_DEADLINE_MS)),
      onHolder: init.onHolder,
    })
  }

  /** What peers did that they should not have, since the role was taken on. */
  get counters(): HolderServerCounters {
    return this.#server?.counters ?? { malformed: 0, limited: 0 }
  }

  stop(): void {
    this.#client.stop()
    this.#server?.stop()
  }

  async link(peer: PeerRecord, signal: AbortSignal): Promise<HolderLink> {
    const { table, dialer } = this.#init
    if (table.isRefused(peer.id)) throw new NetworkError('the holder has not paid for its id')
    // Zones are remembered for longer than it takes to die: nobody waits for one peer twice.
    if (table.failedLately(peer.id) && dialer.existing(peer.id) === undefined)
      throw new NetworkError('the peer failed a moment ago')
    return this.#client.link(table.withKnown(peer), signal)
  }

  onPush(listener: PushListener): () => void {
    return this.#client.onPush(listener)
  }

  /** Takes on the role, or puts it down (`undefined`). Peers are told. */
  async serve(handler: HolderHandler | undefined, puzzle: Uint8Array = NO_PUZZLE): Promise<void> {
    const { node, limits, clock, rng, log } = this.#init
    if (this.#server !== undefined) {
      await node.unhandle(limits.id)
      this.#server.stop()
      this.#server = undefined
    }
    if (handler === undefined) return
    const answersBytesMax = HOLDER_ANSWERS_BYTES_MAX
    const server = new HolderServer({ limits, answersBytesMax, clock, rng, log, handler, puzzle })
    this.#server = server
    await node.handle(limits.id, async (stream, connection) => server.serve(stream, connection), {
      maxInboundStreams: limits.inboundStreamsMax,
      maxOutboundStreams: limits.outboundStreamsMax,
    })
  }

  /** A peer says what it speaks, and where it is dialled. */
  identified(result: IdentifyResult): void {
    const { table, limits, profile } = this.#init
    const id = result.peerId.toString()
    if (!result.protocols.includes(limits.id)) table.remove(id)
    else this.#admission.arrived({ id, addresses: identifiedAddresses(result, profile) })
  }

  #makeClient(): HolderClient {
    const { dialer, limits, clock, table, routing, running } = this.#init
    return new HolderClient(dialer, limits, clock, {
      onAnswer: (peerId, response) => {
        table.seen(peerId, [], true)
        routing().learn(peerId, response.closer)
      },
      onFailure: (peer) => {
        if (running()) routing().unreachable(peer)
      },
      onFrozen: (peerId) => routing().evict(peerId),
      isPaid: async (peerId, puzzle) => this.#prices.paid(peerId, puzzle),
      onUnpaid: (peerId) => table.refuse(peerId),
    })
  }
}
