/**
 * When an upgrade is tried: at once when a conversation runs over a relay, then with growing pauses as long as it does, and
 * soon when something about us changed. The relay carries the conversation all the while.
 */
import type { BackoffPolicy } from '../../lib/backoff.ts'
import { backoffMs, jitterMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { nameOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import { MINUTE_MS } from '../../lib/time.ts'
import type { Outcome } from './exchange.ts'

const AFTER_FAILURE: BackoffPolicy = { firstMs: 30_000, maxMs: 30 * MINUTE_MS, factor: 2 }
/** Both sides know that it cannot work, until something changes. */
const AFTER_IMPOSSIBLE_MS = 30 * MINUTE_MS
/** A link that breaks as soon as it is there is not made again at once. */
const AFTER_SUCCESS_MS = 5_000
/** The one whom the other reached asks only where the other does not. */
const PASSIVE_DELAY_MS = 20_000
/** From one attempt to the next when a new stream or a change of our own gives hope. */
const HOPE_MIN_MS = 10_000
/** The same for the first changes: a daemon that has just come learns about itself within seconds. */
const EARLY_MIN_MS = 2_000
const EARLY_CHANGES = 3
/** After so many failures a new stream gives none: peers make as many as they like. */
const HOPELESS_FAILURES = 3
const CHANGE_DELAY_MS = 1_000
const RUNNING_MAX = 16
const RUNNING_PAUSE_MS = 2_000
const PEERS_MAX = 1_024
const JITTER = 0.2

interface Step {
  failures: number
  /** Both sides knew that it could not work. */
  impossible: boolean
  /** When the last attempt ended. */
  endedAt: number | undefined
  /** When the next one is due; `undefined` while one runs. */
  dueAt: number | undefined
  cancel: () => void
  /** Something changed while an attempt ran. */
  hope: boolean
  /** Of our own, since the conversation runs over a relay. */
  changes: number
}

export interface LadderInit {
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  /** Whether the conversation with the peer still runs over a relay. */
  readonly wanted: (peerId: string) => boolean
  readonly attempt: (peerId: string) => Promise<Outcome>
}

export class Ladder {
  readonly #init: LadderInit
  readonly #steps = new Map<string, Step>()
  #running = 0
  #stopped = false

  constructor(init: LadderInit) {
    this.#init = init
  }

  /** A conversation runs over a relay. `active`: over a connection that we dialled. */
  relayed(peerId: string, active: boolean): void {
    const known = this.#steps.get(peerId)
    if (known !== undefined) {
      if (!known.impossible && known.failures < HOPELESS_FAILURES) this.#hope(peerId, known)
      return
    }
    if (this.#stopped || this.#steps.size >= PEERS_MAX) return
    const step: Step = {
      failures: 0,
      impossible: false,
      endedAt: undefined,
      dueAt: undefined,
      cancel: () => {},
      hope: false,
      changes: 0,
    }
    this.#steps.set(peerId, step)
    this.#schedule(peerId, step, active ? 0 : jitterMs(PASSIVE_DELAY_MS, JITTER, this.#init.rng))
  }

  /** What we know of our own addresses or of the router in front of us changed. */
  changed(): void {
    for (const [peerId, step] of this.#steps) {
      step.failures = 0
      step.impossible = false
      step.changes++
      if (step.dueAt === undefined) step.hope = true
      else this.#hope(peerId, step)
    }
  }

  /** The peer asked, and that is over. */
  answered(peerId: string, direct: boolean): void {
    const step = this.#steps.get(peerId)
    if (step?.dueAt !== undefined) this.#rest(peerId, step, direct ? 'direct' : 'failed')
  }

  stop(): void {
    this.#stopped = true
    for (const step of this.#steps.values()) step.cancel()
    this.#steps.clear()
  }

  /** The next attempt is brought forward, with a pause from the last one. */
  #hope(peerId: string, step: Step): void {
    const { clock, rng } = this.#init
    if (step.dueAt === undefined) return
    const pauseMs = step.changes > 0 && step.changes <= EARLY_CHANGES ? EARLY_MIN_MS : HOPE_MIN_MS
    const soonest = Math.max(clock.now() + CHANGE_DELAY_MS, (step.endedAt ?? -Infinity) + pauseMs)
    if (step.dueAt > soonest) this.#schedule(peerId, step, jitterMs(soonest - clock.now(), JITTER, rng))
  }

  #schedule(peerId: string, step: Step, delayMs: number): void {
    const { clock } = this.#init
    step.cancel()
    step.dueAt = clock.now() + delayMs
    step.cancel = clock.after(delayMs, () => {
      void this.#due(peerId, step)
    })
  }

  async #due(peerId: string, step: Step): Promise<void> {
    if (!this.#init.wanted(peerId)) {
      this.#steps.delete(peerId)
      return
    }
    if (this.#running >= RUNNING_MAX) {
      this.#schedule(peerId, step, jitterMs(RUNNING_PAUSE_MS, JITTER, this.#init.rng))
      return
    }
    step.dueAt = undefined
    step.hope = false
    this.#running++
    const outcome = await this.#attempt(peerId)
    this.#running--
    if (!this.#stopped) this.#rest(peerId, step, outcome)
  }

  async #attempt(peerId: string): Promise<Outcome> {
    try {
      return await this.#init.attempt(peerId)
    } catch (error) {
      this.#init.log.debug('the upgrade failed', { error: nameOf(error) })
      return 'failed'
    }
  }

  #rest(peerId: string, step: Step, outcome: Outcome): void {
    step.endedAt = this.#init.clock.now()
    this.#schedule(peerId, step, this.#pauseMs(step, outcome))
    if (step.hope) this.#hope(peerId, step)
    step.hope = false
  }

  #pauseMs(step: Step, outcome: Outcome): number {
    const { rng } = this.#init
    step.impossible = outcome === 'impossible'
    if (outcome === 'impossible') return jitterMs(AFTER_IMPOSSIBLE_MS, JITTER, rng)
    if (outcome === 'failed') return backoffMs(AFTER_FAILURE, step.failures++, rng)
    step.failures = 0
    return AFTER_SUCCESS_MS
  }
}
