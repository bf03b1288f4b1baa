/** Asks the network for an account before this home has one: its newest card says under which number it goes on. */
import type { Base } from './base.ts'
import { equal } from '../lib/bytes.ts'
import { sleep } from '../lib/clock.ts'
import { accountIdOfCard, verifyAccountCard } from '../protocol/card-rules.ts'
import { accountCardKey } from '../protocol/mailbox-rules.ts'
import { Cards } from '../services/mailbox/cards.ts'
import { Zones } from '../services/mailbox/zones.ts'
import type { AccountCard } from '../wire/card.ts'
import { CARD_KIND } from '../wire/holder.ts'

/** A daemon that has just started has no peers yet. */
const AGAIN_MS = 500

export interface CardAnswer {
  readonly newest?: AccountCard
  /** Whether enough holders have answered to know that there is no newer one. */
  readonly asked: boolean
}

/** What the network says within `limitMs`. Does not throw for the network. */
export async function askForCard(
  { mail, crypto, clock, log }: Pick<Base, 'mail' | 'crypto' | 'clock' | 'log'>,
  accountId: Uint8Array,
  limitMs: number,
): Promise<CardAnswer> {
  const deps = { ...mail, log }
  const cards = new Cards(deps, new Zones(deps))
  const off = new AbortController()
  const cancel = clock.after(limitMs, () => {
    off.abort()
  })
  try {
    for (;;) {
      const { record, complete } = await cards.fetch(accountCardKey(crypto, accountId), off.signal, { whole: true })
      const card = record?.kind === CARD_KIND.account ? record.body : undefined
      const own = card !== undefined && equal(accountIdOfCard(crypto, card), accountId)
      if (own && verifyAccountCard(crypto, card, clock.now() / 1_000)) return { newest: card, asked: complete }
      if (complete || off.signal.aborted) return { asked: complete }
      await sleep(clock, AGAIN_MS)
    }
  } catch (error) {
    if (off.signal.aborted) return { asked: false }
    throw error
  } finally {
    cancel()
  }
}
