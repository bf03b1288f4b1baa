/**
 * AutoNAT, both versions, asked and answered over addresses of our choice. As released, the server of version 1 dials without force:
 * it is handed the very connection that the request came on, and closes it. A public network falls apart in 20 s of that.
 */
import { autoNAT } from '@libp2p/autonat'
import { autoNATv2 } from '@libp2p/autonat-v2'
import type { Connection, PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '../../lib/clock.ts'
import { LimitError } from '../../lib/errors.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import { ipOf } from '../addresses.ts'
import { ADDRESS_DIAL_DEADLINE_MS } from '../protocols.ts'
import { within } from '../signals.ts'
import { Gate } from './gate.ts'
import type { OwnAddresses } from './own-addresses.ts'

type Components = Parameters<ReturnType<typeof autoNAT>>[0]
type NodeAddress = ReturnType<Components['addressManager']['getAddressesWithMetadata']>[number]

const TIMEOUT_MS = 10_000
const MESSAGE_BYTES_MAX = 4_096
/** Questions of one peer, and of all together; each may cost a dial. */
const ASKED_BY_ONE = { perSecond: 0.1, burst: 6 } as const
const ASKED_BY_ALL = { perSecond: 4, burst: 32 } as const
/** Dials for others, at whatever address they named. */
const DIALS = { perSecond: 4, burst: 32 } as const

/** Asked of any peer that answers; version 1 and 2. */
const QUESTIONS = ['/libp2p/autonat/1.0.0', '/libp2p/autonat/2/dial-request']

export class AutoNat {
  readonly #addresses: OwnAddresses
  readonly #gate: Gate
  readonly #dials: RateLimiter
  readonly #onProof: () => void
  #manager: Components['addressManager'] | undefined

  constructor(addresses: OwnAddresses, clock: Clock, onProof: () => void) {
    this.#addresses = addresses
    this.#onProof = onProof
    this.#dials = new RateLimiter(DIALS, clock, 1)
    const one = new RateLimiter(ASKED_BY_ONE, clock)
    const all = new RateLimiter(ASKED_BY_ALL, clock, 1)
    this.#gate = new Gate(
      (protocol) => QUESTIONS.includes(protocol),
      // over a relay the address that the request came from is the relay's
      (_stream, { remoteAddr, remotePeer }) =>
        ipOf(remoteAddr) !== undefined && one.take(remotePeer.toString()) && all.take(''),
    )
  }

  /** libp2p's service of version 1. */
  readonly v1 = (components: Components): unknown => autoNAT(settings())(this.#wrap(components))
  /** libp2p's service of version 2. */
  readonly v2 = (components: Components): unknown => autoNATv2(settings())(this.#wrap(components))

  /** Answers others, or no longer. */
  async serve(on: boolean): Promise<void> {
    await this.#gate.set(on)
  }

  /** Asks a connected peer about the addresses that are due. False where it answers no such questions. */
  ask(protocols: readonly string[], peerId: PeerId, connection: Connection): boolean {
    const spoken = QUESTIONS.filter((protocol) => protocols.includes(protocol))
    return spoken.length > 0 && this.#gate.meet(spoken, peerId, connection)
  }

  /** What libp2p itself knows of our addresses; `undefined` before it is put together. */
  get manager(): Components['addressManager'] | undefined {
    return this.#manager
  }

  #wrap(components: Components): Components {
    this.#manager = components.addressManager
    const { addressManager, connectionManager, randomWalk } = components
    const wrapped = {
      registrar: this.#gate.wrap(components.registrar),
      addressManager: override(addressManager, {
        getAddressesWithMetadata: () => this.#candidates(),
        confirmObservedAddr: (address: Multiaddr) => {
          this.#addresses.confirm(address)
          this.#onProof()
        },
        removeObservedAddr: () => {}, // whether a round failed is decided where it ends
      }),
      connectionManager: override(connectionManager, {
        openConnection: async (peer: Parameters<typeof connectionManager.openConnection>[0], options = {}) => {
          if (!this.#dials.take('')) throw new LimitError('too many dials for others')
          const signal = within(ADDRESS_DIAL_DEADLINE_MS, ...(options.signal === undefined ? [] : [options.signal]))
          return connectionManager.openConnection(peer, { ...options, signal, force: true })
        },
      }),
      // Peers to ask come by themselves; walking for them every minute is what keeps an idle daemon busy.
      randomWalk: override(randomWalk, { walk: async function* none() {} }),
    }
    return override(components, wrapped)
  }

  #candidates(): NodeAddress[] {
    const due = new Set(this.#addresses.due())
    return this.#addresses.all().map((candidate) => ({
      multiaddr: multiaddr(candidate.address),
      verified: candidate.verified,
      type: 'transport',
      expires: due.has(candidate) ? 0 : Number.MAX_SAFE_INTEGER,
    }))
  }
}

function settings(): {
  timeout: number
  maxInboundStreams: number
  maxOutboundStreams: number
  maxMessageSize: number
} {
  return { timeout: TIMEOUT_MS, maxInboundStreams: 1, maxOutboundStreams: 1, maxMessageSize: MESSAGE_BYTES_MAX }
}

/** The object with some of its members replaced. */
export function override<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get: (inner, key) => {
      if (Object.hasOwn(members, key)) return Reflect.get(members, key)
      const value: unknown = Reflect.get(inner, key, inner)
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(inner) : value
    },
  })
}
