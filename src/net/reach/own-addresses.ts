/**
 * Our own public addresses and what is proved of each: announced by the user, of an interface of this machine, or guessed (what
 * others see us come from, with the port that we listen on: right where the router forwards it). Nobody's word proves one,
 * only that others dialled it and got in.
 */
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { backoffMs } from '../../lib/backoff.ts'
import { dropOldest } from '../../lib/bounded.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Rng } from '../../lib/rng.ts'
import { sourceNetwork } from '../../protocol/replicas.ts'
import { ipOf, parseAddress } from '../addresses.ts'
import { wideNetwork } from './inbound.ts'
import type { Arrival } from './inbound.ts'

/** How long it proves something that somebody got in. */
const PROOF_FOR_MS = 30 * 60_000
/** Networks from which peers that we asked have to have got in. */
const ASKED_MIN = { announced: 1, interface: 1, guessed: 2 } as const
/** The same of anybody; which way strangers came to an address behind a router that we only guess, nobody knows. */
const STRANGERS_MIN = { announced: 1, interface: 2, guessed: Number.POSITIVE_INFINITY } as const
const NETWORKS_MAX = 8
/** A proven address is lost after two rounds in vain, or four in which one network alone had been asked. */
const IN_VAIN_MAX = 4
/** Networks of observers that have to agree before an address is guessed. */
const OBSERVERS_MIN = 2
const OBSERVERS_MAX = 32
const CANDIDATES_MAX = 8
const RETRY = { firstMs: 60_000, maxMs: 30 * 60_000, factor: 2 }

type AddressSource = 'announced' | 'interface' | 'guessed'
type Family = 'ip4' | 'ip6'

export interface OwnAddressesInit {
  readonly clock: Clock
  readonly rng: Rng
  /** What the user announced. */
  readonly announced: readonly string[]
  /** Addresses of interfaces. */
  readonly listed: () => readonly Multiaddr[]
  /** TCP ports that we listen on, on whatever address. */
  readonly ports: () => readonly number[]
}

interface Candidate {
  readonly address: string
  readonly source: AddressSource
  verified: boolean
  /** Rounds of asking that ended without a proof since the last one. */
  failures: number
  /** What they weigh together. */
  inVain: number
  /** Until then nobody is asked. */
  restUntilMs: number
  /** The networks from which somebody got in here: the last time, and whether as the answer to a question. */
  readonly arrivals: Map<string, { readonly asked: boolean; readonly atMs: number }>
}

export class OwnAddresses {
  readonly #init: OwnAddressesInit
  readonly #announced: readonly string[]
  #candidates = new Map<string, Candidate>()
  /** By the observer's network, which has one voice: the IP where it saw us last. */
  readonly #observed = new Map<string, string>()

  constructor(init: OwnAddressesInit) {
    this.#init = init
    this.#announced = init.announced.map(bare).filter((text) => text !== undefined)
  }

