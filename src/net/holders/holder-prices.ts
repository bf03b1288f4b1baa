/**
 * Whether holders have paid for their ids (protocol §4). A holder shows its puzzle in the greeting; each is checked once, off the event
 * loop, one at a time and so many a second. Nothing is kept on the disk: the 20 neighbours of a start cost 34 ms.
 */
import type { CryptoProvider } from '../../crypto/provider.ts'
import type { Clock } from '../../lib/clock.ts'
import { LimitError } from '../../lib/errors.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import type { NetworkProfile } from '../../lib/network-profile.ts'
import { KeyedQueue } from '../../lib/queue.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import { DAY_MS } from '../../lib/time.ts'
import { puzzleChallenge, puzzleHolds } from '../../protocol/id-puzzle.ts'
import { publicKeyOfPeerId } from '../peer-id.ts'

/** Checks a second, and at once after a pause: at most 9 % of a core, 0.4 s for a whole join. */
const CHECKS = { perSecond: 50, burst: 256 } as const
const WAITING_MAX = 256
const KNOWN_MAX = 4_096
/** It is good for ever; on another day one more look costs nothing. */
const GOOD_FOR_MS = DAY_MS

export class HolderPrices {
  readonly #crypto: CryptoProvider
  readonly #network: string
  readonly #bits: number
  readonly #limiter: RateLimiter
  readonly #good: ExpiringMap<string, true>
  readonly #queue = new KeyedQueue(WAITING_MAX)

  constructor(crypto: CryptoProvider, profile: NetworkProfile, clock: Clock) {
    this.#crypto = crypto
    this.#network = profile.name
    this.#bits = profile.puzzleBits
    this.#limiter = new RateLimiter(CHECKS, clock, 1)
    this.#good = new ExpiringMap(clock, GOOD_FOR_MS, KNOWN_MAX)
  }

  /** Whether it is known to have paid; so has everybody where the network asks no price. */
  isPaid(peerId: string): boolean {
    return this.#bits === 0 || this.#good.get(peerId) === true
  }

  /** Whether this is the solution under that id. Throws LimitError where too many are waiting, which says nothing about the peer. */
  async paid(peerId: string, puzzle: Uint8Array): Promise<boolean> {
    if (this.isPaid(peerId)) return true
    if (this.#queue.size >= WAITING_MAX || !this.#limiter.take('')) throw new LimitError('too many ids to check')
    return this.#queue.run('', async () => this.#check(peerId, puzzle))
  }

  async #check(peerId: string, puzzle: Uint8Array): Promise<boolean> {
    const publicKey = publicKeyOfPeerId(peerId)
    const challenge = publicKey && puzzleChallenge(this.#crypto, this.#network, publicKey)
    const holds = challenge !== undefined && (await puzzleHolds(this.#crypto, challenge, puzzle, this.#bits))
    if (holds) this.#good.set(peerId, true)
    return holds
  }
}
