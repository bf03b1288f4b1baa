/**
 * WebRTC as one more way to a peer that a relay connects us with: the two exchange ICE terms over the relay, a data channel opens
 * past both routers, and on it stands the same link as on a TCP connection, bound to the peer's id. Nothing rests on DTLS.
 */
import { networkInterfaces } from 'node:os'
import type { ComponentLogger, Connection, Upgrader } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '../../../lib/clock.ts'
import { withDeadline } from '../../../lib/clock.ts'
import { NetworkError } from '../../../lib/errors.ts'
import type { Logger } from '../../../lib/log.ts'
import type { NetworkProfile } from '../../../lib/network-profile.ts'
import type { Rng } from '../../../lib/rng.ts'
import { ICE_CANDIDATES_MAX, UDP } from '../../../wire/upgrade.ts'
import type { Endpoint, IceTerms, UdpMapping } from '../../../wire/upgrade.ts'
import { addressAllowed } from '../../addresses.ts'
import { orAborted } from '../../signals.ts'
import { addressOf, endpointOf } from '../endpoint.ts'
import { Helper } from './helper.ts'
import type { IceCandidate, IcePeer } from './messages.ts'
import { Session } from './session.ts'
import { UdpRouter } from './udp-router.ts'

/** The helper's start and its candidates; less than the other side waits for them. */
const DESCRIBE_DEADLINE_MS = 6_000
/** Our own handshake on the open channel. */
const LINK_DEADLINE_MS = 5_000

export interface WebRtcInit {
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  readonly profile: Pick<NetworkProfile, 'privateAddresses'>
  /** What the daemon listens on: who listens on one IP only uses no other. */
  readonly listen: readonly string[]
  /** Multiaddrs of peers that may answer STUN at the port they listen on. */
  readonly stunPeers: () => readonly string[]
  /** The helper's program; another one in tests. */
  readonly main?: string
  /** The IPs of this machine; others in tests. */
  readonly ips?: () => readonly string[]
}

/** What libp2p makes connections of. */
export interface LinkParts {
  readonly upgrader: Upgrader
  readonly logger: ComponentLogger
}

/** What the two sides tell each other over the relay, once each, who asked first. */
export interface IceTalk {
  tell(terms: IceTerms | undefined): Promise<void>
  hear(): Promise<IceTerms | undefined>
}

export interface MeetInit {
  readonly peerId: string
  readonly asks: boolean
  readonly ice: IceTalk
  readonly parts: LinkParts
  /** What our TCP connections come from, by observers that agree: a multiaddr. */
  readonly observed: string | undefined
  /** Called before anything is sent to that many places of the peer's choice; throws where it may not be. */
  readonly spend: (places: number) => void
  readonly signal: AbortSignal
}

export class WebRtc {
  readonly #init: WebRtcInit
  readonly #helper: Helper
  readonly #router: UdpRouter
  readonly #bind: string | undefined

  constructor(init: WebRtcInit) {
    const { clock, rng, log, main, stunPeers } = init
    this.#init = init
    this.#bind = bindTo(init.listen)
    this.#helper = new Helper({ clock, log, ...(main === undefined ? {} : { main }) })
    this.#router = new UdpRouter({ clock, rng, bind: this.#bind, servers: () => stunPeers().flatMap(serverOf) })
  }

  /** The helper's process id, while there is one. */
  get pid(): number | undefined {
    return this.#helper.pid
  }

  /** What we know of UDP from here. */
  udp(): UdpMapping {
    return this.#helper.available ? this.#router.mapping() : UDP.none
  }

