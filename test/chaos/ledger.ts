/** What was said, what was accepted, and the reckoning with what came in. */
import { toHex } from '../../src/lib/bytes.ts'
import type { Message } from '../../src/store/records.ts'

export interface Saying {
  readonly from: string
  readonly to: string
  /** No two sayings have the same. */
  readonly text: string
  /** Idempotency-Key: who is unsure whether it was accepted asks with it again. */
  readonly key: string
  /** Set once the API has answered with an id: from then on it has to arrive. */
  id: string | undefined
  /** `asked` for back it may arrive or not; once its daemon has said that it is back (`yes`), it must not. */
  withdrawn: 'no' | 'asked' | 'yes'
}

export interface Reckoning {
  readonly accepted: number
  /** Accepted ones that are with their recipient. */
  readonly delivered: number
  readonly lost: readonly Saying[]
  /** Texts that somebody has more than once. */
  readonly duplicates: readonly string[]
  /** Texts that somebody has who was not their recipient, that nobody said, or that were taken back. */
  readonly foreign: readonly string[]
}

/** What a person has received, by who is meant to have it. */
export type Received = ReadonlyMap<string, readonly Message[]>

export class Ledger {
  readonly sayings: Saying[] = []
  readonly #byId = new Map<string, Saying>()
  readonly #byText = new Map<string, Saying>()
  #serial = 0

  get accepted(): number {
    return this.#byId.size
  }

  /** Notes it before it is tried: what is not accepted may arrive all the same, but only once. */
  tries(from: string, to: string, words: string): Saying {
    const serial = ++this.#serial
    const saying: Saying = {
      from,
      to,
      text: `${from} to ${to}, ${serial}: ${words}`,
      key: `chaos-${serial}`,
      id: undefined,
      withdrawn: 'no',
    }
    this.sayings.push(saying)
    this.#byText.set(saying.text, saying)
    return saying
  }

  accepts(saying: Saying, id: string): void {
    saying.id = id
    this.#byId.set(id, saying)
  }

  withId(id: string): Saying | undefined {
    return this.#byId.get(id)
  }

  reckon(received: Received): Reckoning {
    const counts = new Map<string, number>()
    const foreign: string[] = []
    for (const [person, messages] of received) {
      for (const { text } of messages) {
        counts.set(text, (counts.get(text) ?? 0) + 1)
        const saying = this.#byText.get(text)
        if (saying?.to !== person || saying.withdrawn === 'yes') foreign.push(text)
      }
    }
    const accepted = [...this.#byId.values()].filter(({ withdrawn }) => withdrawn === 'no')
    const lost = accepted.filter(({ text }) => !counts.has(text))
    return {
      accepted: accepted.length,
      delivered: accepted.length - lost.length,
      lost,
      duplicates: [...counts].filter(([, count]) => count > 1).map(([text]) => text),
      foreign,
    }
  }
}

/** An id as the API shows it. */
export const idOf = (message: Pick<Message, 'id'>): string => toHex(message.id)
