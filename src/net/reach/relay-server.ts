/**
 * Carrying connections for peers behind NATs: circuit relay v2 by the role's budget. libp2p does the reservations and the
 * handshakes. It knows no bound for circuits, none for a peer's share and no rate, and keeps what the slower side does not take,
 * so the carrying itself is ours.
 */
import { circuitRelayServer, RELAY_V2_HOP_CODEC } from '@libp2p/circuit-relay-v2'
import type { CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import type { Clock } from '../../lib/clock.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import { addressAllowed, ipOf } from '../addresses.ts'
import { fromMultihash } from '../peer-id.ts'
import type { RelayBudget } from '../../lib/roles.ts'
import { override } from './autonat.ts'
import { carry } from './carry.ts'
import { Circuits } from './circuits.ts'
import { FairRate } from './fair-rate.ts'
import { Gate } from './gate.ts'
import { HOP_STATUS, hopStatus } from './hop.ts'

type Components = Parameters<ReturnType<typeof circuitRelayServer>>[0]

/** A reservation is good for so long, and renewed by its owner before that. */
const RESERVATION_MS = 60 * 60_000
const HOP_DEADLINE_MS = 10_000
/** Reservations and requests to be carried, of one peer. */
const HOPS_OF_ONE = { perSecond: 1, burst: 30 } as const

/** The parts of libp2p's relay that its public type leaves out. */
interface Internals extends CircuitRelayService {
  handleConnect(hop: Hop, options: { readonly signal?: AbortSignal }): Promise<void>
  stopHop(stop: unknown, options: object): Promise<Stream | undefined>
}

/** A request to be carried to a peer. */
interface Hop {
  readonly connection: Connection
  readonly request: { readonly peer?: { readonly id: Uint8Array } }
  readonly stream: {
    write(data: Uint8Array, codec: { encode(data: Uint8Array): Uint8Array }, options: object): Promise<void>
    unwrap(): Stream
  }
}

export interface RelayServerInit {
  readonly budget: RelayBudget
  readonly privateAddresses: boolean
  readonly clock: Clock
}

export class RelayServer {
  readonly #init: RelayServerInit
  readonly #gate: Gate
  readonly #circuits: Circuits
  readonly #rate: FairRate
  #server: Internals | undefined
  #components: Components | undefined

  constructor(init: RelayServerInit) {
    this.#init = init
    this.#circuits = new Circuits(init.budget)
    this.#rate = new FairRate(init.budget.bytesPerSecond, init.clock)
    const hops = new RateLimiter(HOPS_OF_ONE, init.clock)
    this.#gate = new Gate(
      (protocol) => protocol === RELAY_V2_HOP_CODEC,
      (_stream, { remoteAddr, remotePeer }) => ipOf(remoteAddr) !== undefined && hops.take(remotePeer.toString()),
    )
  }

  /** libp2p's service. */
  readonly service = (components: Components): CircuitRelayService => {
    const { budget, privateAddresses } = this.#init
    const { addressManager } = components
    const told = (): ReturnType<typeof addressManager.getAddresses> =>
      addressManager.getAddresses().filter((address) => addressAllowed(address, { privateAddresses }))
    const wrapped = override(components, {
      registrar: this.#gate.wrap(components.registrar),
      addressManager: override(addressManager, { getAddresses: told }),
    })
    const server = circuitRelayServer({
      hopTimeout: HOP_DEADLINE_MS,
      maxInboundHopStreams: budget.circuitsPerPeerMax + 2,
      maxOutboundStopStreams: budget.circuitsPerPeerMax + 2,
      reservations: {
        maxReservations: budget.reservationsMax,
        reservationTtl: RESERVATION_MS,
        defaultDurationLimit: Math.floor(budget.circuitMs / 1_000), // what ends up on the wire is in seconds
        defaultDataLimit: BigInt(budget.circuitBytesMax),
      },
    })(wrapped) as Internals
    server.handleConnect = async (hop, options) => this.#connect(hop, options)
    this.#server = server
    this.#components = components
    return server
  }

  get serving(): boolean {
    return this.#gate.open
  }

  get reservations(): number {
    return this.#server?.reservations.size ?? 0
  }

  get circuits(): number {
    return this.#circuits.size
  }

  /** Takes the service up, or puts it down with all that is carried. */
  async serve(on: boolean): Promise<void> {
    await this.#gate.set(on)
    if (on) return
    this.#circuits.cutAll()
    this.#server?.reservations.clear()
  }

  /** Cuts what is carried; the node itself stops. */
  stop(): void {
    this.#circuits.cutAll()
  }

  /** A peer is gone, and its place is another's: one who comes back asks anew. */
  gone(peer: PeerId): void {
    this.#server?.reservations.delete(peer)
  }

  async #connect(hop: Hop, options: { readonly signal?: AbortSignal }): Promise<void> {
    const answer = async (status: number): Promise<void> => {
      await hop.stream.write(hopStatus(status), { encode: (bytes) => bytes }, options)
    }
    const server = this.#server
    const target = fromMultihash(hop.request.peer?.id)
    if (server === undefined || target === undefined) return answer(HOP_STATUS.malformed)
    const reservation = server.reservations.get(target)
    const connection = this.#components?.connectionManager
      .getConnections(target)
      .find(({ remoteAddr, status }) => ipOf(remoteAddr) !== undefined && status === 'open')
    if (reservation === undefined || connection === undefined) return answer(HOP_STATUS.noReservation)
    let cut = (): void => {}
    const [source, destination] = [hop.connection.remotePeer, target].map(String) as [string, string]
    const place = this.#circuits.take(source, destination, () => {
      cut()
    })
    if (place === undefined) return answer(HOP_STATUS.limit)
    try {
      const stop = { type: 0, peer: { id: hop.connection.remotePeer.toMultihash().bytes, addrs: [] } }
      const request = { connection, request: { ...stop, limit: reservation.limit } }
      const stream = await server.stopHop(request, options)
      if (stream === undefined) throw new Error('refused')
      const { circuitBytesMax, circuitMs } = this.#init.budget
      await hop.stream.write(hopStatus(HOP_STATUS.ok, { circuitBytesMax, circuitMs }), { encode: (b) => b }, options)
      cut = carry(hop.stream.unwrap(), stream, {
        clock: this.#init.clock,
        bytesMax: circuitBytesMax,
        forMs: circuitMs,
        pace: async (bytes) => this.#rate.take(destination, bytes),
        onEnd: () => {
          place.end()
        },
      })
    } catch {
      place.end()
      await answer(HOP_STATUS.failed)
    }
  }
}
