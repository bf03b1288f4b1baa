/**
 * Our own public addresses and what is proved of each: announced by the user, of an interface of this machine, mapped by the
 * router, or guessed (what others see us come from, with the port that we listen on: right where the router forwards it). An
 * address counts when a stranger has dialled it.
 */
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { backoffMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Rng } from '../../lib/rng.ts'
import { sourceNetwork } from '../../protocol/replicas.ts'
import { ipOf, parseAddress } from '../addresses.ts'

/** How long a proof is good for. */
const PROOF_FOR_MS = 30 * 60_000
/** A proven address that fails so often in a row is no longer ours. */
const FAILURES_MAX = 2
/** Observers of different networks that have to agree before an address is guessed. */
const OBSERVERS_MIN = 2
const OBSERVED_MAX = 16
const CANDIDATES_MAX = 8
const RETRY = { firstMs: 60_000, maxMs: 30 * 60_000, factor: 2 }

export type AddressSource = 'announced' | 'interface' | 'guessed'

export interface OwnAddressesInit {
  readonly clock: Clock
  readonly rng: Rng
  /** What the user announced. */
  readonly announced: readonly string[]
  /** Public addresses of interfaces and mappings of the router. */
  readonly listed: () => readonly Multiaddr[]
  /** TCP ports that we listen on, on whatever address. */
  readonly ports: () => readonly number[]
}

interface Candidate {
  readonly address: string
  readonly source: AddressSource
  verified: boolean
  /** Whether a whole round of asking ended without a proof since the last one. */
  failures: number
  /** Until then nobody is asked. */
  restUntilMs: number
}

export class OwnAddresses {
  readonly #init: OwnAddressesInit
  readonly #announced: readonly string[]
  #candidates = new Map<string, Candidate>()
  /** IP → networks of those that saw us there. */
  readonly #observed = new Map<string, Set<string>>()

  constructor(init: OwnAddressesInit) {
    this.#init = init
    this.#announced = init.announced.map(bare).filter((text) => text !== undefined)
  }

  /** An observer whom we dialled says where we came from. */
  observe(observerIp: string, observed: Multiaddr): void {
    const network = sourceNetwork(observerIp)
    const ip = ipOf(observed)
    if (network === undefined || ip === undefined || sourceNetwork(ip) === undefined) return
    const seen = this.#observed.get(ip) ?? new Set()
    if (seen.size < OBSERVERS_MIN) seen.add(network)
    this.#observed.delete(ip)
    this.#observed.set(ip, seen)
    if (this.#observed.size > OBSERVED_MAX) this.#observed.delete([...this.#observed.keys()][0] ?? '')
  }

  /** Looks at the interfaces again. True where addresses came or went. */
  refresh(): boolean {
    const before = [...this.#candidates.keys()].join(' ')
    const next = new Map<string, Candidate>()
    for (const [address, source] of this.#sources()) {
      if (next.size >= CANDIDATES_MAX) break
      const fresh = { address, source, verified: false, failures: 0, restUntilMs: 0 }
      next.set(address, this.#candidates.get(address) ?? fresh)
    }
    // A guess that was right stays until it is wrong: after a change of network observers are few.
    const right = this.all().filter(({ source, verified }) => source === 'guessed' && verified)
    for (const candidate of right) if (next.size < CANDIDATES_MAX) next.set(candidate.address, candidate)
    this.#candidates = next
    return [...next.keys()].join(' ') !== before
  }

  /** The network is another: what was observed before is worth nothing, and every proof is asked for anew. */
  forget(): void {
    this.#observed.clear()
    for (const candidate of this.#candidates.values()) {
      candidate.restUntilMs = 0
      candidate.failures = 0
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

  /** A stranger has dialled it. */
  confirm(address: Multiaddr): void {
    const candidate = this.#candidates.get(bare(address.toString()) ?? '')
    if (candidate === undefined) return
    candidate.verified = true
    candidate.failures = 0
    candidate.restUntilMs = this.#init.clock.now() + PROOF_FOR_MS
  }

  /** Everybody who could be asked was, and nobody has dialled it. */
  failed(candidate: Pick<Candidate, 'address'>): void {
    const found = this.#candidates.get(candidate.address)
    if (found === undefined) return
    found.failures++
    if (found.failures >= FAILURES_MAX) found.verified = false
    const retry = found.verified ? { ...RETRY, maxMs: RETRY.firstMs } : RETRY
    found.restUntilMs = this.#init.clock.now() + backoffMs(retry, found.failures - 1, this.#init.rng)
  }

  *#sources(): Generator<readonly [string, AddressSource]> {
    for (const address of this.#announced) yield [address, 'announced']
    if (this.#announced.length > 0) return // they are told instead of the others
    for (const address of this.#init.listed()) {
      const text = bare(address.toString())
      if (text !== undefined) yield [text, 'interface']
    }
    for (const [ip, observers] of this.#observed) {
      if (observers.size < OBSERVERS_MIN) continue
      for (const port of this.#init.ports()) yield [`/${ip.includes(':') ? 'ip6' : 'ip4'}/${ip}/tcp/${port}`, 'guessed']
    }
  }
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
