/** When repair runs, and in which order its steps go. The rules are in README.md beside this file. */
import { sleep, withDeadline } from '../../lib/clock.ts'
import { nameOf } from '../../lib/errors.ts'
import { toHex } from '../../lib/bytes.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import { HOLDER_VERB } from '../../wire/holder.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { ZONE_CANDIDATES } from '../../protocol/replicas.ts'
import { Ages } from './ages.ts'
import { askProofs, checkClaims } from './audit.ts'
import { dropOldest, eachBounded } from '../../lib/bounded.ts'
import { Budget } from './budget.ts'
import { repairCards } from './cards.ts'
import { compareBoxes } from './compare.ts'
import { copyMissing, isSpare } from './copy.ts'
import { Neighbours } from './neighbours.ts'
import type { RepairCounters, RepairDeps } from './ports.ts'
import { SignedCopies } from './signed-copies.ts'
import { membersOf, RECORDS_AT_ONCE } from './round.ts'
import type { Round } from './round.ts'
import { Surveyor } from './survey.ts'
import type { Box } from './survey.ts'
import { refresh, zoneAt } from './zones.ts'

/** A peer that was not seen for so many intervals starts anew. */
const GAP_INTERVALS = 2.5
const FIRST_WITHIN_MS = 2 * 60_000
const DEBOUNCE_MS = 15 * 60_000
/** A round that takes longer is broken off: the next one begins with fresh answers. */
const ROUND_LEAST_MS = 60_000
const LEAVE_MS = 30_000
const FAREWELL_MS = 1_500
/** Times that a round looks for others in the place of peers that did not answer. */
const PASSES_MAX = 3
/** Peers that said that they go. */
const LEFT_MAX = 1_024
/** Peers that we count on: they are told when we go, and missed when they do. */
const NEIGHBOURS_MAX = 1_024
/** Zones that are remembered, to know whom a vanished peer concerns. */
const REMEMBERED_ZONES_MAX = 8_192
const SPARE_MAX = 65_536
/** Zones drawn from the table in one go: about 10 ms. */
const ZONES_AT_ONCE = 64

