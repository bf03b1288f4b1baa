/**
 * When mailboxes are read: at start, every so often, when the network is back, at those that did not answer again after a
 * minute, at a holder that comes, and at once when one pushes.
 */
import type { Startable } from '../../lib/lifecycle.ts'
import { nameOf } from '../../lib/errors.ts'
import { toHex } from '../../lib/bytes.ts'
import { randomBelow } from '../../lib/rng.ts'
import { jitterMs } from '../../lib/backoff.ts'
import { REPLICAS } from '../../protocol/replicas.ts'
import type { EpochKey } from '../../protocol/mailbox-rules.ts'
import type { Rung } from '../../wire/letter.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { isNetworkFault } from './ask.ts'
import type { Cards } from './cards.ts'
import type { Collector, SweepReport } from './collect.ts'
import type { MailDeps } from './deps.ts'
import type { OwnKeys } from './own-keys.ts'
import type { OwnerSessions } from './sessions.ts'
import type { Zones } from './zones.ts'

const INCOMPLETE_RETRY_MS = 60_000
/** A letter that cannot be read yet (its writer has just changed keys, say) is tried once more after this long. */
const KEPT_RETRY_MS = 30_000
/** Ten minutes at most. */
const RENEW_MS = 8.5 * 60_000
/** Peers come in flocks: one look at them serves them all. */
const PEER_DEBOUNCE_MS = 2_000
/** Daemons that start at the same moment (the power is back) do not all ask at the same moment. */
const FIRST_SWEEP_MS = 500
const RENEW_JITTER = 0.15
/** Every so many sweeps the other rungs are read as well: hourly and daily where a sweep is due every 15 minutes. */
const RUNG_EVERY: readonly (readonly [rung: Rung, every: number])[] = [
  [1, 4],
  [2, 96],
]

/** Sweeps until each rung has been read. */
const RUNGS_READ = RUNG_EVERY.length + 1

/** The last sweep: when (ms) it ended, whether enough holders answered, and how often one did. */
interface LastSweep extends SweepReport {
  readonly at: number
}

export class MailboxReader implements Startable {
  readonly #deps: MailDeps
  readonly #zones: Zones
  readonly #sessions: OwnerSessions
  readonly #keys: OwnKeys
  readonly #collector: Collector
  readonly #cards: Pick<Cards, 'bringPolicy'>
  readonly #listening: (() => void)[] = []
  readonly #timers = new Map<'sweep' | 'renew' | 'members', () => void>()
  /** Members of our first zones that came, by mailbox (hex), until they are listed. */
  readonly #came = new Map<string, Set<string>>()
  #stopping = new AbortController()
  #running: Promise<SweepReport> | undefined
  /** Everybody is to be asked once more when the sweep under way is over. */
  #more = false
  /** Whether the last sweep was answered by anybody. */
  #reached = true
  /** When (ms) everybody is asked next, and when those that did not answer. */
  #wholeAt = Infinity
  #missingAt = Infinity
  /** Sweeps since the start that were the turn of some rungs: whole ones, and the first of the others. */
  #sweeps = 0
  #started = false
  #lastSweep: LastSweep | undefined
  /** Peers at which we asked last to be told of new letters. */
  #nearest: ReadonlySet<string> = new Set()

  constructor(
    deps: MailDeps,
    rooms: {
      readonly zones: Zones
      readonly sessions: OwnerSessions
      readonly keys: OwnKeys
      readonly collector: Collector
      readonly cards: Pick<Cards, 'bringPolicy'>
    },
  ) {
    this.#deps = deps
    this.#zones = rooms.zones
    this.#sessions = rooms.sessions
    this.#keys = rooms.keys
    this.#collector = rooms.collector
    this.#cards = rooms.cards
  }

  /** When (ms) the last sweep ended, and whether enough holders answered; `undefined` before the first. */
  get lastSweep(): LastSweep | undefined {
    return this.#lastSweep
  }

