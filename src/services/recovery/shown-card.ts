/** The account's card as the network shows it, and what it means beside ours. */
import { equal } from '../../lib/bytes.ts'
import { accountCardHash, accountIdOfCard, verifyAccountCard } from '../../protocol/card-rules.ts'
import { accountCardKey } from '../../protocol/mailbox-rules.ts'
import type { OwnAccount } from '../../store/accounts.ts'
import type { AccountCard } from '../../wire/card.ts'
import { CARD_KIND } from '../../wire/holder.ts'
import type { RecoveryDeps } from './ports.ts'

/** What the network says about the account itself. */
export type CardFound = { readonly kind: 'card'; readonly card: AccountCard } | { readonly kind: 'none' | 'unheard' }

type ShownCardDeps = Pick<RecoveryDeps, 'crypto' | 'clock' | 'network'>

/** The newest verified card of the account, of all answers of the zone. */
export async function shownCard(
  { crypto, clock, network }: ShownCardDeps,
  accountId: Uint8Array,
  signal: AbortSignal,
): Promise<CardFound> {
  const { record, complete } = await network.fetch(accountCardKey(crypto, accountId), signal)
  if (record?.kind === CARD_KIND.account) {
    const card = record.body
    const holds = verifyAccountCard(crypto, card, clock.now() / 1_000)
    if (holds && equal(accountIdOfCard(crypto, card), accountId)) return { kind: 'card', card }
  }
  return { kind: complete ? 'none' : 'unheard' }
}

/**
 * Whether a verified card without this device contradicts or passes ours: its number is ours or a later one, or the one before ours
 * although ours does not follow it. Contacts that have it would suspend the account for ours.
 */
export function passesOurs(
  { crypto }: Pick<RecoveryDeps, 'crypto'>,
  { card: ours }: Pick<OwnAccount, 'card'>,
  deviceId: Uint8Array,
  shown: AccountCard,
): boolean {
  if (shown.body.devices.some(({ body }) => equal(body.deviceId, deviceId))) return false
  const step = ours.body.number - shown.body.number
  return step <= 0 || (step === 1 && !equal(ours.body.previous, accountCardHash(crypto, shown)))
}
