/**
 * AutoNAT, both versions: others are asked to dial us, and dialled where they ask. Answers are not believed, only what comes in is
 * (`own-addresses.ts`). As released, the server of version 1 dials without force: it is handed the very connection that the
 * request came on, and closes it. A public network falls apart in 20 s of that.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { autoNAT } from '@libp2p/autonat'
import { autoNATv2 } from '@libp2p/autonat-v2'
import type { Connection, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '../../lib/clock.ts'
import { LimitError, TimeoutError } from '../../lib/errors.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import { sourceNetwork } from '../../protocol/replicas.ts'
import { ipOf } from '../addresses.ts'
import { ADDRESS_DIAL_DEADLINE_MS } from '../protocols.ts'
import { within } from '../signals.ts'
import { Gate } from './gate.ts'
import { override } from './override.ts'

type Components = Parameters<ReturnType<typeof autoNAT>>[0]
type NodeAddress = ReturnType<Components['addressManager']['getAddressesWithMetadata']>[number]
type Target = Parameters<Components['connectionManager']['openConnection']>[0]

const TIMEOUT_MS = 10_000
const MESSAGE_BYTES_MAX = 4_096
/** Questions of one peer, of one network (/24, /48), and of all together; each may cost a few dials. */
const ASKED_BY_ONE = { perSecond: 0.1, burst: 6 } as const
const ASKED_BY_NETWORK = { perSecond: 0.2, burst: 8 } as const
const ASKED_BY_ALL = { perSecond: 4, burst: 32 } as const
/** Dials for others: in all, to one network, and for one question. */
const DIALS = { perSecond: 4, burst: 32 } as const
const DIALS_TO_NETWORK = { perSecond: 0.2, burst: 8 } as const
export const ADDRESSES_ASKED_MAX = 4

/** Version 2 can be asked about any address of ours, version 1 only about where the question comes from. */
const QUESTIONS = ['/libp2p/autonat/2/dial-request', '/libp2p/autonat/1.0.0']

/** The parts of libp2p's services that outlive a question: whom they asked about what. */
interface Remembering {
  readonly dialResults?: Map<string, unknown>
  readonly client?: Remembering
}

/** A question that we are answering. */
interface Serving {
  readonly stream: Stream
  dials: number
}

