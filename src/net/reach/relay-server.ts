/**
 * Carrying connections for peers behind NATs: circuit relay v2 by the role's budget. libp2p does the handshakes. It knows no bound
 * for circuits, none for a peer's share and no rate, reads messages of 4 MiB, and keeps what the slower side does not take, so places
 * and carrying are ours.
 */
import { circuitRelayServer, RELAY_V2_HOP_CODEC } from '@libp2p/circuit-relay-v2'
import type { CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { Connection, PeerId, Stream, StreamHandler } from '@libp2p/interface'
import type { Clock } from '../../lib/clock.ts'
import { NetworkError } from '../../lib/errors.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import type { RelayBudget } from '../../lib/roles.ts'
import { ipOf } from '../addresses.ts'
import { fromMultihash } from '../peer-id.ts'
import { override } from './override.ts'
import { boundHandshake } from './bounded.ts'
import { carry } from './carry.ts'
import type { Line } from './carry.ts'
import { Circuits } from './circuits.ts'
import type { Place } from './circuits.ts'
import { FairRate } from './fair-rate.ts'
import { Gate } from './gate.ts'
import { HOP_STATUS, delimited, hopStatus } from './hop.ts'
import { wideNetwork } from './inbound.ts'
import { Reservations } from './reservations.ts'

type Components = Parameters<ReturnType<typeof circuitRelayServer>>[0]

/** What all circuits together may hold, looked at so often: a few hundred that stand still, or thousands that move. */
const HELD_BYTES_MAX = 256 * 1_048_576
const HELD_LOOK_MS = 1_000
const HOP_DEADLINE_MS = 10_000
/** Reservations and requests to be carried, of one peer. */
const HOPS_OF_ONE = { perSecond: 1, burst: 30 } as const

/** The parts of libp2p's relay that its public type leaves out. */
interface Internals extends CircuitRelayService {
  reservationStore: Reservations
  onHop: StreamHandler
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
  readonly clock: Clock
}

export class RelayServer {
  readonly #init: RelayServerInit
  readonly #gate: Gate
  readonly #reservations: Reservations
  readonly #circuits: Circuits
  readonly #rate: FairRate
  /** Streams that are handed on and no handshake any more. */
  readonly #carried = new WeakSet<Stream>()
  #cancelWatch: (() => void) | undefined
  #server: Internals | undefined
  #components: Components | undefined

  constructor(init: RelayServerInit) {
    const { budget, clock } = init
    this.#init = init
    this.#reservations = new Reservations({
      budget,
      clock,
      isOpen: () => this.serving,
      onDisplaced: (peer) => {
        // The protocol has no word for it, but a place is lost with the connection. Closing one waits for what it carries.
        for (const connection of this.#components?.connectionManager.getConnections(peer) ?? [])
          connection.abort(new NetworkError('the place is another peer’s now'))
      },
    })
    this.#circuits = new Circuits(budget, clock)
    this.#rate = new FairRate(budget.bytesPerSecond, clock)
    const hops = new RateLimiter(HOPS_OF_ONE, clock)
    this.#gate = new Gate(
      (protocol) => protocol === RELAY_V2_HOP_CODEC,
      (_stream, { remoteAddr, remotePeer }) => ipOf(remoteAddr) !== undefined && hops.take(remotePeer.toString()),
    )
  }

  /** libp2p's service. */
  readonly service = (components: Components): CircuitRelayService => {
    const { budget } = this.#init
    const wrapped = override(components, { registrar: this.#gate.wrap(components.registrar) })
    const server = circuitRelayServer({
      hopTimeout: HOP_DEADLINE_MS,
      maxInboundHopStreams: budget.circuitsPerPeerMax + 2,
      maxOutboundStopStreams: budget.circuitsPerPeerMax + 2,
    })(wrapped) as Internals
    const { onHop } = server
    server.onHop = async (stream, connection) => this.#hop(stream, async () => onHop(stream, connection))
    server.handleConnect = async (hop, options) => this.#connect(hop, options)
    server.reservationStore = this.#reservations
    this.#server = server
    this.#components = components
    return server
  }

  get serving(): boolean {
    return this.#gate.open
  }

  get reservations(): number {
    return this.#reservations.reservations.size
  }

  get circuits(): number {
    return this.#circuits.size
  }

  /** Takes the service up, or puts it down with all that is carried. */
  async serve(on: boolean): Promise<void> {
    await this.#gate.set(on)
    if (on) return
    this.stop()
    this.#reservations.clear()
  }

  /** Cuts what is carried; the node itself stops. */
  stop(): void {
    this.#circuits.cutAll()
    this.#rate.release()
    this.#cancelWatch?.()
    this.#cancelWatch = undefined
  }

  /** A peer is gone, and its place is another's: one who comes back asks anew. */
  gone(peer: PeerId): void {
    this.#reservations.removeReservation(peer)
  }

  /** What is asked and answered; of a stream that is not carried after that nothing is kept. */
  async #hop(stream: Stream, handle: () => Promise<void>): Promise<void> {
    boundHandshake(stream)
    try {
      await handle()
    } finally {
      if (!this.#carried.has(stream)) await stream.closeRead()
    }
  }

  async #connect(hop: Hop, { signal }: { readonly signal?: AbortSignal }): Promise<void> {
    const refuse = async (status: number): Promise<void> =>
      hop.stream.write(hopStatus(status), { encode: (bytes) => bytes }, signal === undefined ? {} : { signal })
    const { remotePeer, remoteAddr } = hop.connection
    const target = fromMultihash(hop.request.peer?.id)
    if (target === undefined) return refuse(HOP_STATUS.malformed)
    const connection = this.#connectionTo(target)
    if (connection === undefined) return refuse(HOP_STATUS.noReservation)
    const cutting = new AbortController()
    let line: Line = {
      cut: () => {
        cutting.abort(new NetworkError('the relay ends the circuit'))
      },
      held: () => 0,
    }
    const source = { id: remotePeer.toString(), network: wideNetwork(ipOf(remoteAddr) ?? '') }
    const place = this.#circuits.take(source, target.toString(), {
      cut: () => {
        line.cut()
      },
      held: () => line.held(),
    })
    if (place === undefined) return refuse(HOP_STATUS.limit)
    const signals = signal === undefined ? [cutting.signal] : [cutting.signal, signal]
    const stream = await this.#stop(connection, remotePeer, AbortSignal.any(signals))
    if (stream === undefined) {
      place.end()
      return refuse(HOP_STATUS.failed)
    }
    line = this.#carry(hop.stream.unwrap(), stream, target.toString(), place)
  }

  /** Looks after what is held for as long as something is carried. */
  #watch(): void {
    if (this.#cancelWatch !== undefined || this.#circuits.size === 0) return
    this.#cancelWatch = this.#init.clock.after(HELD_LOOK_MS, () => {
      this.#cancelWatch = undefined
      this.#circuits.relieve(HELD_BYTES_MAX)
      this.#watch()
    })
  }

  /** Where the peer has a place: the connection that leads to it. */
  #connectionTo(target: PeerId): Connection | undefined {
    if (!this.serving || this.#reservations.get(target) === undefined) return undefined
    const connections = this.#components?.connectionManager.getConnections(target) ?? []
    return connections.find(({ remoteAddr, status }) => ipOf(remoteAddr) !== undefined && status === 'open')
  }

  /** Tells the peer of the one who wants to be carried; the stream, where it agrees. */
  async #stop(connection: Connection, source: PeerId, signal: AbortSignal): Promise<Stream | undefined> {
    let opened: Stream | undefined
    const newStream: Connection['newStream'] = async (...args) => {
      opened = await connection.newStream(...args)
      boundHandshake(opened)
      return opened
    }
    const peer = { id: source.toMultihash().bytes, addrs: [] }
    const limit = this.#reservations.get(connection.remotePeer)?.limit
    const request = { type: 0, peer, ...(limit === undefined ? {} : { limit }) }
    try {
      const stream = await this.#server?.stopHop(
        { connection: override(connection, { newStream }), request },
        { signal },
      )
      signal.throwIfAborted()
      if (stream !== undefined) return stream
    } catch {
      // answered as one who refuses
    }
    opened?.abort(new NetworkError('the peer is not carried to'))
    return undefined
  }

  /** From here on the two streams are a circuit. */
  #carry(from: Stream, to: Stream, destination: string, place: Place): Line {
    const { budget, clock } = this.#init
    this.#watch()
    this.#carried.add(from)
    try {
      from.send(delimited(hopStatus(HOP_STATUS.ok, budget)))
    } catch (error) {
      from.abort(error as Error) // it is gone already, and the circuit ends as it begins
    }
    return carry(from, to, {
      clock,
      bytesMax: budget.circuitBytesMax,
      forMs: budget.circuitMs,
      pace: async (bytes) => this.#rate.take(destination, bytes),
      onMoved: () => {
        place.moved()
      },
      onEnd: () => {
        place.end()
      },
    })
  }
}