  /** What holders listed and is not taken in yet, and the holders (peer ids) that new letters come to, with what waits there. */
  get pending(): { readonly letters: number; readonly holders: ReadonlyMap<string, number> } {
    const { letters, holders } = this.#collector.waiting
    const nearest = [...this.#nearest].map((peerId) => [peerId, 0] as const)
    return { letters, holders: new Map([...nearest, ...holders]) }
  }

  start(): void {
    this.#stopping = new AbortController()
    this.#started = true
    this.#sweeps = 0
    this.#reached = true
    this.#wholeAt = Infinity
    this.#missingAt = Infinity
    this.#listen()
    this.#soon(randomBelow(this.#deps.rng, FIRST_SWEEP_MS))
    this.#renewLater()
  }

  async stop(): Promise<void> {
    this.#started = false
    this.#stopping.abort()
    for (const end of this.#listening.splice(0)) end()
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
    await this.#running
  }

  #listen(): void {
    const { clock, network } = this.#deps
    this.#listening.push(
      network.onPush((peerId, deposit) => {
        this.#guard(this.#pushed(peerId, deposit))
      }),
      this.#zones.onMember((address, peerId) => {
        const own = this.#keys.toRead(clock.now()).some((key) => toHex(key.address) === address)
        if (own) this.#memberCame(address, peerId)
      }),
      network.onPeerChange((_peerId, connected) => {
        if (connected) this.#peerCame()
      }),
    )
  }

  /** Listed by itself, soon: a whole sweep for each that comes would be a storm where many do. */
  #memberCame(address: string, peerId: string): void {
    this.#came.set(address, (this.#came.get(address) ?? new Set()).add(peerId))
    if (this.#timers.has('members')) return
    const { clock, rng } = this.#deps
    const cancel = clock.after(jitterMs(PEER_DEBOUNCE_MS, 0.25, rng), () => {
      this.#timers.delete('members')
      this.#guard(this.#listCame())
    })
    this.#timers.set('members', cancel)
  }

  async #listCame(): Promise<void> {
    const { signal } = this.#stopping
    const came = new Map(this.#came)
    this.#came.clear()
    await this.#followAll()
    for (const key of this.#keys.toRead(this.#deps.clock.now())) {
      const only = came.get(toHex(key.address))
      if (only !== undefined) await this.#collector.sweepMailbox(key, signal, { rung: 0, only })
    }
  }

  async #pushed(...pushed: Parameters<Collector['pushed']>): Promise<void> {
    if (!(await this.#collector.pushed(...pushed)) && this.#started) this.#soon(PEER_DEBOUNCE_MS)
    this.#soonForKept()
  }

  /** Reads everything now. While a sweep is under way its answer is shared, and another one follows. */
  async sweep(): Promise<SweepReport> {
    return this.#sweep(false)
  }

  async #sweep(again: boolean): Promise<SweepReport> {
    this.#more = this.#running !== undefined
    this.#running ??= this.#run(again).finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #run(first: boolean): Promise<SweepReport> {
    const { signal } = this.#stopping
    this.#timers.get('sweep')?.()
    this.#timers.delete('sweep')
    let report: SweepReport | undefined
    // What was pushed into a stream that is gone may lie with those who had answered.
    let again = first && !this.#sessions.isCutOff
    do {
      this.#more = false
      this.#missingAt = Infinity
      if (!again) this.#wholeAt = Infinity
      report = await this.#read(again, signal)
      again = false
    } while (this.#more && !signal.aborted)
    this.#reached = report !== undefined && report.answers > 0
    if (this.#started) this.#plan(report)
    this.#soonForKept()
    return report ?? { complete: false, answers: 0 }
  }

  /** None where it failed. */
  async #read(again: boolean, signal: AbortSignal): Promise<SweepReport | undefined> {
    try {
      // Followed first: what comes while the boxes are being listed is pushed.
      await this.#followAll()
      const counts = !again || this.#sweeps < RUNGS_READ
      const report = await this.#collector.sweep(signal, counts ? this.#rungs() : [0], again)
      if (counts) this.#sweeps++
      this.#lastSweep = { at: this.#deps.clock.now(), ...report }
      return report
    } catch (error) {
      if (!signal.aborted) this.#deps.log.error('a sweep failed', { error: nameOf(error) })
      return undefined
    }
  }

  /** Everybody is asked in a while, and before that those who did not answer. */
  #plan(report: SweepReport | undefined): void {
    const { clock, rng, profile } = this.#deps
    const usual = jitterMs(profile.collectIntervalMs, 0.2, rng)
    if (report?.complete === false) this.#missingAt = clock.now() + INCOMPLETE_RETRY_MS
    this.#soon(report === undefined ? Math.min(usual, INCOMPLETE_RETRY_MS) : usual)
  }

  /** The first zone, and the others in their turn: soon after the start, since a device may be on for an hour a day. */
  #rungs(): readonly Rung[] {
    return [0, ...RUNG_EVERY.filter(([rung, every]) => this.#sweeps % every === rung).map(([rung]) => rung)]
  }

  #soonForKept(): void {
    if (this.#collector.takeKept() && this.#started) this.#soon(jitterMs(KEPT_RETRY_MS, 0.2, this.#deps.rng))
  }

  /** Everybody is asked in `delayMs`, or earlier where that is due already. */
  #soon(delayMs: number): void {
    const { clock } = this.#deps
    const now = clock.now()
    this.#wholeAt = Math.min(this.#wholeAt, now + delayMs)
    const again = this.#missingAt < this.#wholeAt
    this.#timers.get('sweep')?.()
    this.#timers.set(
      'sweep',
      clock.after(Math.max(0, Math.min(this.#wholeAt, this.#missingAt) - now), () => {
        this.#timers.delete('sweep')
        void this.#sweep(again)
      }),
    )
  }

  /**
   * A peer is there. Where nobody is left who would push to us, or nobody answered, we had no network: what came meanwhile lies
   * anywhere in the zones. Once a minute at most where holders answer and none takes a subscription.
   */
  #peerCame(): void {
    if (!this.#sessions.isCutOff && this.#reached) return
    const { clock, rng } = this.#deps
    const last = this.#reached ? this.#lastSweep?.at : undefined
    const pauseMs = last === undefined ? 0 : last + INCOMPLETE_RETRY_MS - clock.now()
    this.#soon(Math.max(pauseMs, jitterMs(PEER_DEBOUNCE_MS, 0.25, rng)))
  }

  #renewLater(): void {
    this.#timers.set(
      'renew',
      this.#deps.clock.after(jitterMs(RENEW_MS, RENEW_JITTER, this.#deps.rng), () => {
        // A whole sweep begins by following.
        if (this.#sessions.isCutOff) this.#soon(0)
        else this.#guard(this.#followAll())
        this.#renewLater()
      }),
    )
  }

  /** Subscribes at the five nearest holders of each mailbox that letters come to now. */
  async #followAll(): Promise<void> {
    const { signal } = this.#stopping
    const nearest = new Set<string>()
    for (const key of this.#keys.toFollow(this.#deps.clock.now())) {
      const zone = (await this.#zones.of(key.address, signal)).slice(0, REPLICAS)
      for (const { id } of zone) nearest.add(id)
      await Promise.allSettled(zone.map((peer) => this.#follow(peer, key, signal)))
    }
    this.#nearest = nearest
  }

  /** A new stream may be one to a holder that came to the zone, or started anew with an empty disk. */
  async #follow(peer: PeerRecord, key: EpochKey, signal: AbortSignal): Promise<void> {
    if (await this.#sessions.follow(peer, key, signal)) await this.#cards.bringPolicy(peer, key.address, signal)
  }

  #guard(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!isNetworkFault(error) && !this.#stopping.signal.aborted) {
        this.#deps.log.error('reading mail failed', { error: nameOf(error) })
      }
    })
  }
}
