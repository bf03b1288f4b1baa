/** People who talk while it storms: single messages, bursts, long ones; and who ask again where no answer came. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { MessageView } from '../../src/api/application/messages.ts'
import { ApiFault } from '../support/local-api.ts'
import type { ApiDaemon } from '../support/api-daemon.ts'
import type { Dice } from './dice.ts'
import type { Ledger, Saying } from './ledger.ts'

const BETWEEN_MS = 1_200
const BURST_MAX = 25
const AT_ONCE = 5
const LONG_LETTERS = 9_000
/** Who was not answered asks again after so long, and so often, with the same key. */
const AGAIN_MS = 1_500
const AGAIN_MAX = 60

export interface LoadInit {
  readonly people: readonly ApiDaemon[]
  /** Account ids by name. */
  readonly accounts: ReadonlyMap<string, string>
  readonly ledger: Ledger
  readonly dice: Dice
  /** Stands in every text, and must stand nowhere else. */
  readonly secret: string
}

export class Load {
  readonly #init: LoadInit
  readonly #asking = new Set<Promise<void>>()
  #ended = false

  constructor(init: LoadInit) {
    this.#init = init
  }

  /** Everybody talks until then; resolves when nobody asks again any more. */
  async run(until: number): Promise<void> {
    await Promise.all(this.#init.people.map(async (person) => this.#talk(person, until)))
    this.#ended = true
    await Promise.all(this.#asking)
  }

  async #talk(person: ApiDaemon, until: number): Promise<void> {
    const { dice } = this.#init
    while (Date.now() < until) {
      const count = dice.once(12) ? 2 + dice.below(BURST_MAX) : 1
      const sayings = Array.from({ length: count }, () => this.#saying(person))
      while (sayings.length > 0) {
        await Promise.all(sayings.splice(0, AT_ONCE).map(async (saying) => this.#say(person, saying)))
      }
      await sleep(Math.max(0, Math.min(dice.wait(BETWEEN_MS), until - Date.now())))
    }
  }

  #saying(person: ApiDaemon): Saying {
    const { people, dice, ledger, secret } = this.#init
    const to = dice.pick(people.filter((other) => other !== person))
    const words = dice.once(10) ? `${secret} ${dice.letters(dice.below(LONG_LETTERS))}` : secret
    return ledger.tries(person.name, to.name, words)
  }

  async #say(person: ApiDaemon, saying: Saying): Promise<void> {
    if (await this.#ask(person, saying)) return
    // Half of the people insist; the others never learn whether it went.
    if (!this.#init.dice.once(2)) return
    const work = this.#insist(person, saying).finally(() => this.#asking.delete(work))
    this.#asking.add(work)
  }

  async #insist(person: ApiDaemon, saying: Saying): Promise<void> {
    for (let i = 0; i < AGAIN_MAX; i++) {
      await sleep(AGAIN_MS)
      if (await this.#ask(person, saying)) return
      if (this.#ended && !person.running) return
    }
  }

  /** Whether the daemon has answered. */
  async #ask(person: ApiDaemon, saying: Saying): Promise<boolean> {
    if (!person.running) return false
    const to = this.#init.accounts.get(saying.to)
    try {
      const body = { to, text: saying.text }
      const { id } = await person.api<MessageView>('POST', '/messages', body, { 'idempotency-key': saying.key })
      this.#init.ledger.accepts(saying, id)
      return true
    } catch (error) {
      // 423: not unlocked yet. 503: it starts or stops. 504: not within its time; whether it went is not known.
      if (error instanceof ApiFault && ![423, 429, 503, 504].includes(error.status)) throw error
      return false
    }
  }
}
