/** Checks stamps, at most 50 a second and 32 waiting: what strangers send costs a holder at most 8 % of a core. */
import type { Clock } from '../../lib/clock.ts'
import { KeyedQueue } from '../../lib/queue.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import type { LetterName } from '../../protocol/mailbox-rules.ts'
import { stampChallenge, stampEffort } from '../../protocol/stamp.ts'
import type { StampWork } from '../ports.ts'

export const STAMP_CHECKS_PER_SECOND = 50
export const STAMP_CHECKS_WAITING_MAX = 32

type Verdict = 'good' | 'bad' | 'busy'

export class StampVerifier {
  readonly #crypto: CryptoProvider
  readonly #limiter: RateLimiter
  readonly #queue = new KeyedQueue(STAMP_CHECKS_WAITING_MAX)

  constructor(crypto: CryptoProvider, clock: Clock) {
    this.#crypto = crypto
    this.#limiter = new RateLimiter({ perSecond: STAMP_CHECKS_PER_SECOND, burst: STAMP_CHECKS_PER_SECOND }, clock, 1)
  }

  /** Whether the letter's stamp has the bits that it claims; `busy` where too many wait. One check at a time. */
  async verify(name: LetterName): Promise<Verdict> {
    const { bits, nonce } = name.header.stamp
    return this.verifyWork({ challenge: stampChallenge(this.#crypto, name), bits, nonce })
  }

  /** The same of a stamp over anything else. */
  async verifyWork(work: StampWork): Promise<Verdict> {
    if (work.bits === 0) return 'good'
    if (this.#queue.size >= STAMP_CHECKS_WAITING_MAX || !this.#limiter.take('')) return 'busy'
    return this.#queue.run('', async () => this.#check(work))
  }

  async #check({ challenge, bits, nonce }: StampWork): Promise<Verdict> {
    return (await stampEffort(this.#crypto, challenge, nonce)) >= bits ? 'good' : 'bad'
  }
}
