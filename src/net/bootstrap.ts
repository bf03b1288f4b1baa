/**
 * Joining and staying joined: while nobody is connected, every bootstrap address and the cached peers are tried, again
 * and again with growing, jittered pauses; once joined, a look every minute keeps one bootstrap peer among the
 * connections, so that two halves of the network do not drift apart. Runs for ever in the background.
 */
import { backoffMs, jitterMs } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import { sleep } from '../lib/clock.ts'
import { nameOf } from '../lib/errors.ts'
import type { Startable } from '../lib/lifecycle.ts'
import type { Logger } from '../lib/log.ts'
import { randomBelow } from '../lib/rng.ts'
import type { Rng } from '../lib/rng.ts'
import type { PeerRecord } from '../wire/peer.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import { parseAddress, peerIdOf } from './addresses.ts'
import { parsePeerId } from './peer-id.ts'
import { DIAL_DEADLINE_MS } from './protocols.ts'
import { within } from './signals.ts'

const RETRY = { firstMs: 500, maxMs: 20_000, factor: 2 }
const JOINED_PAUSE_MS = 60_000
/** Cached peers tried in one round, at random among those known. */
const CACHED_PER_ROUND = 8

export interface BootstrapInit {
  readonly entries: readonly string[]
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  /** Peers of earlier days. */
  readonly cached: () => readonly PeerRecord[]
  readonly connections: () => number
  readonly isConnected: (peerId: string) => boolean
  /** Dials and gives the id of who answered. */
  readonly dial: (address: Multiaddr, signal: AbortSignal) => Promise<string>
  readonly connect: (peer: PeerRecord, signal: AbortSignal) => Promise<unknown>
}

/** The entries that are multiaddrs, with a warning for each that is not (ID-08). */
export function readBootstrap(entries: readonly string[], log: Logger): readonly Multiaddr[] {
  const addresses: Multiaddr[] = []
  for (const [index, entry] of entries.entries()) {
    const address = parseAddress(entry.trim())
    const peerId = address === undefined ? undefined : peerIdOf(address)
    const dialable = address?.getComponents().some((component) => component.name === 'tcp') === true
    if (address === undefined || !dialable || (peerId !== undefined && parsePeerId(peerId) === undefined)) {
      log.warn('a bootstrap address is not valid and was skipped', { entry: index + 1 })
    } else {
      addresses.push(address)
    }
  }
  return addresses
}

export class Bootstrap implements Startable {
  readonly #init: BootstrapInit
  readonly #addresses: readonly Multiaddr[]
  /** Who answered at an address that names nobody. */
  readonly #answered = new Map<string, string>()
  #stopped = new AbortController()
  #pause = new AbortController()
  #done: Promise<void> = Promise.resolve()

  constructor(init: BootstrapInit) {
    this.#init = init
    this.#addresses = readBootstrap(init.entries, init.log)
  }

  start(): void {
    this.#stopped = new AbortController()
    this.#done = this.#run(this.#stopped.signal)
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#done
  }

  /** Nobody may be connected any more: look now. */
  nudge(): void {
    this.#pause.abort()
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, rng, connections } = this.#init
    for (let attempt = 0; !signal.aborted;) {
      this.#pause = new AbortController()
      await (connections() === 0 ? this.#join(signal) : this.#keepOne(signal))
      const joined = connections() > 0
      attempt = joined ? 0 : attempt + 1
      const delayMs = joined ? jitterMs(JOINED_PAUSE_MS, 0.2, rng) : backoffMs(RETRY, attempt - 1, rng)
      const wake = joined ? AbortSignal.any([signal, this.#pause.signal]) : signal
      await sleep(clock, delayMs, wake).catch(() => {})
    }
  }

  /** All bootstrap addresses and some cached peers, side by side. */
  async #join(signal: AbortSignal): Promise<void> {
    const cached = pick(this.#init.cached(), CACHED_PER_ROUND, this.#init.rng)
    await Promise.all([
      ...this.#addresses.map(async (address) => this.#dial(address, signal)),
      ...cached.map(async (peer) => this.#connect(peer, signal)),
    ])
  }

  async #keepOne(signal: AbortSignal): Promise<void> {
    if (this.#addresses.some((address) => this.#connectedTo(address))) return
    const [address] = pick(this.#addresses, 1, this.#init.rng)
    if (address !== undefined) await this.#dial(address, signal)
  }

  #connectedTo(address: Multiaddr): boolean {
    const peerId = peerIdOf(address) ?? this.#answered.get(address.toString())
    return peerId !== undefined && this.#init.isConnected(peerId)
  }

  async #dial(address: Multiaddr, signal: AbortSignal): Promise<void> {
    try {
      this.#answered.set(address.toString(), await this.#init.dial(address, within(DIAL_DEADLINE_MS, signal)))
    } catch (error) {
      this.#init.log.debug('a bootstrap peer did not answer', { error: nameOf(error) })
    }
  }

  async #connect(peer: PeerRecord, signal: AbortSignal): Promise<void> {
    try {
      await this.#init.connect(peer, within(DIAL_DEADLINE_MS, signal))
    } catch (error) {
      this.#init.log.debug('a cached peer did not answer', { error: nameOf(error) })
    }
  }
}

function pick<T>(from: readonly T[], count: number, rng: Rng): T[] {
  const rest = [...from]
  const picked: T[] = []
  while (picked.length < count && rest.length > 0) picked.push(...rest.splice(randomBelow(rng, rest.length), 1))
  return picked
}
