/**
 * Joining and staying joined. While nobody is connected, everything that may lead back is tried side by side: bootstrap
 * addresses, peers out of invites, peers of earlier days. Again and again: all of them with growing pauses, and a few of them
 * every three seconds, so that a network that returns is noticed at once. Once joined, a look every minute keeps one
 * bootstrap peer among the connections, so that two halves of the network do not drift apart. Runs for ever.
 */
import { backoffMs, jitterMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { sleep } from '../../lib/clock.ts'
import { nameOf } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import { randomBelow } from '../../lib/rng.ts'
import type { Rng } from '../../lib/rng.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import { parseAddress, peerIdOf } from '../addresses.ts'
import { parsePeerId } from '../peer-id.ts'
import { DIAL_DEADLINE_MS } from '../protocols.ts'
import { within } from '../signals.ts'

/** Between rounds; a whole one is the first, and every {@link WHOLE_EVERY}th after the first few. */
const RETRY = { firstMs: 500, maxMs: 3_000, factor: 2 }
const WHOLE_FIRST = 5
const WHOLE_EVERY = 6
const JOINED_PAUSE_MS = 60_000
/** Somebody who lets us in and throws us out at once is not asked more often than that. */
const ROUND_MIN_MS = 500
/** Cached peers tried in one round: the best, and others at random, since the best may all have been in one place. */
const CACHED_BEST = 4
const CACHED_AT_RANDOM = 8
/** Of everything, in the rounds between the whole ones. */
const FEELERS = 3
/** One dial after the other within a round: many start at the same moment when the power is back. */
const STAGGER_MS = 40

export interface BootstrapInit {
  readonly entries: readonly string[]
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  /** Peers of earlier days, the best first. */
  readonly cached: () => readonly PeerRecord[]
  /** Peers that an invite named; the bootstrap peers of who was invited. */
  readonly invited: () => readonly PeerRecord[]
  readonly connections: () => number
  readonly isConnected: (peerId: string) => boolean
  /** Dials and gives the id of who answered. */
  readonly dial: (address: Multiaddr, signal: AbortSignal) => Promise<string>
  readonly connect: (peer: PeerRecord, signal: AbortSignal) => Promise<unknown>
}

/** The entries that can be dialled, with a warning for each that cannot (ID-08): lists in DNS (dnsaddr) are not read. */
export function readBootstrap(entries: readonly string[], log: Logger): readonly Multiaddr[] {
  const addresses: Multiaddr[] = []
  for (const [index, entry] of entries.entries()) {
    const address = parseAddress(entry.trim())
    const peerId = address === undefined ? undefined : peerIdOf(address)
    const parts = address?.getComponents().map(({ name }) => name) ?? []
    const dialable = parts.includes('tcp') && !parts.includes('dnsaddr')
    if (address === undefined || !dialable || (peerId !== undefined && parsePeerId(peerId) === undefined)) {
      log.warn('a bootstrap address is not valid and was skipped', { entry: index + 1 })
    } else {
      addresses.push(address)
    }
  }
  return addresses
}

/** A way in: one address of the list, or a peer with all of its own. */
interface Way {
  readonly name: string
  readonly go: (signal: AbortSignal) => Promise<unknown>
}

export class Bootstrap implements Startable {
  readonly #init: BootstrapInit
  readonly #addresses: readonly Multiaddr[]
  /** Who answered at an address that names nobody. */
  readonly #answered = new Map<string, string>()
  readonly #underWay = new Set<string>()
  #stopped = new AbortController()
  #pause = new AbortController()
  #attempt = 0
  #done: Promise<void> = Promise.resolve()

  constructor(init: BootstrapInit) {
    this.#init = init
    this.#addresses = readBootstrap(init.entries, init.log)
  }

  start(): void {
    this.#stopped = new AbortController()
    this.#attempt = 0
    this.#done = this.#run(this.#stopped.signal)
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#done
  }

  /** Nobody may be connected any more, or the network is back: look now. */
  nudge(): void {
    this.#attempt = 0
    this.#pause.abort()
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, rng, connections } = this.#init
    while (!signal.aborted) {
      this.#pause = new AbortController()
      const { signal: nudged } = this.#pause
      const begun = clock.now()
      const alone = connections() === 0
      this.#start(alone ? this.#waysIn() : this.#wayKept(), signal)
      const pauseMs = alone ? backoffMs(RETRY, this.#attempt++, rng) : jitterMs(JOINED_PAUSE_MS, 0.2, rng)
      await sleep(clock, pauseMs, AbortSignal.any([signal, nudged])).catch(() => {})
      const restMs = begun + ROUND_MIN_MS - clock.now()
      if (restMs > 0) await sleep(clock, Math.min(restMs, ROUND_MIN_MS), signal).catch(() => {})
    }
  }

  /** Bootstrap addresses, peers out of invites, some cached peers; or a few of them all. */
  #waysIn(): readonly Way[] {
    const { cached, invited, rng } = this.#init
    const known = cached()
    const listed = this.#addresses.map((address) => this.#toAddress(address))
    const toPeers = (peers: readonly PeerRecord[]): readonly Way[] => peers.map((peer) => this.#toPeer(peer))
    if (this.#attempt >= WHOLE_FIRST && this.#attempt % WHOLE_EVERY !== 0)
      return pick([...listed, ...toPeers(invited()), ...toPeers(known)], FEELERS, rng)
    const others = pick(known.slice(CACHED_BEST), CACHED_AT_RANDOM, rng)
    return [...listed, ...toPeers([...invited(), ...known.slice(0, CACHED_BEST), ...others])]
  }

  #wayKept(): readonly Way[] {
    this.#attempt = 0
    if (this.#addresses.some((address) => this.#connectedTo(address))) return []
    return pick(this.#addresses, 1, this.#init.rng).map((address) => this.#toAddress(address))
  }

  /** Side by side, a moment apart; one that a round before began is not begun again. */
  #start(ways: readonly Way[], signal: AbortSignal): void {
    let waitMs = 0
    for (const way of ways) {
      if (this.#underWay.has(way.name)) continue
      this.#underWay.add(way.name)
      void this.#try(way, waitMs, signal)
      waitMs += randomBelow(this.#init.rng, STAGGER_MS)
    }
  }

  async #try({ name, go }: Way, waitMs: number, signal: AbortSignal): Promise<void> {
    try {
      if (waitMs > 0) await sleep(this.#init.clock, waitMs, signal)
      await go(within(DIAL_DEADLINE_MS, signal))
      this.#joined()
    } catch (error) {
      if (!signal.aborted) this.#init.log.debug('a peer to join by did not answer', { error: nameOf(error) })
    } finally {
      this.#underWay.delete(name)
    }
  }

  /** The pause of those who are alone ends. */
  #joined(): void {
    if (this.#attempt > 0) this.#pause.abort()
  }

  #toAddress(address: Multiaddr): Way {
    const name = address.toString()
    const go = async (signal: AbortSignal): Promise<void> => {
      this.#answered.set(name, await this.#init.dial(address, signal))
    }
    return { name, go }
  }

  #toPeer(peer: PeerRecord): Way {
    return { name: peer.id, go: async (signal) => this.#init.connect(peer, signal) }
  }

  #connectedTo(address: Multiaddr): boolean {
    const peerId = peerIdOf(address) ?? this.#answered.get(address.toString())
    return peerId !== undefined && this.#init.isConnected(peerId)
  }
}

function pick<T>(from: readonly T[], count: number, rng: Rng): T[] {
  const rest = [...from]
  const picked: T[] = []
  while (picked.length < count && rest.length > 0) picked.push(...rest.splice(randomBelow(rng, rest.length), 1))
  return picked
}
