/**
 * Keeps places at relays while nobody can dial us: at two of different networks, chosen at random among those that the network
 * shows us. Nearness is no reason: whoever chose the relay nearest to somebody would tell it who that is. A place is lost with the
 * connection, and another is looked for at once.
 */
import { backoffMs, jitterMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { sleep } from '../../lib/clock.ts'
import { nameOf } from '../../lib/errors.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import { randomBelow } from '../../lib/rng.ts'
import type { Rng } from '../../lib/rng.ts'
import { diverse } from '../../protocol/replicas.ts'
import type { PeerRecord } from '../../wire/peer.ts'

/** Places that are kept: one may be lost without anybody losing us. */
export const RELAYS_KEPT = 2
/** Fewer than that are known: the network is walked first, so that the choice is one. */
const CHOICE_MIN = 6
const KNOWN_MAX = 256
const KNOWN_FOR_MS = 24 * 3_600_000
const TRIES_PER_ROUND = 4
const ROUND_MS = 60_000
const SHORT = { firstMs: 2_000, maxMs: 30_000, factor: 1.5 }
const REFUSED = { firstMs: 5_000, maxMs: 10 * 60_000, factor: 2 }
const DISCOVER_EVERY_MS = 30_000
/** While nobody carries to us. */
const DISCOVER_URGENTLY_EVERY_MS = 5_000

/** A relay that has a place for us. */
interface Place {
  readonly record: PeerRecord
  /** Where it is dialled: a multiaddr that ends with its id. */
  readonly address: string
  expiresAt: number
}

export interface RelayKeeperInit {
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  /** Whether relays should stand in different networks. */
  readonly diversity: boolean
  /** Walks through the network, so that more peers show themselves. */
  readonly discover: (signal: AbortSignal) => Promise<unknown>
  /** A place at the relay: where we dialled it, and until when. Throws where it has none. */
  readonly reserve: (relay: PeerRecord, signal: AbortSignal) => Promise<{ address: string; expiresAt: number }>
  /** Until when, now; `undefined` where the place is lost. */
  readonly expiresAt: (peerId: string) => number | undefined
  /** Places came or went. */
  readonly onChange: () => void
}

export class RelayKeeper implements Startable {
  readonly #init: RelayKeeperInit
  readonly #known: ExpiringMap<string, PeerRecord>
  readonly #knownIds = new Set<string>()
  readonly #places = new Map<string, Place>()
  readonly #refusals = new Map<string, { times: number; untilMs: number }>()
  #discoveredAtMs = 0
  #shortRounds = 0
  #stopped: AbortController | undefined
  #pause = new AbortController()
  #done: Promise<void> = Promise.resolve()

  constructor(init: RelayKeeperInit) {
    this.#init = init
    this.#known = new ExpiringMap(init.clock, KNOWN_FOR_MS, KNOWN_MAX)
  }

  get running(): boolean {
    return this.#stopped !== undefined
  }

  start(): void {
    if (this.#stopped !== undefined) return
    this.#stopped = new AbortController()
    this.#shortRounds = 0
    this.#done = this.#run(this.#stopped.signal)
  }

  async stop(): Promise<void> {
    this.#stopped?.abort()
    this.#stopped = undefined
    await this.#done
    if (this.#places.size > 0) {
      this.#places.clear()
      this.#init.onChange()
    }
  }

  places(): readonly Readonly<Place>[] {
    return [...this.#places.values()]
  }

  /** A connected peer carries for others. */
  met(relay: PeerRecord): void {
    if (relay.addresses.length === 0) return
    const isNew = this.#known.get(relay.id) === undefined
    this.#known.set(relay.id, relay)
    this.#knownIds.add(relay.id)
    if (this.#knownIds.size > 2 * KNOWN_MAX) this.#sweep()
    if (!isNew) return
    this.#refusals.delete(relay.id) // it may have been restarted
    if (this.#places.size < RELAYS_KEPT) this.#nudge()
  }

  /** It does so no longer, or never did. True where it had a place for us. */
  unmet(peerId: string): boolean {
    this.#known.delete(peerId)
    this.#knownIds.delete(peerId)
    return this.#drop(peerId)
  }

  /** The place at this relay is gone: others are tried before it. */
  lost(peerId: string): void {
    if (!this.#drop(peerId)) return
    this.#refuse(peerId)
  }

  /** Somebody is connected who may carry for others, and will say so in a moment. */
  arrived(): void {
    if (this.running && this.#places.size < RELAYS_KEPT) this.#nudge()
  }

  /** Looks now: the network may be another. */
  #nudge(): void {
    this.#shortRounds = 0
    this.#pause.abort()
  }

  async #run(stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      this.#pause = new AbortController()
      const wake = AbortSignal.any([stopped, this.#pause.signal])
      try {
        this.#check()
        if (this.#places.size < RELAYS_KEPT) await this.#fill(stopped)
      } catch (error) {
        if (!stopped.aborted) this.#init.log.debug('looking for relays failed', { error: nameOf(error) })
      }
      await sleep(this.#init.clock, this.#pauseMs(), wake).catch(() => {})
    }
  }

  #pauseMs(): number {
    if (this.#places.size < RELAYS_KEPT) return backoffMs(SHORT, this.#shortRounds++, this.#init.rng)
    this.#shortRounds = 0
    return jitterMs(ROUND_MS, 0.2, this.#init.rng)
  }

  /** Lets go of places that are no more. */
  #check(): void {
    for (const [peerId, place] of this.#places) {
      const expiresAt = this.#init.expiresAt(peerId)
      if (expiresAt !== undefined && expiresAt > this.#init.clock.now()) place.expiresAt = expiresAt
      else this.lost(peerId)
    }
  }

  #drop(peerId: string): boolean {
    if (!this.#places.delete(peerId)) return false
    this.#init.log.info('a relay is lost', { left: this.#places.size })
    this.#nudge()
    this.#init.onChange()
    return true
  }

  #refuse(peerId: string): void {
    const times = this.#refusals.get(peerId)?.times ?? 0
    const untilMs = this.#init.clock.now() + backoffMs(REFUSED, times, this.#init.rng)
    this.#refusals.set(peerId, { times: times + 1, untilMs })
  }

  async #fill(stopped: AbortSignal): Promise<void> {
    await this.#discover(stopped)
    const asked = new Set<string>()
    while (asked.size < TRIES_PER_ROUND && this.#places.size < RELAYS_KEPT && !stopped.aborted) {
      const relay = this.#choose(asked)
      if (relay === undefined) return
      asked.add(relay.id)
      await this.#reserve(relay, stopped)
    }
  }

  async #discover(stopped: AbortSignal): Promise<void> {
    const now = this.#init.clock.now()
    const everyMs = this.#places.size === 0 ? DISCOVER_URGENTLY_EVERY_MS : DISCOVER_EVERY_MS
    if (this.#able().length >= CHOICE_MIN || now - this.#discoveredAtMs < everyMs) return
    this.#discoveredAtMs = now
    await this.#init.discover(stopped).catch(() => {})
  }

  /** Any of those that stand apart from the relays we have; where none does, any at all. */
  #choose(asked: ReadonlySet<string>): PeerRecord | undefined {
    const able = this.#able().filter(({ id }) => !asked.has(id))
    const shuffled: PeerRecord[] = []
    while (able.length > 0) shuffled.push(...able.splice(randomBelow(this.#init.rng, able.length), 1))
    if (!this.#init.diversity) return shuffled[0]
    const kept = this.places().map(({ record }) => record)
    const apart = diverse([...kept, ...shuffled], kept.length + 1).find((record) => !kept.includes(record))
    return apart ?? shuffled[0]
  }

  #able(): PeerRecord[] {
    const now = this.#init.clock.now()
    return [...this.#knownIds]
      .map((id) => this.#known.get(id))
      .filter((record) => record !== undefined)
      .filter(({ id }) => !this.#places.has(id) && (this.#refusals.get(id)?.untilMs ?? 0) <= now)
  }

  async #reserve(relay: PeerRecord, stopped: AbortSignal): Promise<void> {
    const { log } = this.#init
    try {
      const { address, expiresAt } = await this.#init.reserve(relay, stopped)
      if (stopped.aborted) return
      this.#refusals.delete(relay.id)
      this.#places.set(relay.id, { record: relay, address, expiresAt })
      log.info('a relay carries connections to us', { relays: this.#places.size })
      this.#init.onChange()
    } catch (error) {
      this.#refuse(relay.id)
      log.debug('a relay has no place for us', { error: nameOf(error) })
    }
  }

  #sweep(): void {
    for (const id of this.#knownIds) if (this.#known.get(id) === undefined) this.#knownIds.delete(id)
    for (const id of this.#refusals.keys()) if (!this.#knownIds.has(id)) this.#refusals.delete(id)
  }
}
