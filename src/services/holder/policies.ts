/** The policies of mailboxes as the put of a letter needs them: lanes in a set, read from disk once. */
import { ExpiringMap } from '../../lib/expiring-map.ts'
import { toHex } from '../../lib/bytes.ts'
import { HOUR_MS } from '../../lib/time.ts'
import { CARD_KIND } from '../../wire/holder.ts'
import { hourPassed, laneSet } from '../../protocol/mailbox-rules.ts'
import type { HolderDeps } from './deps.ts'

/** A policy, ready to be asked. */
export interface LanePolicy {
  readonly lanes: ReadonlySet<string>
  readonly stampBits: number
  /** In hours since the Unix epoch. */
  readonly expiry: number
}

const CACHED_MAX = 512 // about 20 KiB each
const CACHED_MS = HOUR_MS

export class Policies {
  readonly #deps: HolderDeps
  readonly #cache: ExpiringMap<string, LanePolicy>
  #changes = 0

  constructor(deps: HolderDeps) {
    this.#deps = deps
    this.#cache = new ExpiringMap(deps.clock, CACHED_MS, CACHED_MAX)
  }

  /** The mailbox's policy, where there is one in force. */
  async of(address: Uint8Array): Promise<LanePolicy | undefined> {
    const key = toHex(address)
    const cached = this.#cache.get(key)
    if (cached !== undefined) return hourPassed(cached.expiry, this.#deps.clock.now()) ? undefined : cached
    const before = this.#changes
    const record = await this.#deps.held.cards.get(address, this.#deps.clock.now())
    if (record?.kind !== CARD_KIND.policy) return undefined
    const { stampBits, expiry } = record.body.body
    const policy = { lanes: laneSet(record.body), stampBits, expiry }
    // One that was replaced while it was read must not stay for an hour.
    if (before === this.#changes) this.#cache.set(key, policy)
    return policy
  }

  /** After a new policy was stored. */
  forget(address: Uint8Array): void {
    this.#changes++
    this.#cache.delete(toHex(address))
  }
}
