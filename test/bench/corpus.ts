/** Texts that look like messages do: a vocabulary of which few words are said often and most hardly ever (Zipf). */
import { randomBelow, seededRng } from '../../src/lib/rng.ts'

const SEED = 20_261_121
const WORDS = 30_000
const LEAST_WORDS = 4
const MORE_WORDS = 20
const SYLLABLES = 'ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo yu za th st ing er an on re'.split(' ')

export class Corpus {
  readonly #rng = seededRng(SEED)
  readonly #words: readonly string[]

  constructor() {
    const words = new Set<string>()
    while (words.size < WORDS) {
      words.add(Array.from({ length: 1 + this.#below(4) }, () => SYLLABLES[this.#below(SYLLABLES.length)]).join(''))
    }
    this.#words = [...words]
  }

  text(): string {
    return Array.from({ length: LEAST_WORDS + this.#below(MORE_WORDS) }, () => this.word()).join(' ')
  }

  /** The rank of the word is drawn so that it is said as often as its rank is high. */
  word(): string {
    const rank = Math.floor(WORDS ** (this.#below(2 ** 30) / 2 ** 30)) - 1
    return this.#words[rank] ?? ''
  }

  /** The first letters of as many words. */
  beginnings(count: number): readonly string[] {
    return Array.from({ length: count }, () => {
      const word = this.word()
      return word.slice(0, Math.max(2, word.length - 1))
    })
  }

  #below(bound: number): number {
    return randomBelow(this.#rng, bound)
  }
}
