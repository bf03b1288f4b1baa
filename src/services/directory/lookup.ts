/** Asks the network for an account's cards and believes only what verifies. Keeps nothing. */
import { equal } from '../../lib/bytes.ts'
import type { Clock } from '../../lib/clock.ts'
import { nameOf, NetworkError, TimeoutError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import { accountIdOfCard, verifyAccountCard, verifyPrekeyCard } from '../../protocol/card-rules.ts'
import { accountCardKey, prekeyCardKey } from '../../protocol/mailbox-rules.ts'
import { prekeysFit } from '../../protocol/trust.ts'
import type { AccountCard } from '../../wire/card.ts'
import { CARD_KIND, type CardRecord } from '../../wire/holder.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'
import type { CardReader } from './ports.ts'

export interface LookupContext {
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly network: CardReader
  readonly log: Logger
}

/**
 * The account's newest card, or `undefined` where the network has none that is true. Throws TimeoutError, and NetworkError
 * where nobody answered.
 */
export async function lookupAccount(
  context: LookupContext,
  accountId: Uint8Array,
  signal: AbortSignal,
): Promise<AccountCard | undefined> {
  const { crypto, clock, network } = context
  const record = await until(signal, network.fetch(accountCardKey(crypto, accountId), signal))
  if (record?.kind !== CARD_KIND.account) return undefined
  const card = record.body
  const own = equal(accountIdOfCard(crypto, card), accountId)
  if (own && verifyAccountCard(crypto, card, clock.now() / 1_000)) return card
  context.log.debug('an account card that does not hold was left aside')
  return undefined
}

/** Of each device on the list its newest prekey card, where the network has one that is true. Never throws for the network. */
export async function lookupPrekeys(
  context: LookupContext,
  account: AccountCard,
  signal: AbortSignal,
): Promise<readonly PrekeyCard[]> {
  const { crypto, clock, network, log } = context
  const found = await Promise.all(
    account.body.devices.map(async ({ body: { accountId, deviceId } }): Promise<CardRecord | undefined> => {
      try {
        return await until(signal, network.fetch(prekeyCardKey(crypto, accountId, deviceId), signal))
      } catch (error) {
        if (!isAbsence(error)) throw error
        log.debug('a prekey card could not be fetched', { error: nameOf(error) })
        return undefined
      }
    }),
  )
  return found
    .flatMap((record) => (record?.kind === CARD_KIND.prekeys ? [record.body] : []))
    .filter((card) => prekeysFit(account, card) && verifyPrekeyCard(crypto, card, clock.now() / 1_000))
}

/** Whether an error means that the network did not answer, rather than that something is broken. */
export function isAbsence(error: unknown): boolean {
  return error instanceof NetworkError || error instanceof TimeoutError
}

/** What the network says, or TimeoutError as soon as the signal is given: also where the network does not listen to it. */
async function until<T>(signal: AbortSignal, answer: Promise<T>): Promise<T> {
  const late = new TimeoutError('the network did not answer in time')
  if (signal.aborted) {
    answer.catch(() => {})
    throw late
  }
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = (): void => {
      reject(late)
    }
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([answer, aborted])
  } catch (error) {
    throw signal.aborted ? late : error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
