/**
 * Codes by which a browser gets its token: 256 bits, one use, one minute, in memory only. One that was used is remembered for a
 * minute: who comes with it a second time shows that somebody else has read it.
 */
import type { Clock } from '../lib/clock.ts'
import { equal, toBase64url, utf8 } from '../lib/bytes.ts'
import type { Rng } from '../lib/rng.ts'

export const CODE_LIFE_MS = 60_000
const CODES_MAX = 16
const CODE_BYTES = 32

interface Pending {
  readonly hash: Uint8Array
  readonly until: number
}
interface Spent extends Pending {
  /** The token that was made from it. */
  readonly token: string
}

export interface PageCodeOptions {
  readonly sha256: (...parts: readonly Uint8Array[]) => Uint8Array
  readonly clock: Clock
  readonly rng: Rng
}

export class PageCodes {
  readonly #options: PageCodeOptions
  #pending: readonly Pending[] = []
  #spent: readonly Spent[] = []

  constructor(options: PageCodeOptions) {
    this.#options = options
  }

  create(): string {
    const { clock, rng, sha256 } = this.#options
    const code = toBase64url(rng.bytes(CODE_BYTES))
    const entry = { hash: sha256(utf8(code)), until: clock.now() + CODE_LIFE_MS }
    this.#pending = [...this.#fresh(), entry].slice(-CODES_MAX)
    return code
  }

  /** What `make` makes where the code was good, which it is no longer: a token with its id. */
  use<T extends { readonly id: string }>(code: string, make: () => T): T | undefined {
    const { clock, sha256 } = this.#options
    const hash = sha256(utf8(code))
    const fresh = this.#fresh()
    this.#pending = fresh.filter((entry) => !equal(entry.hash, hash))
    if (this.#pending.length === fresh.length) return undefined
    const made = make()
    const entry = { hash, until: clock.now() + CODE_LIFE_MS, token: made.id }
    this.#spent = [...live(this.#spent, clock), entry].slice(-CODES_MAX)
    return made
  }

  /** The token that was made from this code within the last minute. */
  madeFrom(code: string): string | undefined {
    const hash = this.#options.sha256(utf8(code))
    return live(this.#spent, this.#options.clock).find((entry) => equal(entry.hash, hash))?.token
  }

  /** How many are good at the moment. */
  get pending(): number {
    return this.#fresh().length
  }

  #fresh(): readonly Pending[] {
    return live(this.#pending, this.#options.clock)
  }
}

function live<T extends Pending>(entries: readonly T[], clock: Clock): readonly T[] {
  const now = clock.now()
  return entries.filter(({ until }) => until > now)
}
