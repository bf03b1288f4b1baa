/** What we remember for a day of holders that were offered slices; in memory only. */
import type { Clock } from '../../lib/clock.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import { DAY_MS } from '../../lib/time.ts'

const KEPT_MAX = 64

export class SliceKeepers {
  readonly #unwilling: ExpiringMap<string, true>
  readonly #signed: ExpiringMap<string, true>

  constructor(clock: Clock) {
    this.#unwilling = new ExpiringMap(clock, DAY_MS, KEPT_MAX)
    this.#signed = new ExpiringMap(clock, DAY_MS, KEPT_MAX)
  }

  /** Whether it is offered none for now: it refused a slice, or lost what it had signed for. */
  isUnwilling(holder: string): boolean {
    return this.#unwilling.get(holder) === true
  }

  /** It signed for a slice. */
  signed(holder: string): void {
    this.#signed.set(holder, true)
  }

  /**
   * It has none. Where it had signed for one, or had its time to take it, it is passed over: else who signs and forgets is given
   * twenty new ones at every look, until what others gave out is wiped for want of room.
   */
  lost(holder: string, hadTime: boolean): void {
    if (hadTime || this.#signed.get(holder) === true) this.#unwilling.set(holder, true)
  }
}
