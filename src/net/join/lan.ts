/**
 * Peers on the local network, by mDNS (RFC 6762) under a name of this network, so that two of them never hear of each other.
 *
 * An answer is a stranger's word. It counts only where its packet came from one of our own networks, and speaks only for the
 * host that it came from: an address in it that is not the packet's source is not dialled. The dial goes to that address and
 * that peer id; nothing is kept of who does not prove the id.
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
import { ipOf, parseAddress, peerIdOf, withoutPeer } from '../addresses.ts'
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
/** Answers looked at from one host, and from all. */
const ANSWERS_OF_ONE = { perSecond: 1, burst: 8 } as const
const HOSTS_MAX = 256
const DIALS_MAX = 8

export interface LanInit {
  /** Its name is part of the service's. */
  readonly network: string
  readonly peerId: string
  /** What we listen on; other than private IPv4 addresses are not announced. */
  readonly listening: () => readonly Multiaddr[]
  readonly interfaces: () => readonly OwnInterface[]
  /** Addresses (peer ids cut off) that may be dialled though they are private; ours only while a dial is under way. */
  readonly dialable: Set<string>
  readonly connections: () => number
  readonly isConnected: (peerId: string) => boolean
  readonly connect: (peer: PeerRecord, signal: AbortSignal) => Promise<unknown>
  readonly logger: ComponentLogger
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}

interface Socket {
  query(question: { readonly questions: readonly { readonly name: string; readonly type: string }[] }): void
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
  readonly #answers: RateLimiter
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
    this.#answers = new RateLimiter(ANSWERS_OF_ONE, init.clock, HOSTS_MAX)
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
    this.#changing = this.#changing.then(async () => this.#close())
    await this.#changing
  }

  /** The network is another one, or back: asks at once. */
  refresh(): void {
    this.#changing = this.#changing
      .then(async () => this.#open())
      .catch((error: unknown) => {
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
    const { rng, logger } = this.#init
    const make = mdns({ serviceTag: this.#service, interval: ASK_JOINED_MS, peerName: toHex(rng.bytes(16)) })
    // Beside the node and not in it: what libp2p discovers goes into its peer store, and there a stranger's word has no place.
    const addressManager = { getAddresses: () => this.#announced() } as MulticastDNSComponents['addressManager']
    const discovery = make({ addressManager, logger }) as Discovery
    discovery.addEventListener('peer', this.#onPeer)
    this.#discovery = discovery
    await discovery.start()
    discovery.mdns?.prependListener('response', (_packet, from) => {
      this.#source = from.address
    })
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
    if (this.#tried.get(id) === true || this.#dials >= DIALS_MAX || !this.#answers.take(this.#source)) return
    this.#tried.set(id, true)
    void this.#dial(peer)
  }

  async #dial(peer: PeerRecord): Promise<void> {
    const { dialable, connect, log } = this.#init
    const fresh = peer.addresses.map(withoutPeer).filter((address) => !dialable.has(address))
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
  const addresses = texts.filter((text) => {
    const address = parseAddress(text)
    return address !== undefined && ipOf(address) === source && isPlainTcp(address)
  })
  return addresses.length === 0 ? undefined : { id, addresses: addresses.slice(0, 4) }
}

function isPlainTcp(address: Multiaddr): boolean {
  const names = address.getComponents().map((component) => component.name)
  return names[1] === 'tcp' && names.slice(2).every((name) => name === 'p2p')
}