export class Repairer implements Startable {
  readonly #deps: RepairDeps
  readonly #ages: Ages
  readonly #surveyor: Surveyor
  readonly #budget: Budget
  readonly #signed: SignedCopies
  readonly #left: ExpiringMap<string, true>
  readonly #counters: RepairCounters = {
    rounds: 0,
    audited: 0,
    copies: 0,
    copiedBytes: 0,
    tombstones: 0,
    failures: 0,
  }
  /** Who was in the zones of what we hold, by key (hex). */
  readonly #zones = new Map<string, ReadonlySet<string>>()
  /** Letters (id in hex) that lie here outside their zone, and that four of it have. */
  readonly #spare = new Map<string, Uint8Array>()
  readonly #vanished = new Set<string>()
  #neighbours = new Map<string, PeerRecord>()
  #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #cancelNext: (() => void) | undefined
  #cancelSoon: (() => void) | undefined
  #unwatch: (() => void) | undefined

  constructor(deps: RepairDeps) {
    this.#deps = deps
    this.#ages = new Ages(deps.clock, deps.profile.repairIntervalMs * GAP_INTERVALS)
    this.#surveyor = new Surveyor(deps)
    this.#budget = new Budget(deps.clock)
    this.#signed = new SignedCopies(deps.clock)
    this.#left = new ExpiringMap(deps.clock, deps.profile.repairIntervalMs, LEFT_MAX)
  }

  /** What was done since the process began. */
  get counters(): Readonly<RepairCounters> {
    return { ...this.#counters }
  }

  async start(): Promise<void> {
    this.#stopping = new AbortController()
    await this.#restoreAges()
    this.#unwatch = this.#deps.network.onPeerChange((peerId, connected) => {
      this.#ages.connected(peerId, connected)
      if (connected) this.#left.delete(peerId)
      else this.#missing(peerId)
    })
    const latestMs = Math.min(FIRST_WITHIN_MS, this.#deps.profile.repairIntervalMs / 2)
    this.#schedule(latestMs * this.#between(0.1, 1))
  }

  async stop(): Promise<void> {
    this.#unwatch?.()
    this.#unwatch = undefined
    this.#cancelNext?.()
    this.#cancelSoon?.()
    this.#cancelNext = this.#cancelSoon = undefined
    this.#stopping.abort()
    await this.#running
    await this.#saveAges()
  }

  /** Says good-bye to the neighbours and hands over what too few of them have; at most half a minute. Then {@link stop}. */
  async leave(): Promise<void> {
    if (this.#unwatch === undefined) return
    await this.stop()
    try {
      await withDeadline(this.#deps.clock, LEAVE_MS, async (signal) => {
        await this.#farewell(signal)
        await this.#round(signal, { leaving: true, wanted: undefined })
      })
    } catch (error) {
      this.#deps.log.debug('not everything was handed over', { error: nameOf(error) })
    }
  }

  /** The peer said that it stops holding. */
  peerLeaves(peerId: string): void {
    this.#left.set(peerId, true)
    this.#deps.routing.evict(peerId)
    this.#missing(peerId)
  }

  /** Resolves when no round is under way. */
  async idle(): Promise<void> {
    await this.#running
  }

  /** Runs a whole round now, after the one that is under way. Never throws. */
  async runRound(): Promise<void> {
    await this.#enqueue(undefined)
  }

  // --- when

  #between(low: number, high: number): number {
    const [a = 0, b = 0] = this.#deps.rng.bytes(2)
    return low + ((a * 256 + b) / 65_536) * (high - low)
  }

  #schedule(delayMs: number): void {
    this.#cancelNext?.()
    this.#cancelNext = this.#deps.clock.after(delayMs, () => {
      this.#cancelNext = undefined
      void this.#fullRound()
    })
  }

  async #fullRound(): Promise<void> {
    const { clock, profile } = this.#deps
    const began = clock.now()
    const more = await this.#enqueue(undefined)
    if (this.#stopping.signal.aborted) return
    const quarter = profile.repairIntervalMs / 4
    const wanted = more ? quarter : profile.repairIntervalMs * this.#between(0.8, 1.2)
    this.#schedule(Math.max(quarter, wanted - (clock.now() - began)))
  }

  /** A peer that we count on is gone: after a while, since most come back, those are looked after whom it concerned. */
  #missing(peerId: string): void {
    if (this.#stopping.signal.aborted || !this.#neighbours.has(peerId)) return
    this.#vanished.add(peerId)
    const debounceMs = Math.min(DEBOUNCE_MS, this.#deps.profile.repairIntervalMs / 4)
    // Everyone around it notices at once: they must not all make the same copies at once.
    this.#cancelSoon ??= this.#deps.clock.after(debounceMs * this.#between(1, 4 / 3), () => {
      this.#cancelSoon = undefined
      const gone = [...this.#vanished].filter((id) => this.#left.get(id) === true || !this.#ages.isConnected(id))
      this.#vanished.clear()
      if (gone.length > 0) void this.#enqueue((name) => this.#concerns(name, gone))
    })
  }

  #concerns(name: string, gone: readonly string[]): boolean {
    const members = this.#zones.get(name)
    return members === undefined || gone.some((peerId) => members.has(peerId))
  }

  /** One round after another. Answers whether something was left for the next. */
  async #enqueue(wanted: ((name: string) => boolean) | undefined): Promise<boolean> {
    let more = false
    const { signal } = this.#stopping
    this.#running = this.#running.then(async () => {
      if (!signal.aborted) more = await this.#attempt(signal, wanted)
    })
    await this.#running
    return more
  }

  /** A disk or a network that fails puts the round off, nothing else. */
  async #attempt(signal: AbortSignal, wanted: ((name: string) => boolean) | undefined): Promise<boolean> {
    const { clock, profile, log } = this.#deps
    try {
      const limitMs = Math.max(profile.repairIntervalMs, ROUND_LEAST_MS)
      return await withDeadline(
        clock,
        limitMs,
        async (inTime) => this.#round(inTime, { leaving: false, wanted }),
        signal,
      )
    } catch (error) {
      if (signal.aborted) return false
      this.#counters.failures++
      log.warn('a round of repair was broken off', { error: nameOf(error) })
      return false
    }
  }

  // --- what

  async #round(
    signal: AbortSignal,
    { leaving, wanted }: { readonly leaving: boolean; readonly wanted: ((name: string) => boolean) | undefined },
  ): Promise<boolean> {
    const survey = await this.#surveyor.next(wanted)
    const shared = { deps: this.#deps, ages: this.#ages, counters: this.#counters, signed: this.#signed, signal }
    const neighbours = new Neighbours({ ...shared, patient: !leaving })
    const round: Round = { ...shared, budget: this.#budget, neighbours, survey, lots: new Map(), leaving }
    if (survey.boxes.length > 0) await this.#work(round)
    if (wanted === undefined && !leaving) await this.#saveAges()
    this.#counters.rounds++
    return survey.more
  }

  async #work(round: Round): Promise<void> {
    if (!round.leaving) await refresh(this.#deps, round.signal)
    for (let pass = 0; pass < PASSES_MAX; pass++) {
      if (!(await this.#drawZones(round))) break
      if (!round.leaving)
        await compareBoxes(round, (box, peerId) => box.places.some((place) => !place.asked.has(peerId)))
      await askProofs(round, (item, peerId) => !item.place.asked.has(peerId))
      for (const { places } of round.survey.boxes)
        for (const { zone, asked } of places) for (const { id } of zone.members) asked.add(id)
    }
    this.#remember(round.survey.boxes)
    await checkClaims(round)
    await copyMissing(round)
    if (round.leaving) return
    this.#markSpare(round)
    await repairCards(round)
  }

  /** Draws the zones that are not drawn yet, or have someone in them who failed. Whether there was one. */
  async #drawZones(round: Round): Promise<boolean> {
    const isGone = (peerId: string): boolean => this.#left.get(peerId) === true
    let drawn = false
    let count = 0
    await eachBounded(round.survey.boxes, RECORDS_AT_ONCE, async ({ places }) => {
      for (const place of places) {
        // The table answers at once: others are to have their turn in between.
        if (++count % ZONES_AT_ONCE === 0) await sleep(this.#deps.clock, 0, round.signal)
        const { members } = place.zone
        if (members.length > 0 && !members.some(({ id }) => round.neighbours.isOut(id))) continue
        if (members.length === 0 && place.asked.size > 0) continue
        place.zone = await zoneAt(this.#deps, place.address, place.rung, isGone, round.signal)
        drawn = true
      }
    })
    return drawn
  }

  #remember(boxes: readonly Box[]): void {
    for (const { name, places } of boxes) {
      const members = membersOf(places)
      this.#zones.delete(name)
      this.#zones.set(name, new Set(members.map(({ id }) => id)))
      for (const peer of members) this.#neighbours.set(peer.id, peer)
    }
    dropOldest(this.#zones, REMEMBERED_ZONES_MAX)
    dropOldest(this.#neighbours, NEIGHBOURS_MAX)
  }

  #markSpare(round: Round): void {
    for (const item of round.survey.items) {
      const name = toHex(item.id)
      if (isSpare(round, item) && this.#spare.size < SPARE_MAX) this.#spare.set(name, item.id)
      else this.#spare.delete(name)
    }
    this.#deps.held.markSpare([...this.#spare.values()])
  }

  async #farewell(signal: AbortSignal): Promise<void> {
    const { clock, network, routing, peers } = this.#deps
    const position = peers.position(routing.self().id)
    const near = position === undefined ? [] : routing.known(position, ZONE_CANDIDATES)
    const told = new Map([...this.#neighbours.values(), ...near].map((peer) => [peer.id, peer]))
    await eachBounded(told.values(), told.size, async (peer) => {
      try {
        const tell = async (inTime: AbortSignal): Promise<void> => {
          await (await network.link(peer, inTime)).request({ kind: HOLDER_VERB.leaving, body: {} }, inTime)
        }
        await withDeadline(clock, FAREWELL_MS, tell, signal)
      } catch {
        routing.evict(peer.id) // no time to look again
      }
    })
  }

  // --- ages

  async #restoreAges(): Promise<void> {
    try {
      this.#ages.restore((await this.#deps.ages?.load()) ?? [])
    } catch (error) {
      this.#deps.log.warn('who was seen before could not be read', { error: nameOf(error) })
    }
  }

  async #saveAges(): Promise<void> {
    try {
      await this.#deps.ages?.save(this.#ages.list())
    } catch (error) {
      this.#deps.log.warn('who was seen could not be written', { error: nameOf(error) })
    }
  }
}
