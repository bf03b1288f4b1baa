/** Cards as account and directory ask for them: counts and records, and an error where the network is silent. */
import { NetworkError } from '../../lib/errors.ts'
import type { CardRecord } from '../../wire/holder.ts'
import type { Cards } from './cards.ts'

export class CardNetwork {
  readonly #cards: Cards

  constructor(cards: Cards) {
    this.#cards = cards
  }

  /** How many holders signed for it. Throws NetworkError where none did. */
  async publish(record: CardRecord, signal: AbortSignal = NEVER): Promise<{ readonly receipts: number }> {
    const { receipts } = await this.#cards.publish(record, signal)
    signal.throwIfAborted()
    if (receipts.length === 0) throw new NetworkError('no holder took the card')
    return { receipts: receipts.length }
  }

  /** The newest good record, of the answers of three holders at least where there are as many. */
  async fetch(key: Uint8Array, signal: AbortSignal = NEVER): Promise<CardRecord | undefined> {
    const { record, answers, complete } = await this.#cards.fetch(key, signal)
    signal.throwIfAborted()
    if (answers === 0) throw new NetworkError('no holder answered')
    if (record === undefined && !complete) throw new NetworkError('too few holders answered')
    return record
  }
}

const NEVER = new AbortController().signal
