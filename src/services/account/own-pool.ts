/**
 * Keeps the pool of one-time prekeys full and its slices at their holders (protocol §2). Each prekey is given to one holder and
 * never to another: what a holder has lost, or may have, is out of the pool for good. Everything goes on beside the rest: prekeys
 * are made in small steps, and no session ever waits for them.
 */
import { backoffMs } from '../../lib/backoff.ts'
import { equal, toHex } from '../../lib/bytes.ts'
import { sleep } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { nameOf, StorageError } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import { randomBelow } from '../../lib/rng.ts'
import type { Rng } from '../../lib/rng.ts'
import { MINUTE_MS } from '../../lib/time.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import { prekeyCardKey } from '../../protocol/mailbox-rules.ts'
import { sliceOfPlace, sliceToken } from '../../protocol/prekey-pool.ts'
import type { PoolTree } from '../../protocol/prekey-pool.ts'
import type { Devices } from '../../store/devices.ts'
import { ONE_TIME_STATE, PREKEY_USE } from '../../store/prekeys.ts'
import type { OwnOneTimePrekey, OwnPool as PoolRecord, Prekeys, PrekeyUse } from '../../store/prekeys.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { SLICES } from '../../wire/prekey-slices.ts'
import type { PrekeySlice, ProvenPrekey, SliceReport } from '../../wire/prekey-slices.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'
import { bySlice, demoted, forgotten, freePlaces, goneOf, LastTree, overdue, planPool } from './pool-plan.ts'
import type { Look, PoolPlan, Standing } from './pool-plan.ts'
import { makeOne, proven, sliceOf } from './pool-parts.ts'
import type { SliceParts } from './pool-parts.ts'
import { poolStatus } from './pool-status.ts'
import type { PoolStatus } from './pool-status.ts'
import type { AccountChange, ChangeLog, SliceHolders, UnlockedAccount } from './ports.ts'
import { SliceKeepers } from './slice-keepers.ts'

/** After the start the network is given time: who is nearest now may not be in a moment. */
const SETTLE_MS = 3_000
/** Peers come in bursts, and each round reads the whole pool: no more than one a minute for their sake. */
const HURRY_MS = 60_000
/** Holders are asked what is left this often. */
const LOOK_MS = 30 * MINUTE_MS
/** Between the use of a prekey and the look that follows from it. */
const CONSUMED_MS = MINUTE_MS
const RETRY = { firstMs: 2_000, maxMs: 15 * MINUTE_MS, factor: 2 } as const
/** A holder that is away, or no longer near, for so long has lost its slice: a restart is no loss. */
const PATIENCE_MS = 2 * 60 * MINUTE_MS
/** Claims of spent prekeys that wait for the next round. */
const REUSED_MAX = 64
/** Prekeys made before others get their turn. */
const STEP = 2

export interface OwnPoolComponents {
  readonly account: Pick<UnlockedAccount, 'accountId' | 'deviceId' | 'signingSeeds' | 'identitySecret'>
  readonly store: { readonly prekeys: Prekeys; readonly devices: Pick<Devices, 'own' | 'put'> }
  readonly journal: ChangeLog
  readonly holders: SliceHolders
  readonly cards: { current(): { readonly card: PrekeyCard }; renew(): Promise<void> }
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}

type Written = Omit<AccountChange<undefined>, 'result'>

export class OwnPool implements Startable {
  readonly #c: OwnPoolComponents
  /** By slice: the root (hex) for which its holder is known to have it. */
  readonly #placed = new Map<number, string>()
  /** Slices that their holder has not taken yet, and since when (ms) it is asked to. */
  readonly #pending = new Map<number, number>()
  readonly #keepers: SliceKeepers
  readonly #absentSince = new Map<number, number>()
  readonly #reused = new Set<number>()
  readonly #trees: LastTree
  #abort = new AbortController()
  #cancelTimer: (() => void) | undefined
  /** When the next round is, ms. */
  #dueAt = Number.NEGATIVE_INFINITY
  /** When the last one began, ms. */
  #roundAt = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined
  #again = false
  #whole = false
  #attempt = 0

  constructor(components: OwnPoolComponents) {
    this.#c = components
    this.#keepers = new SliceKeepers(components.clock)
    this.#trees = new LastTree(components.crypto)
  }

