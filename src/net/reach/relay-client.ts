/** Using relays: libp2p's transport for dialling and being dialled over them, and its reservations, made one relay at a time. */
import { circuitRelayTransport, RELAY_V2_HOP_CODEC } from '@libp2p/circuit-relay-v2'
import { InvalidPeerIdError, KEEP_ALIVE, isPeerId } from '@libp2p/interface'
import type { Connection, PeerId, Stream, StreamHandler } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { NetworkError } from '../../lib/errors.ts'
import { isPlain } from '../addresses.ts'
import { parsePeerId } from '../peer-id.ts'
import { orAborted } from '../signals.ts'
import { override } from './override.ts'
import { boundHandshake, withBoundHandshakes } from './bounded.ts'
import { Gate } from './gate.ts'

type Components = Parameters<ReturnType<typeof circuitRelayTransport>>[0]
type Transport = ReturnType<ReturnType<typeof circuitRelayTransport>>

/** Who says this in identify carries for others. */
export const HOP_PROTOCOL = RELAY_V2_HOP_CODEC
const STOP_PROTOCOL = '/libp2p/circuit/relay/0.2.0/stop'
const CONNECTIONS_OVER_ONE_RELAY_MAX = 32
const RESERVING_DEADLINE_MS = 5_000
/** By this tag libp2p keeps the connection to a relay, and dials it anew. */
const RELAY_TAG = `${KEEP_ALIVE}-circuit-relay`

type StoreEvent = 'relay:created-reservation' | 'relay:removed'

/** The parts of libp2p's transport that its public type leaves out. */
interface Internals {
  onStop: StreamHandler
  readonly reservationStore: {
    addRelay(peerId: PeerId, type: 'configured'): Promise<{ details: { reservation: { expire: bigint } } }>
    getReservation(peerId: PeerId): { readonly expire: bigint } | undefined
    addEventListener(type: StoreEvent, listener: (event: CustomEvent<{ relay: PeerId }>) => void): void
    readonly reservations: {
      keys(): Iterable<PeerId>
      get(peerId: PeerId): { readonly timeout: NodeJS.Timeout } | undefined
      delete(peerId: PeerId): boolean
    }
    relayFilter: { has(bytes: Uint8Array): boolean; add(bytes: Uint8Array): void }
  }
}

export class RelayClient {
  readonly #gate: Gate
  #store: Internals['reservationStore'] | undefined
  #components: Components | undefined
  #dial: Transport['dial'] | undefined
  #onLost: (peerId: string) => void = () => {}

