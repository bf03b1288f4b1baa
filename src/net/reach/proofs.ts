/** Gets our own addresses proved: asks connected peers to dial them, round by round, and tells libp2p which to announce. */
import type { Connection, IdentifyResult } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '../../lib/clock.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import { randomBelow } from '../../lib/rng.ts'
import type { Rng } from '../../lib/rng.ts'
import { ipOf, isRelayed } from '../addresses.ts'
import { AutoNat } from './autonat.ts'
import { Inbound } from './inbound.ts'
import { OwnAddresses } from './own-addresses.ts'
import type { Evidence } from './reachability.ts'

/** After the first question of a round; who has not answered with a dial by then will not. */
const ROUND_MS = 15_000
const ASKED_AT_ONCE = 3
const ASKED_PER_ROUND_MAX = 8
const SPEAKERS_MAX = 512
const SPEAKER_FOR_MS = 24 * 3_600_000
/** Proofs are ended by us and not by libp2p. */
const FOR_EVER_MS = 10 * 365 * 24 * 3_600_000
/** Networks from which strangers have to have got in; the user's own word counts as one. */
const STRANGERS_MIN = { announced: 1, interface: 2, guessed: Number.POSITIVE_INFINITY } as const

export interface ProofsInit {
  readonly announced: readonly string[]
  readonly clock: Clock
  readonly rng: Rng
}

interface Round {
  readonly asked: Set<string>
  firstAtMs: number | undefined
}

export class Proofs {
  readonly autoNat: AutoNat
  readonly #init: ProofsInit
  readonly #addresses: OwnAddresses
  readonly #inbound: Inbound
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
    this.#inbound = new Inbound(init.clock)
    this.#speakers = new ExpiringMap(init.clock, SPEAKER_FOR_MS, SPEAKERS_MAX)
    this.autoNat = new AutoNat(this.#addresses, init.clock, () => this.#onProof())
  }

  /** Called when an address was proved. */
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

  /** A connection was opened; `met` where another to the same peer stood. */
  opened(connection: Connection, met: boolean): void {
    if (!isRelayed(connection)) this.#inbound.note(connection, met)
  }

  /** We are somewhere else. */
  forget(): void {
    this.#round = undefined
    this.#inbound.forget()
    this.#addresses.forget()
  }

  /** Looks at the addresses, and asks those connected about what is due. */
  look(connections: readonly Connection[]): void {
    if (this.#addresses.refresh()) this.#round = undefined
    this.#countStrangers()
    if (this.#addresses.due().length === 0) this.#round = undefined
    else this.#ask(connections)
    this.#announce()
  }

  #ask(connections: readonly Connection[]): void {
    const now = this.#init.clock.now()
    this.#round ??= { asked: new Set(), firstAtMs: undefined }
    const { asked, firstAtMs } = this.#round
    if (firstAtMs !== undefined && now - firstAtMs >= ROUND_MS) {
      for (const candidate of this.#addresses.due()) this.#addresses.failed(candidate)
      this.#round = undefined
      return
    }
    const able = connections.filter((connection) => !isRelayed(connection) && !asked.has(String(connection.remotePeer)))
    let left = Math.min(ASKED_AT_ONCE, ASKED_PER_ROUND_MAX - asked.size)
    while (left > 0 && able.length > 0) {
      const [connection] = able.splice(randomBelow(this.#init.rng, able.length), 1)
      if (connection !== undefined && this.#askOne(connection)) left--
    }
  }

  #askOne(connection: Connection): boolean {
    const id = connection.remotePeer.toString()
    const protocols = this.#speakers.get(id) ?? []
    if (this.#round === undefined || !this.autoNat.ask(protocols, connection.remotePeer, connection)) return false
    this.#round.asked.add(id)
    this.#round.firstAtMs ??= this.#init.clock.now()
    return true
  }

  #countStrangers(): void {
    for (const { address, source } of this.#addresses.due()) {
      const family = address.startsWith('/ip6/') ? 'ip6' : 'ip4'
      if (this.#inbound.networks(family) >= STRANGERS_MIN[source]) this.#addresses.confirm(multiaddr(address))
    }
  }

  /** libp2p tells others the addresses that it takes for proved. */
  #announce(): void {
    const manager = this.autoNat.manager
    if (manager === undefined) return
    for (const { address, source, verified } of this.#addresses.all()) {
      if (source === 'announced' || verified === this.#announcedHere.has(address)) continue
      if (verified) this.#tell(address, source === 'guessed')
      else this.#withdraw(address)
    }
    const known = new Set(this.#addresses.all().map(({ address }) => address))
    for (const address of this.#announcedHere) if (!known.has(address)) this.#withdraw(address)
  }

  #tell(address: string, mapped: boolean): void {
    const manager = this.autoNat.manager
    const { ip, port } = endpointOf(address)
    const inner = this.#transports().find((other) => endpointOf(other.toString()).port === port)
    if (mapped && inner !== undefined) {
      manager?.addPublicAddressMapping(endpointOf(inner.toString()).ip, port, ip, port, 'tcp')
    }
    manager?.confirmObservedAddr(multiaddr(address), { ttl: FOR_EVER_MS })
    this.#announcedHere.add(address)
  }

  #withdraw(address: string): void {
    const manager = this.autoNat.manager
    const { ip, port } = endpointOf(address)
    manager?.removeObservedAddr(multiaddr(address))
    for (const inner of this.#transports()) {
      manager?.removePublicAddressMapping(endpointOf(inner.toString()).ip, port, ip, port, 'tcp')
    }
    this.#announcedHere.delete(address)
  }

  #listed(): readonly Multiaddr[] {
    const all = this.autoNat.manager?.getAddressesWithMetadata() ?? []
    return all.filter(({ type }) => type === 'transport' || type === 'ip-mapping').map((listed) => listed.multiaddr)
  }

  /** What we listen on, but for this machine itself. */
  #transports(): readonly Multiaddr[] {
    const all = this.autoNat.manager?.getAddressesWithMetadata() ?? []
    const own = all.filter(({ type }) => type === 'transport').map((listed) => listed.multiaddr)
    return own.filter(
      (address) => ipOf(address) !== undefined && !/^\/ip4\/127\.|^\/ip6\/::1\//.test(address.toString()),
    )
  }

  #ports(): readonly number[] {
    return [...new Set(this.#transports().map((address) => endpointOf(address.toString()).port))].slice(0, 2)
  }
}

function endpointOf(address: string): { ip: string; port: number } {
  const [, , ip = '', , port = '0'] = address.split('/')
  return { ip, port: Number(port) }
}
