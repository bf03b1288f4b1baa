/** Gets our own addresses proved: asks connected peers to dial them, round by round, and tells libp2p which to announce. */
import type { Connection, IdentifyResult } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '../../lib/clock.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import { randomBelow } from '../../lib/rng.ts'
import type { Rng } from '../../lib/rng.ts'
import { DAY_MS } from '../../lib/time.ts'
import { ipOf, isRelayed } from '../addresses.ts'
import { ADDRESSES_ASKED_MAX, AutoNat } from './autonat.ts'
import { arrivalOf, wideNetwork } from './inbound.ts'
import { OwnAddresses } from './own-addresses.ts'
import type { Evidence } from './reachability.ts'

/** After the first question of a round; who has not answered with a dial by then will not. */
const ROUND_MS = 15_000
const ASKED_AT_ONCE = 3
const ASKED_PER_ROUND_MAX = 8
const SPEAKERS_MAX = 512
const SPEAKER_FOR_MS = DAY_MS
/** Proofs are ended by us and not by libp2p. */
const FOR_EVER_MS = 10 * 365 * DAY_MS

export interface ProofsInit {
  readonly announced: readonly string[]
  readonly clock: Clock
  readonly rng: Rng
}

interface Round {
  readonly addresses: readonly string[]
  /** Peer → its network. */
  readonly asked: Map<string, string | undefined>
  /** Networks of those who answered. */
  readonly answered: Set<string>
  firstAtMs: number | undefined
}

export class Proofs {
  readonly autoNat: AutoNat
  readonly #init: ProofsInit
  readonly #addresses: OwnAddresses
  /** Connected peers and what they speak. */
  readonly #speakers: ExpiringMap<string, readonly string[]>
  readonly #announcedHere = new Set<string>()
  #round: Round | undefined
  #onProof: () => void = () => {}

