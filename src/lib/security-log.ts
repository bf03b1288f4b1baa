import type { Clock } from './clock.ts'
import type { Logger } from './log.ts'

const EVERY_MS = 60_000

/**
 * What somebody tried who may not: one line a minute for each kind, with how often it happened since the line before, so
 * that who tries on cannot fill a disk with it. Never who it was: at warn no peer and no address is named.
 */
export class SecurityLog {
  readonly #log: Logger
  readonly #clock: Clock
  readonly #kinds = new Map<string, { saidAtMs: number; untold: number }>()

  constructor(log: Logger, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** @param what one of a few fixed texts: there is a line, and memory, for each. */
  note(what: string): void {
    const now = this.#clock.now()
    const kind = this.#kinds.get(what) ?? { saidAtMs: Number.NEGATIVE_INFINITY, untold: 0 }
    this.#kinds.set(what, kind)
    kind.untold++
    // A clock that was set back must not silence the log for as long as that.
    if (Math.abs(now - kind.saidAtMs) < EVERY_MS) return
    this.#log.warn(what, { security: true, times: kind.untold })
    kind.saidAtMs = now
    kind.untold = 0
  }
}
