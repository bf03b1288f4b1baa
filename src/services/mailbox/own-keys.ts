import type { CryptoProvider } from '../../crypto/provider.ts'
import { epochKey, epochOf, epochsToRead, overlapMs } from '../../protocol/mailbox-rules.ts'
import type { EpochKey, EpochProfile } from '../../protocol/mailbox-rules.ts'

/** The epoch keys of our mailboxes; each is computed once. */
export class OwnKeys {
  readonly #crypto: CryptoProvider
  readonly #profile: EpochProfile
  readonly #seeds: readonly Uint8Array[]
  readonly #sinceMs: number
  readonly #keys = new Map<string, EpochKey>()

  /** @param sinceMs when the seeds were made: nobody wrote to the mailboxes of earlier epochs. */
  constructor(crypto: CryptoProvider, profile: EpochProfile, seeds: readonly Uint8Array[], sinceMs = 0) {
    this.#crypto = crypto
    this.#profile = profile
    this.#seeds = seeds
    this.#sinceMs = sinceMs
  }

  /** Mailboxes in which letters may lie, the running epoch's first. */
  toRead(nowMs: number): EpochKey[] {
    // A day's grace for writers whose clock is behind.
    const first = epochOf(Math.max(0, Math.min(this.#sinceMs, nowMs) - overlapMs(this.#profile)), this.#profile)
    const epochs = epochsToRead(nowMs, this.#profile).filter((epoch) => epoch >= first)
    for (const name of this.#keys.keys()) {
      if (!epochs.includes(Number(name.split(':')[1]))) this.#keys.delete(name)
    }
    return epochs.flatMap((epoch) => this.#seeds.map((seed, i) => this.#key(seed, i, epoch)))
  }

  /** Mailboxes to which letters may come now: of the running epoch, and near its ends of the neighbour. */
  toFollow(nowMs: number): EpochKey[] {
    const overlap = overlapMs(this.#profile)
    const epochs = [nowMs, nowMs - overlap, nowMs + overlap].map((time) => epochOf(time, this.#profile))
    return this.toRead(nowMs).filter(({ epoch }) => epochs.includes(epoch))
  }

  #key(seed: Uint8Array, index: number, epoch: number): EpochKey {
    const name = `${index}:${epoch}`
    const known = this.#keys.get(name) ?? epochKey(this.#crypto, seed, epoch)
    this.#keys.set(name, known)
    return known
  }
}