  /** An observer whom we dialled says where we came from. */
  observe(observerIp: string, observed: Multiaddr): void {
    const network = wideNetwork(observerIp)
    const ip = ipOf(observed)
    if (network === undefined || ip === undefined || sourceNetwork(ip) === undefined) return
    if (familyOf(observerIp) !== familyOf(ip)) return
    this.#observed.delete(network)
    this.#observed.set(network, ip)
    dropOldest(this.#observed, OBSERVERS_MAX)
  }

  /** Looks at the interfaces again. */
  refresh(): void {
    const next = new Map<string, Candidate>()
    for (const [address, source] of this.#sources()) {
      if (next.size >= CANDIDATES_MAX) break
      if (next.has(address)) continue
      const known = this.#candidates.get(address)
      next.set(address, known?.source === source ? known : candidateAt(address, source))
    }
    // A guess that was right stays until it is wrong: after a change of network observers are few.
    const right = this.all().filter(({ source, verified }) => source === 'guessed' && verified)
    for (const { address } of right) {
      const candidate = this.#candidates.get(address)
      if (candidate !== undefined && next.size < CANDIDATES_MAX && !next.has(address)) next.set(address, candidate)
    }
    this.#candidates = next
  }

  /** The network is another: what was seen before is worth nothing, and every proof is asked for anew. */
  forget(): void {
    this.#observed.clear()
    for (const candidate of this.#candidates.values()) {
      candidate.arrivals.clear()
      candidate.restUntilMs = 0
      candidate.failures = 0
      candidate.inVain = 0
    }
  }

  all(): readonly Readonly<Candidate>[] {
    return [...this.#candidates.values()]
  }

  verified(): readonly string[] {
    return this.all()
      .filter(({ verified }) => verified)
      .map(({ address }) => address)
  }

  /** Those for which a proof is wanted now. */
  due(): readonly Readonly<Candidate>[] {
    const now = this.#init.clock.now()
    return this.all().filter(({ restUntilMs }) => restUntilMs <= now)
  }

  /** Somebody dialled us and got in; `asked` are the addresses that it was asked to dial. True where that says something new. */
  arrived(arrival: Arrival, asked: readonly string[] = []): boolean {
    const atMs = this.#init.clock.now()
    let told = false
    for (const candidate of this.#candidates.values()) {
      const wasAsked = asked.includes(candidate.address)
      const network = this.#witness(candidate, arrival, wasAsked)
      if (network === undefined) continue
      const before = this.#fresh(candidate).find(([known]) => known === network)?.[1]
      candidate.arrivals.delete(network)
      candidate.arrivals.set(network, { asked: wasAsked || before?.asked === true, atMs })
      dropOldest(candidate.arrivals, NETWORKS_MAX)
      told ||= before === undefined
    }
    return told
  }

  /** Draws the conclusions from who got in. A proven address needs nobody but one stranger in half an hour. */
  settle(): void {
    for (const candidate of this.#candidates.values()) {
      const fresh = this.#fresh(candidate).map(([, arrival]) => arrival)
      const asked = fresh.filter((arrival) => arrival.asked).length
      const proved = asked >= ASKED_MIN[candidate.source] || fresh.length >= STRANGERS_MIN[candidate.source]
      if (!proved && !(candidate.verified && fresh.length > 0)) continue
      candidate.verified = true
      candidate.failures = 0
      candidate.inVain = 0
      candidate.restUntilMs = Math.max(...fresh.map(({ atMs }) => atMs)) + PROOF_FOR_MS
    }
  }

  /** Those asked answered, out of so many networks, and nobody has dialled it. */
  failed(address: string, networks: number): void {
    const found = this.#candidates.get(address)
    if (found === undefined) return
    found.failures++
    found.inVain += networks > 1 ? 2 : 1
    if (found.inVain >= IN_VAIN_MAX) found.verified = false
    const retry = found.verified ? { ...RETRY, maxMs: RETRY.firstMs } : RETRY
    found.restUntilMs = this.#init.clock.now() + backoffMs(retry, found.failures - 1, this.#init.rng)
  }

  /** The network whose voice the arrival is for this address; `undefined` where it proves nothing of it. */
  #witness({ address, source }: Candidate, arrival: Arrival, asked: boolean): string | undefined {
    const ip = address.split('/')[2] ?? ''
    if (familyOf(ip) !== familyOf(arrival.ip)) return undefined
    // What the user says holds even where a proxy hides whence they come (a container's), as long as it is he whom we asked.
    if (source === 'announced')
      return this.#listens(arrival) ? (arrival.network ?? (asked ? 'proxy' : undefined)) : undefined
    if (arrival.network === undefined || arrival.network === wideNetwork(ip)) return undefined
    const here = bare(`/${familyOf(arrival.ip)}/${arrival.ip}/tcp/${arrival.port}`)
    if (source === 'interface') return here === address ? arrival.network : undefined
    return here === undefined && address.endsWith(`/tcp/${arrival.port}`) ? arrival.network : undefined
  }

  #listens({ port }: Arrival): boolean {
    return this.#init.ports().includes(port)
  }

  #fresh({ arrivals }: Candidate): [string, { readonly asked: boolean; readonly atMs: number }][] {
    const since = this.#init.clock.now() - PROOF_FOR_MS
    return [...arrivals].filter(([, { atMs }]) => atMs > since)
  }

  *#sources(): Generator<readonly [string, AddressSource]> {
    for (const address of this.#announced) yield [address, 'announced']
    if (this.#announced.length > 0) return // they are told instead of the others
    for (const address of this.#init.listed()) {
      const text = bare(address.toString())
      if (text !== undefined) yield [text, 'interface']
    }
    for (const family of ['ip4', 'ip6'] as const) {
      const ip = this.#guess(family)
      if (ip === undefined) continue
      for (const port of this.#init.ports()) {
        const text = bare(`/${family}/${ip}/tcp/${port}`)
        if (text !== undefined) yield [text, 'guessed']
      }
    }
  }

  /** Where most networks see us; of as many, where we are thought to be already: else one liar could move it to and fro. */
  #guess(family: Family): string | undefined {
    const votes = new Map<string, number>()
    for (const ip of this.#observed.values()) if (familyOf(ip) === family) votes.set(ip, (votes.get(ip) ?? 0) + 1)
    const guessed = new Set(this.all().map(({ address }) => address.split('/')[2] ?? ''))
    const [best] = [...votes].sort(([a, x], [b, y]) => y - x || Number(guessed.has(b)) - Number(guessed.has(a)))
    return best !== undefined && best[1] >= OBSERVERS_MIN ? best[0] : undefined
  }
}

function candidateAt(address: string, source: AddressSource): Candidate {
  return { address, source, verified: false, failures: 0, inVain: 0, restUntilMs: 0, arrivals: new Map() }
}

function familyOf(ip: string): Family {
  return ip.includes(':') ? 'ip6' : 'ip4'
}

/** The public TCP address without what follows, in one spelling; `undefined` for any other. */
function bare(text: string): string | undefined {
  const address = parseAddress(text)
  const ip = address === undefined ? undefined : ipOf(address)
  if (address === undefined || ip === undefined || sourceNetwork(ip) === undefined) return undefined
  const [family, transport] = address.getComponents()
  if (transport?.name !== 'tcp' || transport.value === undefined || transport.value === '0') return undefined
  return multiaddr(`/${family?.name}/${ip}/tcp/${transport.value}`).toString()
}