  start(): void {
    this.#abort = new AbortController()
    this.#whole = false
    for (const known of [this.#placed, this.#pending, this.#absentSince]) known.clear()
    this.#schedule(SETTLE_MS)
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    this.#cancelTimer?.()
    await this.#running
  }

  /** Tries now what could not be done yet: peers have come. */
  hurry(): void {
    this.#attempt = 0
    if (this.#whole) return
    const sinceMs = Math.max(0, this.#c.clock.now() - this.#roundAt)
    this.#soon(Math.max(SETTLE_MS, HURRY_MS - sinceMs))
  }

  /** A prekey was used, or the card is another one: there is something to look after. */
  changed(): void {
    if (this.#running !== undefined) this.#again = true
    else this.#soon(this.#whole ? CONSUMED_MS : SETTLE_MS)
  }

  /**
   * A message claims a one-time prekey that was used before: its holder has given it out twice (PK-06), or somebody makes it
   * up. Noted with the next round, since it is told in the middle of a change.
   */
  reused(id: number): void {
    if (this.#reused.size < REUSED_MAX) this.#reused.add(id)
    this.changed()
  }

  /** Resolves when the round under way, if any, is over. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async status(): Promise<PoolStatus> {
    const { prekeys } = this.#c.store
    return poolStatus(prekeys, this.#c.cards.current().card.body.number, (slice) => this.#placed.has(slice))
  }

  // --- when

  /** Within this time, and no later for being asked again. */
  #soon(delayMs: number): void {
    if (this.#running === undefined && this.#dueAt > this.#c.clock.now() + delayMs) this.#schedule(delayMs)
  }

  #schedule(delayMs: number): void {
    this.#cancelTimer?.()
    if (this.#abort.signal.aborted) return
    this.#dueAt = this.#c.clock.now() + delayMs
    this.#cancelTimer = this.#c.clock.after(delayMs, () => {
      if (this.#running === undefined) this.#running = this.#round()
    })
  }

  async #round(): Promise<void> {
    this.#again = false
    this.#roundAt = this.#c.clock.now()
    try {
      this.#whole = await this.#work()
    } catch (error) {
      this.#whole = false
      if (!this.#abort.signal.aborted) {
        this.#c.log.warn('the one-time prekeys could not be looked after', { error: nameOf(error) })
      }
    }
    this.#running = undefined
    const jittered = LOOK_MS * 0.8 + randomBelow(this.#c.rng, LOOK_MS * 0.4)
    const nextMs = this.#whole ? (this.#again ? CONSUMED_MS : jittered) : backoffMs(RETRY, this.#attempt, this.#c.rng)
    this.#attempt = this.#whole ? 0 : this.#attempt + 1
    this.#schedule(nextMs)
  }

  // --- what

  /** Whether every slice is where it should be. */
  async #work(): Promise<boolean> {
    await this.#noteReused()
    const { signal } = this.#abort
    const { crypto, account, holders } = this.#c
    const card = prekeyCardKey(crypto, account.accountId, account.deviceId)
    const bad = demoted(await this.#c.store.prekeys.uses.list(), this.#c.clock.now())
    const keepers = (await holders.keepers(card, signal)).filter(({ id }) => !bad.has(id))
    if (keepers.length === 0) return false
    const standing = await this.#learn(card, keepers, bad)
    const filled = await this.#fill(keepers, standing)
    return this.#place(card, keepers, filled ? await this.#standing() : standing)
  }

  async #standing(): Promise<Standing> {
    const { prekeys } = this.#c.store
    return { ...(await prekeys.pool()), slices: bySlice(await prekeys.oneTime.list()) }
  }

  async #noteReused(): Promise<void> {
    const ids = [...this.#reused]
    if (ids.length === 0) return
    await this.#change(async () => {
      const { uses } = this.#c.store.prekeys
      const now = this.#c.clock.now()
      const known = await Promise.all(ids.map(async (id) => uses.get(id)))
      const repeated = known.filter((use) => use?.kind === PREKEY_USE.oneTime) as readonly PrekeyUse[]
      return {
        ops: repeated.flatMap((use) => uses.put({ ...use, uses: use.uses + 1, lastAt: now })),
        facts: repeated.map(({ holder }) => ({ type: 'prekeys:reused', data: { holder } })),
      }
    })
    for (const id of ids) this.#reused.delete(id)
  }

  /** Asks every holder what is left, and takes out of the pool what is gone. What there is then. */
  async #learn(card: Uint8Array, keepers: readonly PeerRecord[], bad: ReadonlySet<string>): Promise<Standing> {
    const { holders } = await this.#c.store.prekeys.pool()
    const looks = await Promise.all(
      holders.map(async (holder, slice) => {
        if (holder === '') return undefined
        const peer = keepers.find(({ id }) => id === holder)
        const token = sliceToken(this.#c.crypto, this.#c.account.identitySecret, holder)
        const report = peer && (await this.#c.holders.ask(peer, card, token, this.#abort.signal))
        this.#abort.signal.throwIfAborted()
        return { slice, report, lost: bad.has(holder) || this.#isLost(slice, holder, report) }
      }),
    )
    return this.#c.journal.commit(() => this.#taken(looks.filter((look) => look !== undefined)))
  }

  #isLost(slice: number, holder: string, report: SliceReport | 'none' | undefined): boolean {
    const now = this.#c.clock.now()
    if (report === undefined) {
      const since = this.#absentSince.get(slice) ?? now
      this.#absentSince.set(slice, since)
      this.#placed.delete(slice)
      return Math.abs(now - since) >= PATIENCE_MS
    }
    this.#absentSince.delete(slice)
    if (report !== 'none') return report.number > this.#c.cards.current().card.body.number
    this.#placed.delete(slice)
    const since = this.#pending.get(slice)
    if (since !== undefined && Math.abs(now - since) < PATIENCE_MS) return false
    this.#keepers.lost(holder, since !== undefined)
    return true
  }

  /** What the holders' answers change: prekeys that were given out, slices that are lost. */
  async #taken(looks: readonly Look[]): Promise<AccountChange<Standing>> {
    const { prekeys } = this.#c.store
    const now = this.#c.clock.now()
    const root = this.#c.cards.current().card.body.pool.root
    const all = await prekeys.oneTime.list()
    const slices = bySlice(all)
    const out: OwnOneTimePrekey[] = []
    for (const { slice, report, lost } of looks) {
      const records = slices[slice] ?? []
      if (lost) out.push(...records)
      else if (report !== undefined && report !== 'none' && equal(report.root, root)) {
        this.#placed.set(slice, toHex(root))
        this.#pending.delete(slice)
        out.push(...goneOf(records, report))
      }
    }
    const lost = new Set(looks.filter((look) => look.lost).map(({ slice }) => slice))
    for (const slice of lost) this.#forget(slice)
    const retired = out.map((record) => ({ ...record, state: ONE_TIME_STATE.out, retiredAt: now }))
    const before = await prekeys.pool()
    const pool = { ...before, holders: before.holders.map((holder, slice) => (lost.has(slice) ? '' : holder)) }
    const gone = new Set(out)
    return {
      ops: [
        ...retired.flatMap((record) => prekeys.oneTime.put(record)),
        ...(lost.size === 0 ? [] : prekeys.putPool(pool)),
        ...overdue(all, retired.length, now).flatMap(({ id }) => prekeys.oneTime.delete(id)),
        ...forgotten(await prekeys.uses.list(), now).flatMap(({ id }) => prekeys.uses.delete(id)),
      ],
      facts: out.length === 0 ? [] : [{ type: 'prekeys:served', data: { count: out.length, lostSlices: lost.size } }],
      result: { ...pool, slices: slices.map((records) => records.filter((record) => !gone.has(record))) },
    }
  }

  #forget(slice: number): void {
    this.#placed.delete(slice)
    this.#pending.delete(slice)
    this.#absentSince.delete(slice)
  }

  /** Makes what the plan asks for, and the card that has it. Whether anything is not as it was. */
  async #fill(keepers: readonly PeerRecord[], { holders, leaves, slices }: Standing): Promise<boolean> {
    const plan = planPool(
      { holders, left: slices.map(({ length }) => length) },
      keepers.map(({ id }) => id).filter((id) => !this.#keepers.isUnwilling(id)),
    )
    const count = plan.add.reduce((sum, each) => sum + each, 0)
    if (count > 0) await this.#make(plan, slices, count)
    // One that lies somewhere already is not pending: should its holder lose it, nobody knows what was given out.
    for (const [slice, holder] of holders.entries()) {
      if (holder === '' && plan.holders[slice] !== '') this.#pending.set(slice, this.#c.clock.now())
    }
    const renewed = count > 0 || !this.#cardFits(leaves)
    if (renewed) await this.#c.cards.renew()
    return renewed
  }

  #cardFits(leaves: PoolRecord['leaves']): boolean {
    const { pool } = this.#c.cards.current().card.body
    return equal(this.#trees.over(leaves).root, pool.root)
  }

  async #make(plan: PoolPlan, slices: readonly (readonly OwnOneTimePrekey[])[], count: number): Promise<void> {
    const first = await this.#reserve(count)
    const places = plan.add.flatMap((add, slice) => freePlaces(slice, slices[slice] ?? []).slice(0, add))
    const made: OwnOneTimePrekey[] = []
    for (let at = 0; at < places.length; at += STEP) {
      for (const [i, place] of places.slice(at, at + STEP).entries())
        made.push(makeOne(this.#c, { id: first + at + i, place, holder: plan.holders[sliceOfPlace(place)] ?? '' }))
      await this.#pause()
    }
    await this.#change(async () => {
      const { prekeys } = this.#c.store
      const ops = made.flatMap((record) => prekeys.oneTime.put(record))
      ops.push(...prekeys.putPool({ ...(await prekeys.pool()), holders: plan.holders }))
      return { ops, facts: [{ type: 'prekeys:generated', data: { count } }] }
    })
  }

