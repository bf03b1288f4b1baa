/**
 * Keeps places at relays while nobody can dial us: at two of different networks, chosen at random among those that the network
 * shows us. Nearness is no reason: whoever chose the relay nearest to somebody would tell it who that is. A place is lost with the
 * connection, and another is looked for at once; one that stands is tried from time to time, and not kept for ever.
 */
import { backoffMs, jitterMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { sleep } from '../../lib/clock.ts'
import { NetworkError, nameOf } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import { HOUR_MS } from '../../lib/time.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { KnownRelays } from './known-relays.ts'

/** Places that are kept: one may be lost without anybody losing us. */
export const RELAYS_KEPT = 2
/** Fewer than that are known: the network is walked first, so that the choice is one. */
const CHOICE_MIN = 6
const TRIES_PER_ROUND = 4
const ROUND_MS = 60_000
const SHORT = { firstMs: 2_000, maxMs: 30_000, factor: 1.5 }
const DISCOVER_EVERY_MS = 30_000
/** While nobody carries to us. */
const DISCOVER_URGENTLY_EVERY_MS = 5_000
/** A place that stood for so long was a good one: its end is not held against the relay. */
const STEADY_MS = 10 * 60_000
const TRIAL_EVERY_MS = 30 * 60_000
/** Trials in vain, a round apart, after which a place is given up. */
const TRIALS_MAX = 2
/** A relay that takes us in and lets nobody through, without our noticing, does so for 12 to 24 hours. */
const TERM_MS = 18 * HOUR_MS
/** Between two changes that nobody forced: contacts are to hear of the first before the second. */
const CHANGE_EVERY_MS = HOUR_MS

/** A relay that has a place for us. */
interface Place {
  readonly record: PeerRecord
  /** Where it is dialled: a multiaddr that ends with its id. */
  readonly address: string
  readonly sinceMs: number
  readonly untilMs: number
  expiresAt: number
  trialAtMs: number
  failures: number
}

export interface RelayKeeperInit {
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  /** Whether relays should stand in different networks. */
  readonly diversity: boolean
  /** Walks through the network, so that more peers show themselves. */
  readonly discover: (signal: AbortSignal) => Promise<unknown>
  /** A place at the relay: where we dialled it, and until when. Throws where it has none, or does not carry to us. */
  readonly reserve: (relay: PeerRecord, signal: AbortSignal) => Promise<{ address: string; expiresAt: number }>
  /** Whether the relay, dialled there, carries to us. */
  readonly carries: (address: string, signal: AbortSignal) => Promise<boolean>
  /** Until when, now; `undefined` where the place is lost. */
  readonly expiresAt: (peerId: string) => number | undefined
  /** The place is not ours any more; what runs over it may go on. */
  readonly release: (peerId: string) => void
  /** Places came or went. */
  readonly onChange: () => void
}

export class RelayKeeper implements Startable {
  readonly #init: RelayKeeperInit
  readonly #known: KnownRelays
  readonly #places = new Map<string, Place>()
  #discoveredAtMs = 0
  #changedAtMs = 0
  #shortRounds = 0
  #stopped: AbortController | undefined
  #pause = new AbortController()
  #done: Promise<void> = Promise.resolve()

  constructor(init: RelayKeeperInit) {
    this.#init = init
    this.#known = new KnownRelays(init)
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
    if (this.#places.size === 0) return
    for (const peerId of this.#places.keys()) this.#init.release(peerId)
    this.#places.clear()
    this.#init.onChange()
  }

  places(): readonly Readonly<Place>[] {
    return [...this.#places.values()]
  }

  /** A connected peer carries for others. */
  met(relay: PeerRecord): void {
    if (this.#known.met(relay) && this.#places.size < RELAYS_KEPT) this.#nudge()
  }

  /** It does so no longer, or never did. */
  unmet(peerId: string): void {
    this.#known.forget(peerId)
    this.lost(peerId)
  }

  /** The place at this relay is gone: others are tried before it. */
  lost(peerId: string): void {
    const place = this.#places.get(peerId)
    if (place === undefined) return
    if (this.#init.clock.now() - place.sinceMs >= STEADY_MS) this.#known.forgive(peerId)
    this.#known.refused(peerId)
    this.#nudge()
    this.#drop(peerId)
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
        await this.#try(stopped)
        if (this.#places.size < RELAYS_KEPT) await this.#fill(stopped)
        else await this.#change(stopped)
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

  /** Sees whether the relays still carry to us; once in vain may be a full relay. */
  async #try(stopped: AbortSignal): Promise<void> {
    const { clock, rng, carries } = this.#init
    for (const [peerId, place] of this.#places) {
      if (place.trialAtMs > clock.now()) continue
      const carried = await carries(place.address, stopped).catch(() => false)
      if (stopped.aborted) return
      place.failures = carried ? 0 : place.failures + 1
      if (carried) place.trialAtMs = clock.now() + jitterMs(TRIAL_EVERY_MS, 0.2, rng)
      else if (place.failures >= TRIALS_MAX && this.#places.get(peerId) === place) this.lost(peerId)
    }
  }

  async #fill(stopped: AbortSignal): Promise<void> {
    await this.#discover(stopped)
    const asked = new Set<string>()
    while (asked.size < TRIES_PER_ROUND && this.#places.size < RELAYS_KEPT && !stopped.aborted) {
      const relay = this.#known.choose(this.#kept(), this.#besides(asked))
      if (relay === undefined) return
      asked.add(relay.id)
      await this.#reserve(relay, stopped)
    }
  }

  /** Exchanges a place whose term is over for one elsewhere, if there is one. */
  async #change(stopped: AbortSignal): Promise<void> {
    const now = this.#init.clock.now()
    const old = this.places().find(({ untilMs }) => untilMs <= now)
    if (old === undefined || now - this.#changedAtMs < CHANGE_EVERY_MS) return
    this.#changedAtMs = now
    await this.#discover(stopped)
    const kept = this.#kept().filter((relay) => relay !== old.record)
    const relay = this.#known.choose(kept, this.#besides(), old.record)
    if (relay !== undefined && (await this.#reserve(relay, stopped))) this.#drop(old.record.id)
  }

  async #discover(stopped: AbortSignal): Promise<void> {
    const now = this.#init.clock.now()
    const everyMs = this.#places.size === 0 ? DISCOVER_URGENTLY_EVERY_MS : DISCOVER_EVERY_MS
    const able = this.#known.able(this.#besides())
    if (able.length >= CHOICE_MIN || now - this.#discoveredAtMs < everyMs) return
    this.#discoveredAtMs = now
    await this.#init.discover(stopped).catch(() => {})
  }

  #kept(): readonly PeerRecord[] {
    return this.places().map(({ record }) => record)
  }

  #besides(asked: Iterable<string> = []): ReadonlySet<string> {
    return new Set([...asked, ...this.#places.keys()])
  }

  async #reserve(relay: PeerRecord, stopped: AbortSignal): Promise<boolean> {
    const { log, clock, rng } = this.#init
    try {
      const { address, expiresAt } = await this.#init.reserve(relay, stopped)
      if (stopped.aborted) {
        this.#init.release(relay.id)
        return false
      }
      if (this.#init.expiresAt(relay.id) === undefined) throw new NetworkError('the place was lost during its trial')
      const sinceMs = clock.now()
      const untilMs = sinceMs + jitterMs(TERM_MS, 1 / 3, rng)
      const trialAtMs = sinceMs + jitterMs(TRIAL_EVERY_MS, 0.2, rng)
      this.#places.set(relay.id, { record: relay, address, sinceMs, untilMs, expiresAt, trialAtMs, failures: 0 })
    } catch (error) {
      if (!stopped.aborted) this.#known.refused(relay.id)
      log.debug('a relay has no place for us', { error: nameOf(error) })
      return false
    }
    log.info('a relay carries connections to us', { relays: this.#places.size })
    this.#init.onChange()
    return true
  }

  #drop(peerId: string): void {
    this.#places.delete(peerId)
    this.#init.release(peerId)
    this.#init.log.info('a relay is lost or left', { left: this.#places.size })
    this.#init.onChange()
  }
}
