/**
 * Finds stamps. OpenSSL's Argon2id runs on the thread pool already, so that no worker of our own is needed: a try takes
 * about 1.5 ms with two under way, and the event loop is never held for more than 2 ms. Two of four pool threads stay
 * free for the disk.
 */
import { concat, u64be } from '../../lib/bytes.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Rng } from '../../lib/rng.ts'
import { HOUR_MS } from '../../lib/time.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import type { Letter } from '../../wire/letter.ts'
import { LETTER_KIND } from '../../wire/letter.ts'
import { SIZE_CLASSES_BYTES } from '../../wire/padding.ts'
import { nameOfLetter } from '../../protocol/mailbox-rules.ts'
import { STAMP_NONCE_BYTES, stampChallenge, stampEffort, stampPrice } from '../../protocol/stamp.ts'
import type { StampSolver } from '../ports.ts'

const TRIES_AT_ONCE = 2

export function stampSolver(crypto: CryptoProvider, rng: Rng): StampSolver {
  return {
    async solve(challenge, bits, signal) {
      const start = rng.bytes(8)
      let next = 0
      let found: Uint8Array | undefined
      const search = async (): Promise<void> => {
        while (found === undefined) {
          signal.throwIfAborted()
          const nonce = concat(start, u64be(next++))
          if ((await stampEffort(crypto, challenge, nonce)) >= bits) found ??= nonce
        }
      }
      await Promise.all(Array.from({ length: TRIES_AT_ONCE }, search))
      signal.throwIfAborted()
      return found as unknown as Uint8Array
    },
  }
}

/** Turns letters into what a stranger would send: no lane, and a stamp at the price of size and life over `baseBits`. */
export class LetterStamps {
  readonly #crypto: CryptoProvider
  readonly #solver: StampSolver
  readonly #clock: Clock

  constructor(crypto: CryptoProvider, solver: StampSolver, clock: Clock) {
    this.#crypto = crypto
    this.#solver = solver
    this.#clock = clock
  }

  /** The stamped letter; its id is another one. Rejects with the signal's reason. */
  async stamp(letter: Letter, baseBits: number, signal: AbortSignal): Promise<Letter> {
    const lifeMs = letter.expiry * HOUR_MS - this.#clock.now()
    const bits = stampPrice(baseBits, SIZE_CLASSES_BYTES[letter.sizeClass], lifeMs)
    const stamp = { bits, nonce: new Uint8Array(STAMP_NONCE_BYTES) }
    const bare = { ...letter, kind: LETTER_KIND.stamp, lane: new Uint8Array(16), stamp }
    if (bits === 0) return bare
    const challenge = stampChallenge(this.#crypto, nameOfLetter(this.#crypto, bare))
    const nonce = await this.#solver.solve(challenge, bits, signal)
    return { ...bare, stamp: { bits, nonce } }
  }
}