  constructor(init: ProofsInit) {
    this.#init = init
    this.#addresses = new OwnAddresses({
      ...init,
      listed: () => this.#listed(),
      ports: () => this.#ports(),
    })
    this.#speakers = new ExpiringMap(init.clock, SPEAKER_FOR_MS, SPEAKERS_MAX)
    this.autoNat = new AutoNat(init.clock)
  }

  /** Called when somebody got in who may prove an address. */
  onProof(listener: () => void): void {
    this.#onProof = listener
  }

  verified(): readonly string[] {
    return this.#addresses.verified()
  }

  /** Addresses that were asked about in vain, guesses left out. */
  unproved(): readonly string[] {
    const tried = this.#addresses.all().filter(({ source, verified }) => source !== 'guessed' && !verified)
    return tried.filter(({ failures }) => failures > 0).map(({ address }) => address)
  }

  /** How far the asking has come. Nobody waits for a guess: few routers forward a port. */
  candidates(): Evidence['candidates'] {
    const all = this.#addresses.all().filter(({ source }) => source !== 'guessed')
    if (all.length === 0) return 'none'
    return all.every(({ failures }) => failures > 0) ? 'failed' : 'open'
  }

  /** Whether an address of ours may be public: who has none knows nothing about dialling others. */
  get hopeful(): boolean {
    return this.#addresses.all().some(({ source, failures }) => source !== 'guessed' && failures === 0)
  }

  /** What a peer says of itself and of us. */
  identified({ peerId, protocols, observedAddr, connection }: IdentifyResult): void {
    if (isRelayed(connection)) return
    this.#speakers.set(peerId.toString(), protocols)
    const ip = ipOf(connection.remoteAddr)
    if (connection.direction === 'outbound' && ip !== undefined && observedAddr !== undefined) {
      this.#addresses.observe(ip, observedAddr)
    }
  }

  /** A connection was opened. */
  opened(connection: Connection): void {
    const arrival = arrivalOf(connection)
    if (arrival === undefined) return
    const { addresses = [], asked } = this.#open() ?? {}
    const wasAsked = asked?.has(connection.remotePeer.toString()) === true
    if (this.#addresses.arrived(arrival, wasAsked ? addresses : [])) this.#onProof()
  }

  /** We are somewhere else. */
  forget(): void {
    this.#round = undefined
    this.#addresses.forget()
  }

  /** Looks at the addresses, and asks those connected about what is due. */
  look(connections: readonly Connection[]): void {
    this.#addresses.refresh()
    this.#addresses.settle()
    if (this.#addresses.due().length === 0 || this.autoNat.full) this.#round = undefined // nobody more would get in
    else if (this.#round !== undefined && this.#open() === undefined) this.#end(this.#round)
    else this.#ask(connections)
    this.#announce()
  }

  /** The round under way, as long as who was asked may still dial. */
  #open(): Round | undefined {
    const { firstAtMs = this.#init.clock.now() } = this.#round ?? {}
    return this.#init.clock.now() - firstAtMs < ROUND_MS ? this.#round : undefined
  }

  /** Where nobody answered nothing was learnt: all may be too busy, or lie. */
  #end({ addresses, answered }: Round): void {
    this.#round = undefined
    if (answered.size === 0) return
    const due = this.#addresses.due().filter(({ address }) => addresses.includes(address))
    for (const { address } of due) this.#addresses.failed(address, answered.size)
  }

  #ask(connections: readonly Connection[]): void {
    const round = this.#round?.firstAtMs === undefined ? this.#newRound() : this.#round
    this.#round = round
    this.autoNat.about(round.addresses)
    const able = connections.filter(
      (connection) => !isRelayed(connection) && !round.asked.has(connection.remotePeer.toString()),
    )
    let left = Math.min(ASKED_AT_ONCE, ASKED_PER_ROUND_MAX - round.asked.size)
    while (left > 0 && able.length > 0) {
      const others = able.filter((connection) => ![...round.asked.values()].includes(networkOf(connection)))
      const from = others.length > 0 ? others : able // one owner has many ids, but few networks
      const connection = from[randomBelow(this.#init.rng, from.length)]
      if (connection === undefined) return
      able.splice(able.indexOf(connection), 1)
      if (this.#askOne(round, connection)) left--
    }
  }

  #askOne(round: Round, connection: Connection): boolean {
    const id = connection.remotePeer.toString()
    const network = networkOf(connection)
    const onAnswer = (): void => void round.answered.add(network ?? '')
    if (!this.autoNat.ask(this.#speakers.get(id) ?? [], connection, onAnswer)) return false
    round.asked.set(id, network)
    round.firstAtMs ??= this.#init.clock.now()
    return true
  }

  /** About as many addresses as one question may name, at random: all get their turn. */
  #newRound(): Round {
    const due = this.#addresses.due().map(({ address }) => address)
    const addresses: string[] = []
    while (addresses.length < ADDRESSES_ASKED_MAX && due.length > 0) {
      addresses.push(...due.splice(randomBelow(this.#init.rng, due.length), 1))
    }
    return { addresses, asked: new Map(), answered: new Set(), firstAtMs: undefined }
  }

  /** Tells libp2p. What the user announced, it announces unasked. */
  #announce(): void {
    for (const { address, source, verified } of this.#addresses.all()) {
      if (source === 'announced' || verified === this.#announcedHere.has(address)) continue
      if (verified) this.#tell(address, source === 'guessed')
      else this.#withdraw(address)
    }
    const known = new Set(this.#addresses.all().map(({ address }) => address))
    for (const address of this.#announcedHere) if (!known.has(address)) this.#withdraw(address)
  }

  #tell(address: string, mapped: boolean): void {
    const manager = this.autoNat.components?.addressManager
    const { ip, port } = endpointOf(address)
    const inner = this.#transports().find((other) => endpointOf(other.toString()).port === port)
    if (mapped && inner !== undefined) {
      manager?.addPublicAddressMapping(endpointOf(inner.toString()).ip, port, ip, port, 'tcp')
    }
    manager?.confirmObservedAddr(multiaddr(address), { ttl: FOR_EVER_MS })
    this.#announcedHere.add(address)
  }

  #withdraw(address: string): void {
    const manager = this.autoNat.components?.addressManager
    const { ip, port } = endpointOf(address)
    manager?.removeObservedAddr(multiaddr(address))
    for (const inner of this.#transports()) {
      manager?.removePublicAddressMapping(endpointOf(inner.toString()).ip, port, ip, port, 'tcp')
    }
    this.#announcedHere.delete(address)
  }

  #listed(): readonly Multiaddr[] {
    const all = this.autoNat.components?.addressManager.getAddressesWithMetadata() ?? []
    return all.filter(({ type }) => type === 'transport').map((listed) => listed.multiaddr)
  }

  /** What we listen on, whatever is announced, but for this machine itself. */
  #transports(): readonly Multiaddr[] {
    const own = this.autoNat.components?.transportManager.getAddrs() ?? []
    return own.filter(
      (address) => ipOf(address) !== undefined && !/^\/ip4\/127\.|^\/ip6\/::1\//.test(address.toString()),
    )
  }

  #ports(): readonly number[] {
    return [...new Set(this.#transports().map((address) => endpointOf(address.toString()).port))].slice(0, 2)
  }
}

function networkOf({ remoteAddr }: Connection): string | undefined {
  const ip = ipOf(remoteAddr)
  return ip === undefined ? undefined : wideNetwork(ip)
}

function endpointOf(address: string): { ip: string; port: number } {
  const [, , ip = '', , port = '0'] = address.split('/')
  return { ip, port: Number(port) }
}
