import type { Clock } from '../../lib/clock.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'

/** Keys that are counted at most; the one that began first goes. */
const KEYS_MAX = 65_536

/** So many in a window that begins with the first of them; in memory only, so a restart forgets them. */
export class WindowCounter {
  readonly #counts: ExpiringMap<string, { count: number }>
  readonly #max: number

  constructor(clock: Clock, windowMs: number, max: number) {
    this.#counts = new ExpiringMap(clock, windowMs, KEYS_MAX)
    this.#max = max
  }

  has(key: string, factor = 1): boolean {
    return (this.#counts.get(key)?.count ?? 0) < this.#max * factor
  }

  take(key: string): void {
    const known = this.#counts.get(key)
    if (known === undefined) this.#counts.set(key, { count: 1 })
    else known.count++
  }

  /** Takes {@link take} back. */
  giveBack(key: string): void {
    const known = this.#counts.get(key)
    if (known !== undefined) known.count--
  }
}
