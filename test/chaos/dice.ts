/** Chance from a seed. The order of what the daemons do is theirs; what is done to them can be asked for again. */
import { randomBelow, seededRng } from '../../src/lib/rng.ts'
import type { Rng } from '../../src/lib/rng.ts'

const FINE = 1_000_000

export class Dice {
  readonly #rng: Rng

  constructor(seed: number) {
    this.#rng = seededRng(seed)
  }

  /** A whole number in [0, bound). */
  below(bound: number): number {
    return randomBelow(this.#rng, bound)
  }

  /** In [from, to). */
  between(from: number, to: number): number {
    return from + ((to - from) * this.below(FINE)) / FINE
  }

  /** True once in `times` on average. */
  once(times: number): boolean {
    return this.below(times) === 0
  }

  /** Exponential with this mean, at most three times as long. */
  wait(mean: number): number {
    return Math.min(3 * mean, -mean * Math.log(1 - this.below(FINE) / FINE))
  }

  /** One of them. Throws RangeError where there is none. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new RangeError('nothing to choose from')
    return item
  }

  /** `count` of them, in any order. */
  some<T>(items: readonly T[], count: number): T[] {
    const left = [...items]
    return Array.from({ length: Math.min(count, left.length) }, () => left.splice(this.below(left.length), 1)).flat()
  }

  letters(count: number): string {
    return Array.from({ length: count }, () => String.fromCodePoint(97 + this.below(26))).join('')
  }
}
