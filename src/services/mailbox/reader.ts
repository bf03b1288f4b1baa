/**
 * When mailboxes are read: at start, every so often, again after a minute where holders did not answer, when a holder
 * comes, and at once when one pushes.
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

/** The last whole sweep: when (ms) it ended, whether enough holders answered, and how often one did. */
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
  #again = false
  #dueAt = 0
  /** Whole sweeps since the start. */
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

  /** When (ms) the last whole sweep ended, and whether enough holders answered; `undefined` before the first. */
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
    this.#again = this.#running !== undefined
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #run(): Promise<SweepReport> {
    const { signal } = this.#stopping
    let report: SweepReport = { complete: false, answers: 0 }
    this.#timers.get('sweep')?.()
    this.#timers.delete('sweep')
    do {
      this.#again = false
      try {
        // Followed first: what comes while the boxes are being listed is pushed.
        await this.#followAll()
        report = await this.#collector.sweep(signal, this.#rungs())
        this.#sweeps++
        this.#lastSweep = { at: this.#deps.clock.now(), ...report }
      } catch (error) {
        if (!signal.aborted) this.#deps.log.error('a sweep failed', { error: nameOf(error) })
      }
    } while (this.#again && !signal.aborted)
    const { collectIntervalMs } = this.#deps.profile
    const usual = jitterMs(collectIntervalMs, 0.2, this.#deps.rng)
    if (this.#started) this.#soon(report.complete ? usual : Math.min(usual, INCOMPLETE_RETRY_MS))
    this.#soonForKept()
    return report
  }

  /** The first zone, and the others in their turn: soon after the start, since a device may be on for an hour a day. */
  #rungs(): readonly Rung[] {
    return [0, ...RUNG_EVERY.filter(([rung, every]) => this.#sweeps % every === rung).map(([rung]) => rung)]
  }

  #soonForKept(): void {
    if (this.#collector.takeKept() && this.#started) this.#soon(jitterMs(KEPT_RETRY_MS, 0.2, this.#deps.rng))
  }

  /** The next sweep in `delayMs`, or earlier where one is due already. */
  #soon(delayMs: number): void {
    const at = this.#deps.clock.now() + delayMs
    if (this.#timers.has('sweep') && at >= this.#dueAt) return
    this.#timers.get('sweep')?.()
    this.#dueAt = at
    this.#timers.set(
      'sweep',
      this.#deps.clock.after(delayMs, () => {
        this.#timers.delete('sweep')
        void this.sweep()
      }),
    )
  }

  #renewLater(): void {
    this.#timers.set(
      'renew',
      this.#deps.clock.after(jitterMs(RENEW_MS, RENEW_JITTER, this.#deps.rng), () => {
        this.#guard(this.#followAll())
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