  /** So many ids that no prekey has or had: on disk before one of them is used. */
  async #reserve(count: number): Promise<number> {
    return this.#c.journal.commit(async () => {
      const device = await this.#c.store.devices.own()
      if (device === undefined) throw new StorageError('the device is not in the store')
      const { nextPrekeyId } = device
      const ops = this.#c.store.devices.put({ ...device, nextPrekeyId: nextPrekeyId + count })
      return { ops, facts: [], result: nextPrekeyId }
    })
  }

  /** Brings every slice that its holder does not have as the card says it. Whether all are there. */
  async #place(
    card: Uint8Array,
    keepers: readonly PeerRecord[],
    { holders, leaves, slices }: Standing,
  ): Promise<boolean> {
    const current = this.#c.cards.current().card
    const tree = this.#trees.over(leaves)
    // Made anew meanwhile, with another pool: the next round has it.
    if (!equal(tree.root, current.body.pool.root)) return false
    let whole = true
    for (const [slice, holder] of holders.entries()) {
      const due = holder !== '' && this.#placed.get(slice) !== toHex(tree.root)
      const peer = keepers.find(({ id }) => id === holder)
      const records = (slices[slice] ?? []).filter(({ state }) => state === ONE_TIME_STATE.published)
      if (!due || records.length === 0) continue
      const parts = { card, number: current.body.number, slice, tree }
      const stored =
        peer !== undefined && (await this.#put(peer, current, await this.#sliceFor(peer.id, parts, records)))
      if (stored) this.#noteStored(slice, holder, tree)
      whole &&= stored
    }
    const wanted = Math.min(SLICES, keepers.length)
    return whole && holders.filter((holder) => holder !== '').length >= wanted
  }

  #noteStored(slice: number, holder: string, tree: PoolTree): void {
    this.#keepers.signed(holder)
    this.#placed.set(slice, toHex(tree.root))
    this.#pending.delete(slice)
    this.#absentSince.delete(slice)
  }

  async #put(peer: PeerRecord, card: PrekeyCard, slice: PrekeySlice): Promise<boolean> {
    const result = await this.#c.holders.put(peer, card, slice, this.#abort.signal)
    this.#abort.signal.throwIfAborted()
    // It will not take it later either: the next round gives up.
    if (result === 'refused' && this.#pending.has(slice.body.slice)) {
      this.#pending.set(slice.body.slice, Number.NEGATIVE_INFINITY)
    }
    if (result !== 'stored') this.#c.log.debug('a slice of prekeys was not taken', { result })
    return result === 'stored'
  }

  async #sliceFor(holder: string, parts: SliceParts, records: readonly OwnOneTimePrekey[]): Promise<PrekeySlice> {
    const prekeys: ProvenPrekey[] = []
    for (const record of records) {
      prekeys.push(proven(this.#c.crypto, parts.tree, record))
      if (prekeys.length % STEP === 0) await this.#pause()
    }
    return sliceOf(this.#c, holder, parts, prekeys)
  }

  /** Lets others have their turn. Rejects once the pool stops. */
  async #pause(): Promise<void> {
    await sleep(this.#c.clock, 0, this.#abort.signal)
  }

  async #change(build: () => Promise<Written> | Written): Promise<void> {
    await this.#c.journal.commit(async () => ({ ...(await build()), result: undefined }))
  }
}