  constructor() {
    // Nobody carries to us whom we did not ask to: libp2p would make a reservation with any stranger that tries.
    this.#gate = new Gate(
      (protocol) => protocol === STOP_PROTOCOL,
      (_stream: Stream, { remotePeer }) => this.#store?.getReservation(remotePeer) !== undefined,
    )
  }

  /** libp2p's transport. */
  readonly transport = (components: Components): Transport => {
    const { connectionManager } = components
    // Over WebRTC a relay is met that nobody else can dial: what is tried there says nothing of its address.
    const plain = (peerId?: PeerId): Connection[] => connectionManager.getConnections(peerId).filter(isPlain)
    const wrapped = override(components, {
      registrar: this.#gate.wrap(components.registrar),
      connectionManager: override(connectionManager, {
        getConnections: (peerId) => plain(peerId).map(withBoundHandshakes),
        openConnection: async (target, options) => {
          const open = isPeerId(target) ? plain(target).find(({ status }) => status === 'open') : undefined
          return withBoundHandshakes(
            open ?? (await connectionManager.openConnection(target, { ...options, force: true })),
          )
        },
      }),
    })
    const transport = circuitRelayTransport({
      maxInboundStopStreams: CONNECTIONS_OVER_ONE_RELAY_MAX,
      reservationCompletionTimeout: RESERVING_DEADLINE_MS,
      discoveryFilter: { has: () => true, add() {}, remove() {} }, // whom to ask is our choice
    })(wrapped)
    const internals = transport as unknown as Internals
    const { onStop, reservationStore: store } = internals
    internals.onStop = async (stream, connection) => {
      boundHandshake(stream)
      await onStop(stream, connection)
    }
    // A relay that once could not be dialled, or did not serve for a moment, would never be asked again: after its restart, say.
    store.relayFilter = { has: () => false, add() {} }
    store.addEventListener('relay:removed', ({ detail }) => {
      this.#onLost(detail.relay.toString())
    })
    // One that was under way when we stopped listening would be renewed for ever.
    store.addEventListener('relay:created-reservation', ({ detail }) => {
      if (!this.#gate.open) this.#release(detail.relay)
    })
    this.#store = store
    this.#components = components
    this.#dial = async (address, options) => {
      await connectToRelay(components, address, options.signal)
      return transport.dial(address, options)
    }
    return override(transport, { dial: this.#dial })
  }

  /** Called for every relay that is lost, while we listen. */
  onLost(listener: (peerId: string) => void): void {
    this.#onLost = listener
  }

  /** Lets relays carry to us, or no longer. */
  async listen(on: boolean): Promise<void> {
    await this.#gate.set(on)
    if (!on) for (const relay of this.#store?.reservations.keys() ?? []) this.#release(relay)
  }

  /** A place at a connected relay; when it ends (ms). Throws NetworkError, or the signal's reason. */
  async reserve(peerId: string, signal: AbortSignal): Promise<number> {
    const id = parsePeerId(peerId)
    if (id === undefined || this.#store === undefined) throw new NetworkError('no relay can be used')
    const adding = this.#store.addRelay(id, 'configured')
    try {
      const { details } = await orAborted(adding, signal)
      return Number(details.reservation.expire) * 1_000
    } catch (error) {
      signal.throwIfAborted()
      throw new NetworkError('the relay has no place for us', { cause: error })
    }
  }

  /**
   * Whether the relay that is dialled there carries to us: we dial ourselves over it, as far as the handshake in which we are
   * recognised. A relay can tell that from a stranger's dial; what it does to strangers is not seen.
   */
  async carries(address: string, signal: AbortSignal): Promise<boolean> {
    const { peerId, upgrader } = this.#components ?? {}
    if (peerId === undefined || upgrader === undefined || this.#dial === undefined) return false
    const self = multiaddr(`${address}/p2p-circuit/p2p/${peerId.toString()}`)
    const dialled = this.#dial(self, { signal, upgrader })
    return dialled.then(
      () => false, // libp2p never ends there
      (error: unknown) => error instanceof InvalidPeerIdError,
    )
  }

  /** Gives a place up; what runs over it may go on. */
  release(peerId: string): void {
    const id = parsePeerId(peerId)
    if (id !== undefined) this.#release(id)
  }

  #release(relay: PeerId): void {
    clearTimeout(this.#store?.reservations.get(relay)?.timeout)
    if (this.#store?.reservations.delete(relay) !== true) return
    void this.#components?.peerStore.merge(relay, { tags: { [RELAY_TAG]: undefined } }).catch(() => {})
  }

  /** When our place at the relay ends (ms); it is renewed before that. `undefined` where we have none. */
  expiresAt(peerId: string): number | undefined {
    const id = parsePeerId(peerId)
    const expire = id === undefined ? undefined : this.#store?.getReservation(id)?.expire
    return expire === undefined ? undefined : Number(expire) * 1_000
  }
}

/** By the address given and no other: libp2p would dial what the peer store says of the relay, and anybody may have said that. */
async function connectToRelay(components: Components, address: Multiaddr, signal?: AbortSignal): Promise<void> {
  const [relay = ''] = address.toString().split('/p2p-circuit')
  const named = relay.split('/p2p/')[1] ?? ''
  const id = parsePeerId(named)
  if (id === undefined) throw new NetworkError('the address names no relay')
  const { connectionManager } = components
  if (connectionManager.getConnections(id).some(isPlain)) return
  await connectionManager.openConnection(multiaddr(relay), { force: true, ...(signal === undefined ? {} : { signal }) })
}
