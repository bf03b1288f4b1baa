/** Direct connections for conversations that run over a relay: the parts of this room together, at one node. */
import type { Connection, IdentifyResult, Stream } from '@libp2p/interface'
import { equal } from '../../lib/bytes.ts'
import type { Clock } from '../../lib/clock.ts'
import { withDeadline } from '../../lib/clock.ts'
import { LimitError, NetworkError, RateError, nameOf } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import type { NetworkProfile } from '../../lib/network-profile.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import type { Rng } from '../../lib/rng.ts'
import { encode } from '../../wire/codec.ts'
import { MAPPING, UDP, UPGRADE_ENDPOINTS_MAX, UPGRADE_FRAME, upgradeFrameCodec } from '../../wire/upgrade.ts'
import type { Endpoint, UpgradeTerms } from '../../wire/upgrade.ts'
import { addressAllowed, ipOf, isRelayed } from '../addresses.ts'
import type { Dialer } from '../dialer.ts'
import type { DirectStreams } from '../direct/direct.ts'
import { linkParts } from '../libp2p-node.ts'
import type { Node } from '../libp2p-node.ts'
import type { ProtocolLimits } from '../protocols.ts'
import { orAborted } from '../signals.ts'
import { addressOf, endpointOf } from './endpoint.ts'
import { Exchange } from './exchange.ts'
import type { Outcome } from './exchange.ts'
import { Ladder } from './ladder.ts'
import { ObservedAddresses } from './observed.ts'
import type { Mapping } from './observed.ts'
import { rungs } from './rungs.ts'
import type { RungNetwork } from './rungs.ts'
import type { TcpDialer } from './tcp-dialer.ts'
import type { WebRtc } from './webrtc/webrtc.ts'

/** All rounds of all rungs. */
const UPGRADE_DEADLINE_MS = 60_000
/** Exchanges that peers may have under way with us. */
const SERVING_MAX = 16
/** Addresses dialled for one peer: what a peer can make us knock on. */
const DIALS_PER_PEER = { perSecond: 0.2, burst: 24 }
/** The same over all peers. */
const DIALS = { perSecond: 2, burst: 120 }
const ALL = 'all'

const MAPPING_CODES: Readonly<Record<Mapping, UpgradeTerms['mapping']>> = {
  unknown: MAPPING.unknown,
  'endpoint-independent': MAPPING.endpointIndependent,
  'per-destination': MAPPING.perDestination,
}

export interface UpgraderInit {
  readonly selfId: string
  readonly node: Node
  readonly dialer: Dialer
  readonly streams: DirectStreams
  readonly tcp: TcpDialer
  readonly webRtc: WebRtc
  readonly limits: ProtocolLimits
  readonly profile: NetworkProfile
  /** Where anyone can dial us; relayed addresses among them do no harm. */
  readonly addresses: () => readonly string[]
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}

interface Waiter {
  readonly peerId: string
  readonly resolve: () => void
}

export class Upgrader implements Startable {
  readonly observed: ObservedAddresses
  readonly #init: UpgraderInit
  readonly #exchange: Exchange
  readonly #ladder: Ladder
  readonly #offers: RateLimiter
  readonly #peerDials: RateLimiter
  readonly #dials: RateLimiter
  /** Peers that we are asking, and how to call it off. */
  readonly #asking = new Map<string, AbortController>()
  /** Peers that ask us, the longest at it first. */
  readonly #serving = new Map<string, AbortController>()
  readonly #waiters = new Set<Waiter>()
  readonly #stopped = new AbortController()
  #terms: Uint8Array = new Uint8Array(0)

