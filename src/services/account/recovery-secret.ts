/** The recovery secret of the account: derived while the account key is at hand, and kept in the sealed store (protocol §7). */
import { equal } from '../../lib/bytes.ts'
import { nameOf } from '../../lib/errors.ts'
import { RECOVERY_NUMBER_MAX, recoverySecret } from '../../protocol/recovery-rules.ts'
import { RECOVERY_STATE, Recovery } from '../../store/recovery.ts'
import type { OwnRecovery } from '../../store/recovery.ts'
import type { Vault } from '../../store/vault.ts'
import { withAccountKey } from './account-key.ts'
import type { AccountContext } from './ports.ts'

/** Of an account that was made here: there is nothing to look for. */
export function newRecovery(accountId: Uint8Array, secret: Uint8Array): OwnRecovery {
  return {
    version: 1,
    accountId,
    secret,
    state: RECOVERY_STATE.settled,
    asked: true,
    signAgain: false,
    since: 0,
    number: 0,
    chunks: 0,
    digest: new Uint8Array(32),
    publishedAt: 0,
  }
}

/** Of an account that came by its words: what it had is looked for, and its card waits for that. */
export function soughtRecovery(accountId: Uint8Array, secret: Uint8Array, nowMs: number): OwnRecovery {
  return askedAnew(newRecovery(accountId, secret), nowMs)
}

/** A leap above whatever was given to the records of an account that was rotated away. */
const FORMER_LEAP = 2 ** 20

/** Of an account that was rotated away: its records are emptied from now on, under numbers that nothing of before has. */
export function formerRecovery(own: OwnRecovery, nowMs: number): OwnRecovery {
  const number = Math.min(own.number + FORMER_LEAP, RECOVERY_NUMBER_MAX - FORMER_LEAP)
  return { ...own, state: RECOVERY_STATE.replaced, number, since: nowMs, publishedAt: 0 }
}

/** Its new card waits until the network has said what it knows. */
export function askedAnew(own: OwnRecovery, nowMs: number): OwnRecovery {
  return { ...own, state: RECOVERY_STATE.searching, asked: false, signAgain: false, since: nowMs }
}

/**
 * Derives the secret of a home that has none yet, being older than it, while the passphrase is at hand. Without the account key the home
 * works as before.
 */
export async function ensureRecovery(
  context: AccountContext,
  vault: Vault,
  passphrase: string,
  accountId: Uint8Array,
): Promise<void> {
  const records = new Recovery(context.database, vault)
  const known = await records.own()
  if (known !== undefined && equal(known.accountId, accountId)) return
  try {
    const secret = await withAccountKey(context, passphrase, accountId, async (seeds) =>
      recoverySecret(context.crypto, seeds),
    )
    await context.database.batch(records.put(newRecovery(accountId, secret)))
  } catch (error) {
    context.log.warn('this home keeps nothing for recovery: its account key is elsewhere', { error: nameOf(error) })
  }
}
