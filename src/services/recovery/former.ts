/**
 * Empties the records of accounts that were rotated away: the words of before open them, and who rotates may do so because somebody else
 * has those. Put daily until the last full one has expired, as a holder that was away may still show it.
 */
import type { Startable } from '../../lib/lifecycle.ts'
import { DAY_MS, HOUR_MS } from '../../lib/time.ts'
import { RECOVERY_LIFE_HOURS, RECOVERY_NUMBER_MAX, sealRecovery } from '../../protocol/recovery-rules.ts'
import { WRITE_QUORUM } from '../../protocol/replicas.ts'
import type { OwnRecovery } from '../../store/recovery.ts'
import { CARD_KIND } from '../../wire/holder.ts'
import type { RecoveryDeps } from './ports.ts'
import { Rounds } from './rounds.ts'
import type { Next } from './rounds.ts'

const REPUBLISH_MS = DAY_MS
const KEPT_MS = RECOVERY_LIFE_HOURS * HOUR_MS
const NOBODY = new Uint8Array(16)

export class FormerRecords implements Startable {
  readonly #deps: RecoveryDeps
  readonly #rounds: Rounds

  constructor(deps: RecoveryDeps) {
    this.#deps = deps
    this.#rounds = new Rounds({ ...deps, work: async (signal) => this.#round(signal) })
  }

  start(): void {
    this.#rounds.start()
  }

  async stop(): Promise<void> {
    await this.#rounds.stop()
  }

  hurry(): void {
    this.#rounds.hurry()
  }

  async #round(signal: AbortSignal): Promise<Next> {
    const { store, clock } = this.#deps
    const all = await store.recovery.former()
    let whole = true
    for (const former of all) {
      const now = clock.now()
      if (now - former.since >= KEPT_MS) await this.#write(store.recovery.deleteFormer(former.accountId))
      else if (now - former.publishedAt >= REPUBLISH_MS) whole = (await this.#empty(former, signal)) && whole
    }
    if (!whole) return 'again'
    return all.length === 0 ? 'never' : REPUBLISH_MS
  }

  /** Whether enough holders have all of it. The number is on disk before it leaves. */
  async #empty(before: OwnRecovery, signal: AbortSignal): Promise<boolean> {
    const { store, clock, network } = this.#deps
    const former = { ...before, number: Math.min(before.number + 1, RECOVERY_NUMBER_MAX) }
    await this.#write(store.recovery.putFormer(former))
    const { number, secret } = former
    const expiry = Math.floor(clock.now() / HOUR_MS) + RECOVERY_LIFE_HOURS
    for (let index = Math.max(former.chunks, 1) - 1; index >= 0; index--) {
      const empty = {
        version: 1,
        number,
        index,
        count: index + 1,
        deviceId: NOBODY,
        cardNumber: 0,
        entries: [],
      } as const
      const body = await sealRecovery(this.#deps, secret, empty, expiry)
      const { receipts } = await network.publish({ kind: CARD_KIND.recovery, body }, signal)
      signal.throwIfAborted()
      if (receipts < WRITE_QUORUM) return false
    }
    await this.#write(store.recovery.putFormer({ ...former, publishedAt: clock.now() }))
    return true
  }

  async #write(ops: ReturnType<RecoveryDeps['store']['recovery']['putFormer']>): Promise<void> {
    await this.#deps.journal.commit(() => ({ ops, facts: [], result: undefined }))
  }
}
