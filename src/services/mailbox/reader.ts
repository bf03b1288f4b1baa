/**
 * When mailboxes are read: at start, every so often, again after a minute where holders did not answer, when a holder
 * comes, and at once when one pushes.
 */
import type { Startable } from '../../lib/lifecycle.ts'
import { nameOf } from '../../lib/errors.ts'
import { toHex } from '../../lib/bytes.ts'
import { jitterMs } from '../../lib/backoff.ts'
import { REPLICAS } from '../../protocol/replicas.ts'
import type { EpochKey } from '../../protocol/mailbox-rules.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { isNetworkFault } from './ask.ts'
import type { Cards } from './cards.ts'
import type { Collector, SweepReport } from './collect.ts'
import type { MailDeps } from './deps.ts'
import type { OwnKeys } from './own-keys.ts'
import type { OwnerSessions } from './sessions.ts'
import type { Zones } from './zones.ts'

const INCOMPLETE_RETRY_MS = 60_000
const RENEW_MS = 10 * 60_000
/** Peers come in flocks: one sweep serves them all. */
const PEER_DEBOUNCE_MS = 2_000

export class MailboxReader implements Startable {
  readonly #deps: MailDeps
  readonly #zones: Zones
  readonly #sessions: OwnerSessions
  readonly #keys: OwnKeys
  readonly #collector: Collector
  readonly #cards: Pick<Cards, 'bringPolicy'>
  readonly #listening: (() => void)[] = []
  readonly #timers = new Map<'sweep' | 'renew', () => void>()
  #stopping = new AbortController()
  #running: Promise<SweepReport> | undefined
  #again = false
  #dueAt = 0
  #started = false
  #lastSweep: { readonly at: number; readonly complete: boolean } | undefined

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
  get lastSweep(): { readonly at: number; readonly complete: boolean } | undefined {
    return this.#lastSweep
  }

  start(): void {
    this.#stopping = new AbortController()
    this.#started = true
    this.#listen()
    void this.sweep()
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
      network.onPush((peerId, address, letter) => {
        this.#guard(this.#pushed(peerId, address, letter))
      }),
      this.#zones.onMember((address) => {
        const own = this.#keys.toRead(clock.now()).some((key) => toHex(key.address) === address)
        if (own) this.#soon(PEER_DEBOUNCE_MS)
      }),
    )
  }

  async #pushed(...pushed: Parameters<Collector['pushed']>): Promise<void> {
    if (!(await this.#collector.pushed(...pushed)) && this.#started) this.#soon(PEER_DEBOUNCE_MS)
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
    do {
      this.#again = false
      try {
        // Followed first: what comes while the boxes are being listed is pushed.
        await this.#followAll()
        report = await this.#collector.sweep(signal)
        this.#lastSweep = { at: this.#deps.clock.now(), complete: report.complete }
      } catch (error) {
        if (!signal.aborted) this.#deps.log.error('a sweep failed', { error: nameOf(error) })
      }
    } while (this.#again && !signal.aborted)
    const { collectIntervalMs } = this.#deps.profile
    const usual = jitterMs(collectIntervalMs, 0.2, this.#deps.rng)
    if (this.#started) this.#soon(report.complete ? usual : Math.min(usual, INCOMPLETE_RETRY_MS))
    return report
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
      this.#deps.clock.after(RENEW_MS, () => {
        this.#guard(this.#followAll())
        this.#renewLater()
      }),
    )
  }

  /** Subscribes at the five nearest holders of each mailbox that letters come to now. */
  async #followAll(): Promise<void> {
    const { signal } = this.#stopping
    for (const key of this.#keys.toFollow(this.#deps.clock.now())) {
      const zone = await this.#zones.of(key.address, signal)
      await Promise.allSettled(zone.slice(0, REPLICAS).map((peer) => this.#follow(peer, key, signal)))
    }
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
