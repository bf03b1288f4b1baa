/**
 * Peers on the local network, by mDNS (RFC 6762) under a name of this network, so that two of them never hear of each other.
 *
 * An answer is a stranger's word, and its source is one, too: who shares a wire with us can forge it. It counts only where its
 * packet says that it came from one of our own networks, and only addresses equal to that source are dialled, on ports of no
 * system service, once a second in all. The dial goes to that address and that peer id; nothing is kept of who does not prove it.
 *
 * Everybody on the same network learns our peer id, private addresses and port, and that Sotto runs here; never an
 * account. The name in the answers is random and new at every start. Whoever minds sets `mdns` to false.
 */
import { mdns } from '@libp2p/mdns'
import type { MulticastDNSComponents } from '@libp2p/mdns'
import type { ComponentLogger, PeerDiscovery, PeerInfo, Startable } from '@libp2p/interface'
import { isPrivate } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import { jitterMs } from '../../lib/backoff.ts'
import { toHex } from '../../lib/bytes.ts'
import type { Clock } from '../../lib/clock.ts'
import { nameOf } from '../../lib/errors.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import type { Logger } from '../../lib/log.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import type { Rng } from '../../lib/rng.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { addressFor, ipOf, peerIdOf } from '../addresses.ts'
import { parsePeerId } from '../peer-id.ts'
import { ADDRESS_DIAL_DEADLINE_MS } from '../protocols.ts'
import { within } from '../signals.ts'
import { isNextDoor } from './interfaces.ts'
import type { OwnInterface } from './interfaces.ts'

/** The package asks at its start and then this seldom: with n peers on a network every question has n answers. */
const ASK_JOINED_MS = 5 * 60_000
/** While nobody is connected we ask ourselves. */
const ASK_ALONE_MS = 10_000
/** A peer that did not answer is not dialled again for so long, whatever is said of it. */
const TRIED_FOR_MS = 20_000
const TRIED_MAX = 256
/** Of all together: a budget of each source would be as many budgets as somebody cares to forge. */
const DIALS = { perSecond: 1, burst: 8 } as const
const DIALS_MAX = 8
/** Below it stand the services of routers and printers, which nobody next door shall have us knock at. */
const PORT_MIN = 1_024

export interface LanInit {
  /** Its name is part of the service's. */
  readonly network: string
  readonly peerId: string
  /** What we listen on; other than private IPv4 addresses are not announced. */
  readonly listening: () => readonly Multiaddr[]
  readonly interfaces: () => readonly OwnInterface[]
  /** Addresses that may be dialled though they are private; ours, with the peer's id, only while a dial is under way. */
  readonly dialable: Set<string>
  readonly connections: () => number
  readonly isConnected: (peerId: string) => boolean
  readonly connect: (peer: PeerRecord, signal: AbortSignal) => Promise<unknown>
  readonly logger: ComponentLogger
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  /** libp2p's, unless a test has another. */
  readonly discovery?: typeof mdns
}

interface Socket {
  query(question: { readonly questions: readonly { readonly name: string; readonly type: string }[] }): void
  on(event: 'error', listener: () => void): void
  prependListener(event: 'response', listener: (packet: unknown, from: { readonly address: string }) => void): void
}
interface Discovery extends PeerDiscovery {
  readonly mdns?: Socket
  start(): Promise<void>
  stop(): Promise<void>
}

export class Lan implements Startable {
  readonly #init: LanInit
  readonly #service: string
  readonly #tried: ExpiringMap<string, true>
  readonly #budget: RateLimiter
  #stopped = new AbortController()
  #discovery: Discovery | undefined
  /** Where the packet came from whose answers are being looked at. */
  #source = ''
  #dials = 0
  #cancel: (() => void) | undefined
  #changing: Promise<void> = Promise.resolve()

  constructor(init: LanInit) {
    this.#init = init
    this.#service = `_sotto-${init.network}._udp.local`
    this.#tried = new ExpiringMap(init.clock, TRIED_FOR_MS, TRIED_MAX)
    this.#budget = new RateLimiter(DIALS, init.clock, 1)
  }

  /** Nothing is opened where we listen on loopback or public addresses only: nobody next door could reach us. */
  start(): void {
    this.#stopped = new AbortController()
    this.refresh()
    this.#askLater()
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    this.#cancel?.()
    this.#next(async () => this.#close())
    await this.#changing
  }

  /** The network is another one, or back: asks at once. */
  refresh(): void {
    this.#next(async () => this.#open())
  }