export class AutoNat {
  readonly #clock: Clock
  readonly #gate: Gate
  readonly #serving = new AsyncLocalStorage<Serving>()
  readonly #dials: RateLimiter
  readonly #dialsTo: RateLimiter
  readonly #services: Remembering[] = []
  #asking: readonly string[] = []
  #components: Components | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#dials = new RateLimiter(DIALS, clock, 1)
    this.#dialsTo = new RateLimiter(DIALS_TO_NETWORK, clock)
    const one = new RateLimiter(ASKED_BY_ONE, clock)
    const network = new RateLimiter(ASKED_BY_NETWORK, clock)
    const all = new RateLimiter(ASKED_BY_ALL, clock, 1)
    this.#gate = new Gate(
      (protocol) => QUESTIONS.includes(protocol),
      (_stream, { remoteAddr, remotePeer }) => {
        const ip = ipOf(remoteAddr) // over a relay the address that the question came from is the relay's
        return ip !== undefined && one.take(remotePeer.toString()) && network.take(networkOf(ip)) && all.take('')
      },
    )
  }

  /** libp2p's service of version 1. */
  readonly v1 = (components: Components): unknown => this.#keep(autoNAT(settings())(this.#wrap(components)))
  /** libp2p's service of version 2. */
  readonly v2 = (components: Components): unknown => this.#keep(autoNATv2(settings())(this.#wrap(components)))

  /** Answers others, or no longer. */
  async serve(on: boolean): Promise<void> {
    await this.#gate.set(on)
  }

  /** What the next questions are about, at most {@link ADDRESSES_ASKED_MAX} addresses. */
  about(addresses: readonly string[]): void {
    this.#asking = addresses
    // the services would ask nobody else of a /8 from which an answer came
    for (const service of this.#services) (service.client ?? service).dialResults?.clear()
  }

  /**
   * Asks a connected peer to dial us. False where it answers no such questions. `onAnswer` is called if it ends its answer in
   * good order, whatever it says: who has no dials left for us breaks off.
   */
  ask(protocols: readonly string[], connection: Connection, onAnswer: () => void): boolean {
    const protocol = QUESTIONS.find((known) => protocols.includes(known))
    if (protocol === undefined) return false
    return this.#gate.meet(protocol, connection.remotePeer, this.#question(connection, onAnswer))
  }

  /** Whether we have no room for those who would dial us. */
  get full(): boolean {
    const manager = this.#components?.connectionManager
    return manager !== undefined && manager.getConnections().length >= manager.getMaxConnections()
  }

  /** libp2p's parts; `undefined` before it is put together. */
  get components(): Pick<Components, 'addressManager' | 'transportManager'> | undefined {
    return this.#components
  }

  #keep(service: unknown): unknown {
    this.#services.push(service as Remembering)
    return service
  }

  /** The connection with streams that end in time: the client of version 2 waits for ever, and both read without a bound. */
  #question(connection: Connection, onAnswer: () => void): Connection {
    const newStream: Connection['newStream'] = async (protocol, options = {}) => {
      const signal = within(TIMEOUT_MS, ...(options.signal === undefined ? [] : [options.signal]))
      const stream = await connection.newStream(protocol, { ...options, signal })
      const cancel = this.#clock.after(TIMEOUT_MS, () => {
        stream.abort(new TimeoutError('the answer took too long'))
      })
      let bytes = 0
      stream.addEventListener('message', ({ data }) => {
        bytes += data.byteLength
        if (bytes > MESSAGE_BYTES_MAX) stream.abort(new LimitError('the answer is too long'))
      })
      stream.addEventListener('close', ({ error }) => {
        cancel()
        if (error === undefined && bytes > 0) onAnswer()
      })
      return stream
    }
    return override(connection, { newStream })
  }

  #wrap(components: Components): Components {
    this.#components = components
    const { addressManager, connectionManager, randomWalk } = components
    const registrar = this.#gate.wrap(components.registrar)
    const wrapped = {
      registrar: override(registrar, {
        handle: async (protocol, handler, options) =>
          registrar.handle(
            protocol,
            (stream, connection) => this.#serving.run({ stream, dials: 0 }, () => handler(stream, connection)),
            options,
          ),
      }),
      addressManager: override(addressManager, {
        getAddressesWithMetadata: () => this.#asking.map(unproved),
        confirmObservedAddr: () => {}, // anybody can say so
        removeObservedAddr: () => {},
      }),
      connectionManager: override(connectionManager, {
        isDialable: async (target, options) =>
          [target].flat().every((address) => ipOf(address) !== undefined) &&
          connectionManager.isDialable(target, options),
        getMaxConnections: () => Number.POSITIVE_INFINITY, // whether there is room is looked at before asking
        openConnection: async (target: Target, options = {}) => {
          this.#spend(target)
          const signal = within(ADDRESS_DIAL_DEADLINE_MS, ...(options.signal === undefined ? [] : [options.signal]))
          return connectionManager.openConnection(target, { ...options, signal, force: true })
        },
      }),
      // Peers to ask come by themselves; walking for them every minute is what keeps an idle daemon busy.
      randomWalk: override(randomWalk, { walk: async function* none() {} }),
    }
    return override(components, wrapped)
  }

  /** Takes a dial out of the budgets. Where there is none left the question is broken off: a failed dial is another answer. */
  #spend(target: Target): void {
    const serving = this.#serving.getStore()
    if (serving !== undefined && ++serving.dials > ADDRESSES_ASKED_MAX) throw new LimitError('too many addresses')
    const ip = 'getComponents' in target ? ipOf(target) : undefined
    if (ip !== undefined && this.#dialsTo.take(networkOf(ip)) && this.#dials.take('')) return
    const error = new LimitError('too many dials for others')
    serving?.stream.abort(error)
    throw error
  }
}

function unproved(address: string): NodeAddress {
  return { multiaddr: multiaddr(address), verified: false, type: 'transport', expires: 0 }
}

function networkOf(ip: string): string {
  return sourceNetwork(ip) ?? ip
}

function settings(): {
  timeout: number
  maxInboundStreams: number
  maxOutboundStreams: number
  maxMessageSize: number
} {
  return { timeout: TIMEOUT_MS, maxInboundStreams: 1, maxOutboundStreams: 1, maxMessageSize: MESSAGE_BYTES_MAX }
}
