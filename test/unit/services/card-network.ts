/** A network of one memory that keeps cards as holders do: what holds, the highest number, nothing older. */
import type { Clock } from '../../../src/lib/clock.ts'
import { toHex } from '../../../src/lib/bytes.ts'
import { NetworkError } from '../../../src/lib/errors.ts'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { cardHolds, cardKey, cardVersion, compareVersions } from '../../../src/protocol/mailbox-rules.ts'
import type { CardRecord } from '../../../src/wire/holder.ts'

export class CardMemory {
  readonly #clock: Clock
  readonly #records = new Map<string, CardRecord>()
  readonly published: CardRecord[] = []
  readonly fetched: string[] = []
  /** Holders that sign for a card, and that answer. */
  holders = 5
  /** What a hostile network answers instead, by key. */
  readonly lies = new Map<string, CardRecord>()
  /** Whether questions stay open for ever. */
  silent = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async publish(record: CardRecord): Promise<{ receipts: number }> {
    this.published.push(record)
    const key = toHex(cardKey(crypto, record))
    const known = this.#records.get(key)
    const order = known === undefined ? 1 : compareVersions(cardVersion(crypto, record), cardVersion(crypto, known))
    if (order < 0) return { receipts: 0 }
    if (this.holders === 0 || !cardHolds(crypto, record, this.#clock.now())) return { receipts: 0 }
    this.#records.set(key, record)
    return { receipts: this.holders }
  }

  async fetch(key: Uint8Array): Promise<CardRecord | undefined> {
    const name = toHex(key)
    this.fetched.push(name)
    if (this.silent) return new Promise(() => {})
    if (this.holders === 0) throw new NetworkError('nobody is there')
    return this.lies.get(name) ?? this.#records.get(name)
  }

  at(key: Uint8Array): CardRecord | undefined {
    return this.#records.get(toHex(key))
  }
}