  /** Finds it out, where that was not done lately. Never throws. */
  async look(): Promise<void> {
    if (this.#helper.available) await this.#router.look()
  }

  /** The network may be another one. */
  forget(): void {
    this.#router.forget()
  }

  async stop(): Promise<void> {
    this.#router.stop()
    await this.#helper.stop()
  }

  /** One try to meet a peer who tries the same. Each side tells and hears exactly once, whatever fails. */
  async meet(init: MeetInit): Promise<Connection> {
    const session = new Session(this.#init.clock)
    try {
      if (init.asks) await this.#ask(session, init)
      else await this.#answer(session, init)
      return await this.#link(session, init)
    } catch (error) {
      session.close()
      throw error
    }
  }

  async #ask(session: Session, init: MeetInit): Promise<void> {
    const { ice, spend } = init
    const own = await failing(this.#describe(session, undefined, init))
    await ice.tell(own.value)
    const theirs = await ice.hear()
    const peer = this.#peer(orThrow(own), theirs)
    spend(Math.max(1, peer.candidates.length))
    session.answered(peer)
  }

  async #answer(session: Session, init: MeetInit): Promise<void> {
    const { ice, spend } = init
    const theirs = await ice.hear()
    const describe = async (): Promise<IceTerms> => {
      const peer = this.#peer(undefined, theirs)
      spend(Math.max(1, peer.candidates.length))
      return this.#describe(session, peer, init)
    }
    const own = await failing(describe())
    await ice.tell(own.value)
    orThrow(own)
  }

  /** Our terms, without what the profile does not let out, or what may not be ours. */
  async #describe(
    session: Session,
    answers: IcePeer | undefined,
    { signal: caller, observed }: MeetInit,
  ): Promise<IceTerms> {
    await orAborted(this.look(), caller)
    const order = { answers, stun: this.#router.server(), bind: this.#bind }
    const own = await withDeadline(
      this.#init.clock,
      DESCRIBE_DEADLINE_MS,
      async (signal) => orAborted(session.begin(this.#helper, order), signal),
      caller,
    )
    const ours = this.#ours(observed)
    const candidates = own.candidates
      .flatMap(({ ip, port }) => endpointAt(ip, port))
      .filter((endpoint) => this.#allowed(endpoint) && ours.has(ipText(endpoint)))
    return { ...own, candidates: candidates.slice(0, ICE_CANDIDATES_MAX) }
  }

  /**
   * The IPs that we may tell: of our interfaces, and what others agree on. What the helper names comes from one STUN server, who could
   * have any place knocked at, its own too.
   */
  #ours(observed: string | undefined): ReadonlySet<string> {
    const texts = [...(this.#init.ips ?? machineIps)(), this.#bind, this.#router.ip()]
    const endpoints = texts.flatMap((ip) => (ip === undefined ? [] : endpointAt(ip, 1)))
    const seen = endpointOf(observed ?? '')
    return new Set([...endpoints, ...(seen === undefined ? [] : [seen])].map(ipText))
  }

  /** What the peer says, without what the profile does not let us knock on. */
  #peer(own: IceTerms | undefined, theirs: IceTerms | undefined): IcePeer {
    if (theirs === undefined) throw new NetworkError('the peer has no WebRTC')
    const candidates = theirs.candidates.filter((endpoint) => this.#allowed(endpoint))
    if (candidates.length === 0 && own?.candidates.length === 0) throw new NetworkError('nowhere to meet')
    return { ...theirs, candidates: candidates.map(placeOf) }
  }

  #allowed(endpoint: Endpoint): boolean {
    return addressAllowed(addressOf(endpoint), this.#init.profile)
  }

  /** The channel, and our own link on it: with the peer and nobody else. */
  async #link(session: Session, { peerId, asks, parts, signal: caller }: MeetInit): Promise<Connection> {
    const { clock } = this.#init
    const at = await orAborted(session.open(), caller)
    const pipe = session.pipe({
      clock,
      logger: parts.logger,
      direction: asks ? 'outbound' : 'inbound', // yamux takes its role from here
      remoteAddr: addressAt(at, peerId),
    })
    return withDeadline(
      clock,
      LINK_DEADLINE_MS,
      async (signal) => parts.upgrader.upgradeOutbound(pipe, { initiator: asks, signal }),
      caller,
    )
  }
}

type Tried<T> = { readonly value: T } | { readonly value: undefined; readonly error: unknown }

async function failing<T>(job: Promise<T>): Promise<Tried<T>> {
  return job.then(
    (value) => ({ value }),
    (error: unknown) => ({ value: undefined, error }),
  )
}

function orThrow<T>(tried: Tried<T>): T {
  if ('error' in tried) throw tried.error
  return tried.value
}

/** The IP that all listen addresses share, if it is a certain one. */
function bindTo(listen: readonly string[]): string | undefined {
  const ips = new Set(listen.map((text) => /^\/ip[46]\/([^/]+)\//.exec(text)?.[1]))
  const [ip] = ips
  return ips.size === 1 && ip !== '0.0.0.0' && ip !== '::' ? ip : undefined
}

/** The host that a TCP address of IPv4 names, its relay where it goes over one. */
function serverOf(address: string): readonly IceCandidate[] {
  const endpoint = endpointOf(/^\/ip4\/[\d.]+\/tcp\/\d+(?=\/|$)/.exec(address)?.[0] ?? '')
  return endpoint === undefined ? [] : [placeOf(endpoint)]
}

function machineIps(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) => addresses.map(({ address }) => address))
}

function endpointAt(ip: string, port: number): readonly Endpoint[] {
  return [endpointOf(`/${ip.includes(':') ? 'ip6' : 'ip4'}/${ip}/tcp/${port}`)].filter((found) => found !== undefined)
}

/** The same for the same IP, however it was written. */
function ipText({ body }: Endpoint): string {
  return body.ip.join('.')
}

function placeOf(endpoint: Endpoint): IceCandidate {
  return { ip: addressOf(endpoint).getComponents()[0]?.value ?? '', port: endpoint.body.port }
}

function addressAt({ ip, port }: IceCandidate, peerId: string): Multiaddr {
  return multiaddr(`/${ip.includes(':') ? 'ip6' : 'ip4'}/${ip}/udp/${port}/webrtc/p2p/${peerId}`)
}
