/** The room put together: what looks for the records, what keeps them, and what meets the contacts again. */
import type { Startable } from '../../lib/lifecycle.ts'
import { RECOVERY_STATE } from '../../store/recovery.ts'
import { FormerRecords } from './former.ts'
import { Greeter } from './greeter.ts'
import { RecoveryKeeper } from './keeper.ts'
import type { RecoveryDeps } from './ports.ts'
import { RecoverySearch } from './search.ts'
import type { Recovered } from './search.ts'

export class RecoveryRoom implements Startable {
  readonly #deps: RecoveryDeps
  readonly #search: RecoverySearch
  readonly #keeper: RecoveryKeeper
  readonly #greeter: Greeter
  readonly #former: FormerRecords

  constructor(deps: RecoveryDeps) {
    this.#deps = deps
    this.#greeter = new Greeter(deps)
    this.#former = new FormerRecords(deps)
    this.#keeper = new RecoveryKeeper(deps, () => {
      this.#search.again()
    })
    this.#search = new RecoverySearch(deps, () => {
      this.#keeper.changed()
      this.#greeter.again()
      deps.onAnswer()
    })
  }

  start(): void {
    this.#search.start()
    this.#keeper.start()
    this.#greeter.start()
    this.#former.start()
  }

  async stop(): Promise<void> {
    await Promise.all([this.#search.stop(), this.#keeper.stop(), this.#greeter.stop(), this.#former.stop()])
  }

  /** Something of the account was written: it may be of a kind that is kept for recovery. */
  changed(): void {
    this.#keeper.changed()
    this.#greeter.changed()
  }

  /** Peers have come, or the network is back. */
  hurry(): void {
    this.#search.hurry()
    this.#keeper.hurry()
    this.#greeter.hurry()
    this.#former.hurry()
  }

  /** What the words have brought back as soon as the network has answered, or after `limitMs`. */
  async recovered(limitMs: number): Promise<Recovered> {
    return this.#search.recovered(limitMs)
  }

  /** Whether the account's card may not go out: the network was not asked yet, or has told us that the account has a successor. */
  async holdsCard(): Promise<boolean> {
    const own = await this.#deps.store.recovery.own()
    if (own === undefined) return false
    return own.state === RECOVERY_STATE.replaced || (own.state === RECOVERY_STATE.searching && !own.asked)
  }
}
