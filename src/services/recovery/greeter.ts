/**
 * Meets the contacts that were brought back: each is found in the network, pinned anew beside its pin of before, and asked once more. They
 * agreed once, and their devices agree again by themselves; with the answer comes what we write to them by.
 */
import { eachBounded } from '../../lib/bounded.ts'
import { IdentityChangedError, nameOf } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Recovering } from '../../store/recovery.ts'
import type { RecoveryDeps } from './ports.ts'
import { Rounds } from './rounds.ts'
import type { Next } from './rounds.ts'

/** Contacts looked for in the network side by side. */
const MEETINGS_AT_ONCE = 4

export class Greeter implements Startable {
  readonly #deps: RecoveryDeps
  readonly #rounds: Rounds
  /** Contacts wait for our own card to go out: who is asked before would not know this device. */
  #waitsForCard = false

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

  /** There are contacts to be met. */
  again(): void {
    this.#rounds.within(0)
  }

  /** Something of the account was written: that its card is out, it may be. */
  changed(): void {
    if (this.#waitsForCard) this.#rounds.within(0)
  }

  async #round(signal: AbortSignal): Promise<Next> {
    const waiting = await this.#deps.store.recovery.contacts()
    if (waiting.length === 0) return 'never'
    const account = await this.#deps.store.accounts.own()
    this.#waitsForCard = account === undefined || account.publishedAt === 0
    if (this.#waitsForCard) return 'never'
    let met = 0
    await eachBounded(waiting, MEETINGS_AT_ONCE, async (each) => {
      signal.throwIfAborted()
      if (await this.#meet(each)) met++
    })
    return met === waiting.length ? 'never' : 'again'
  }

  async #meet(each: Recovering): Promise<boolean> {
    try {
      const accountId = await this.#deps.meeter.find(each.accountId)
      await this.#deps.journal.commit(async () => {
        const known = await this.#deps.store.recovery.contact(each.accountId)
        if (known === undefined) return { ops: [], facts: [], result: undefined }
        const greeting = known.greet ? await this.#deps.meeter.greetOps(accountId) : { ops: [], added: () => {} }
        return {
          ops: [...greeting.ops, ...this.#deps.store.recovery.deleteContact(each.accountId)],
          facts: [],
          result: undefined,
          done: greeting.added,
        }
      })
      return true
    } catch (error) {
      // Its keys are in question: the user has the word, and then it is met.
      const level = error instanceof IdentityChangedError ? 'warn' : 'debug'
      this.#deps.log[level]('a contact could not be met again', { error: nameOf(error) })
      return false
    }
  }
}