  /** One after another: opening and closing take a while. */
  #next(change: () => Promise<void>): void {
    this.#changing = this.#changing.then(change).catch((error: unknown) => {
      this.#init.log.info('no peers are looked for on the local network', { error: nameOf(error) })
    })
  }

  async #open(): Promise<void> {
    if (this.#stopped.signal.aborted) return
    if (this.#discovery !== undefined) {
      this.#ask()
      return
    }
    if (this.#announced().length === 0) return
    const discovery = this.#make()
    discovery.addEventListener('peer', this.#onPeer)
    // First, so that it is closed where its start fails: the next look makes another.
    this.#discovery = discovery
    try {
      await discovery.start()
    } catch (error) {
      await this.#close()
      throw error
    }
    discovery.mdns?.on('error', () => this.#next(async () => this.#close()))
    discovery.mdns?.prependListener('response', (_packet, from) => {
      this.#source = from.address
    })
  }

  #make(): Discovery {
    const { rng, logger, discovery = mdns } = this.#init
    const make = discovery({ serviceTag: this.#service, interval: ASK_JOINED_MS, peerName: toHex(rng.bytes(16)) })
    // Beside the node and not in it: what libp2p discovers goes into its peer store, and there a stranger's word has no place.
    const addressManager = { getAddresses: () => this.#announced() } as MulticastDNSComponents['addressManager']
    return make({ addressManager, logger }) as Discovery
  }

  async #close(): Promise<void> {
    const discovery = this.#discovery
    this.#discovery = undefined
    discovery?.removeEventListener('peer', this.#onPeer)
    await discovery?.stop()
  }

  #announced(): Multiaddr[] {
    const { interfaces, listening, peerId } = this.#init
    const near = interfaces()
    const next = listening().filter((address) => isPrivate(address) && isNextDoor(ipOf(address) ?? '', near))
    return next.map((address) => (peerIdOf(address) === undefined ? address.encapsulate(`/p2p/${peerId}`) : address))
  }

  #askLater(): void {
    this.#cancel = this.#init.clock.after(jitterMs(ASK_ALONE_MS, 0.2, this.#init.rng), () => {
      if (this.#init.connections() === 0) this.refresh()
      this.#askLater()
    })
  }

  #ask(): void {
    this.#discovery?.mdns?.query({ questions: [{ name: this.#service, type: 'PTR' }] })
  }

  readonly #onPeer = (event: CustomEvent<PeerInfo>): void => {
    const id = event.detail.id.toString()
    const peer = heard(id, event.detail.multiaddrs.map(String), this.#source, this.#init.interfaces())
    if (peer === undefined || id === this.#init.peerId || this.#init.isConnected(id)) return
    if (this.#tried.get(id) === true || this.#dials >= DIALS_MAX || !this.#budget.take('')) return
    this.#tried.set(id, true)
    void this.#dial(peer)
  }

  async #dial(peer: PeerRecord): Promise<void> {
    const { dialable, connect, log } = this.#init
    const fresh = peer.addresses.filter((address) => !dialable.has(address))
    for (const address of fresh) dialable.add(address)
    this.#dials++
    try {
      await connect(peer, within(ADDRESS_DIAL_DEADLINE_MS, this.#stopped.signal))
      log.info('joined by a peer on the local network')
    } catch (error) {
      log.debug('a peer on the local network did not answer', { error: nameOf(error) })
    } finally {
      this.#dials--
      for (const address of fresh) dialable.delete(address)
    }
  }
}

/** What may be believed enough of an answer to dial it: TCP addresses of its sender, who is next door. At most 4. */
export function heard(
  id: string,
  texts: readonly string[],
  source: string,
  interfaces: readonly OwnInterface[],
): PeerRecord | undefined {
  if (parsePeerId(id) === undefined || !isNextDoor(source, interfaces)) return undefined
  const addresses = texts.flatMap((text) => {
    const address = addressFor(text, id)
    return address !== undefined && ipOf(address) === source && isPlainTcp(address) ? [address.toString()] : []
  })
  return addresses.length === 0 ? undefined : { id, addresses: addresses.slice(0, 4) }
}

/** TCP on a port of no system service. */
function isPlainTcp(address: Multiaddr): boolean {
  const [, transport, ...rest] = address.getComponents()
  return (
    transport?.name === 'tcp' &&
    Number(transport.value) >= PORT_MIN &&
    rest.every((component) => component.name === 'p2p')
  )
}