  constructor(init: UpgraderInit) {
    const { clock, rng, log, limits, dialer, streams } = init
    this.#init = init
    this.observed = new ObservedAddresses(clock)
    this.#offers = new RateLimiter(limits.rate, clock)
    this.#peerDials = new RateLimiter(DIALS_PER_PEER, clock)
    this.#dials = new RateLimiter(DIALS, clock)
    const isDirect = (peerId: string): boolean => dialer.direct(peerId) !== undefined
    this.#exchange = new Exchange({
      rungs: rungs(this.#network(isDirect), clock),
      limits,
      clock,
      log,
      own: () => this.#own(),
      clean: (terms) => this.#clean(terms),
      isDirect,
    })
    this.#ladder = new Ladder({
      clock,
      rng,
      log,
      wanted: (peerId) => streams.relayedTo(peerId) !== undefined,
      attempt: async (peerId) => this.#ask(peerId),
    })
  }

  async start(): Promise<void> {
    const { node, limits, streams } = this.#init
    streams.onRelayed((peerId) => {
      this.#ladder.relayed(peerId, streams.relayedTo(peerId)?.direction === 'outbound')
    })
    streams.onCut((peerId) => {
      for (const exchanges of [this.#asking, this.#serving])
        exchanges.get(peerId)?.abort(new NetworkError('the peer is not to learn where we are'))
    })
    node.addEventListener('connection:open', this.#onOpen)
    await node.handle(limits.id, async (stream, connection) => this.#serve(stream, connection), {
      maxInboundStreams: limits.inboundStreamsMax,
      maxOutboundStreams: limits.outboundStreamsMax,
      runOnLimitedConnection: true,
    })
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new NetworkError('the host stops'))
    this.#ladder.stop()
    this.#init.node.removeEventListener('connection:open', this.#onOpen)
    await this.#init.webRtc.stop()
    await this.#init.node.unhandle(this.#init.limits.id)
  }

  /** To be called when our addresses may have changed: what could not work may work now. */
  changed(): void {
    // what UDP does we find out by trying: taken for a change, each attempt would lead to the next
    const body = { ...this.#own(), udp: UDP.unknown }
    const terms = encode(upgradeFrameCodec, { kind: UPGRADE_FRAME.offer, body })
    if (equal(terms, this.#terms)) return
    this.#terms = terms
    this.#init.webRtc.forget()
    this.#ladder.changed()
  }

  /** What a peer that we dialled from the one port saw of us. */
  identified({ connection, observedAddr }: Pick<IdentifyResult, 'connection' | 'observedAddr'>): void {
    const { profile, tcp } = this.#init
    if (observedAddr === undefined || connection.direction !== 'outbound' || isRelayed(connection)) return
    const observer = ipOf(connection.remoteAddr)
    if (observer === undefined || !tcp.leftFromPort(connection)) return
    if (!addressAllowed(connection.remoteAddr, profile) || !addressAllowed(observedAddr, profile)) return
    this.observed.add(observer, observedAddr.toString())
    this.changed()
  }

  readonly #onOpen = ({ detail: connection }: CustomEvent<Connection>): void => {
    if (isRelayed(connection)) return
    const peerId = connection.remotePeer.toString()
    for (const waiter of this.#waiters) if (waiter.peerId === peerId) waiter.resolve()
    if (connection.direction === 'outbound') void this.#init.streams.moveTo(connection)
  }

  async #ask(peerId: string): Promise<Outcome> {
    const { streams, dialer, clock, webRtc } = this.#init
    const [direct, relayed] = [dialer.direct(peerId), streams.relayedTo(peerId)]
    if (direct !== undefined) {
      await streams.moveTo(direct) // its other end should have
      return 'failed'
    }
    if (relayed === undefined || this.#serving.has(peerId)) return 'failed'
    const called = new AbortController()
    this.#asking.set(peerId, called)
    try {
      return await withDeadline(clock, UPGRADE_DEADLINE_MS, async (deadline) => {
        const signal = AbortSignal.any([deadline, called.signal, this.#stopped.signal])
        await orAborted(webRtc.look(), signal)
        const stream = await relayed.newStream(this.#init.limits.id, { signal, runOnLimitedConnection: true })
        return this.#on(stream, signal, async () => this.#exchange.ask(peerId, stream, signal))
      })
    } finally {
      this.#asking.delete(peerId)
    }
  }

  async #serve(stream: Stream, connection: Connection): Promise<void> {
    const { clock, log, dialer, webRtc } = this.#init
    const peerId = connection.remotePeer.toString()
    try {
      this.#admit(peerId, connection)
    } catch (error) {
      stream.abort(error as Error)
      return
    }
    const called = new AbortController()
    this.#serving.set(peerId, called)
    void webRtc.look() // nobody waits: the round trip is being measured
    try {
      await withDeadline(clock, UPGRADE_DEADLINE_MS, async (deadline) => {
        const signal = AbortSignal.any([deadline, called.signal, this.#stopped.signal])
        await this.#on(stream, signal, async () => this.#exchange.answer(peerId, stream, signal))
      })
    } catch (error) {
      log.debug('an upgrade was not to be had', { error: nameOf(error) })
    }
    if (this.#serving.get(peerId) === called) this.#serving.delete(peerId)
    this.#ladder.answered(peerId, dialer.direct(peerId) !== undefined)
  }

  /**
   * Who may ask: a peer that we write to over a relay and that may know where we are, now and then. Where both ask at once, the
   * smaller id does. Where too many do, the one that has been at it for the longest makes room.
   */
  #admit(peerId: string, connection: Connection): void {
    const { streams, dialer, selfId } = this.#init
    if (!isRelayed(connection) || dialer.direct(peerId) !== undefined) throw new NetworkError('nothing to upgrade')
    if (!streams.writesTo(peerId)) throw new NetworkError('no conversation with the peer')
    if (this.#serving.has(peerId)) throw new LimitError('too many upgrades')
    if (!this.#offers.take(peerId)) throw new RateError('too many offers', this.#offers.retryAfterMs(peerId))
    const asking = this.#asking.get(peerId)
    if (asking !== undefined && selfId < peerId) throw new NetworkError('we are asking already')
    asking?.abort(new NetworkError('the peer asks'))
    const [longest] = this.#serving
    if (this.#serving.size < SERVING_MAX || longest === undefined) return
    longest[1].abort(new LimitError('others ask, too'))
    this.#serving.delete(longest[0])
  }

  /** Runs it; then the stream is ended, by a reset where it threw. */
  async #on<T>(stream: Stream, signal: AbortSignal, job: () => Promise<T>): Promise<T> {
    try {
      const result = await job()
      await stream.close({ signal })
      return result
    } catch (error) {
      stream.abort(error as Error)
      throw error
    }
  }

  #own(): UpgradeTerms {
    const reachable = this.#init
      .addresses()
      .map(endpointOf)
      .filter((endpoint) => endpoint !== undefined)
    const punchable = endpointOf(this.observed.punchable() ?? '')
    const mapping = MAPPING_CODES[this.observed.mapping()]
    const terms = this.#clean({ mapping, reachable, punchable, udp: this.#init.webRtc.udp() })
    return { ...terms, reachable: terms.reachable.slice(0, UPGRADE_ENDPOINTS_MAX) }
  }

  /** By the profile's rules: on a public network nobody makes us knock on a private door, or learns of ours. */
  #clean({ reachable, punchable, ...rest }: UpgradeTerms): UpgradeTerms {
    const allowed = (endpoint: Endpoint): boolean => addressAllowed(addressOf(endpoint), this.#init.profile)
    return {
      ...rest,
      reachable: reachable.filter(allowed),
      punchable: punchable !== undefined && allowed(punchable) ? punchable : undefined,
    }
  }

  #network(isDirect: (peerId: string) => boolean): RungNetwork {
    const { dialer, tcp, node, webRtc } = this.#init
    return {
      isDirect,
      whenDirect: async (peerId, signal) => this.#whenDirect(peerId, signal, isDirect),
      dial: async (peerId, addresses, signal) => {
        this.#spend(peerId, addresses.length)
        return dialer.dialDirect(addresses, signal)
      },
      punch: async (peerId, address, initiator, signal) => {
        this.#spend(peerId, 1)
        return tcp.punch(address, initiator, signal)
      },
      meet: async (peerId, asks, ice, signal) => {
        const spend = (places: number): void => this.#spend(peerId, places)
        const observed = this.observed.punchable()
        return webRtc.meet({ peerId, asks, ice, parts: linkParts(node), observed, spend, signal })
      },
    }
  }

  /** Where the common purse is empty nothing is taken from the peer's. */
  #spend(peerId: string, dials: number): void {
    const waitMs = this.#dials.retryAfterMs(ALL, dials)
    if (waitMs > 0) throw new RateError('too many dials', waitMs)
    if (!this.#peerDials.take(peerId, dials))
      throw new RateError('too many dials for the peer', this.#peerDials.retryAfterMs(peerId, dials))
    this.#dials.take(ALL, dials)
  }

  async #whenDirect(peerId: string, signal: AbortSignal, isDirect: (peerId: string) => boolean): Promise<void> {
    if (isDirect(peerId)) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiter: Waiter = { peerId, resolve }
    this.#waiters.add(waiter)
    try {
      await orAborted(promise, signal)
    } finally {
      this.#waiters.delete(waiter)
    }
  }
}
