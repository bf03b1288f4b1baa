/**
 * Account succession (protocol §2): a new account key from a new phrase, and the old account's last card, which names it.
 * The old key signs that card, the new key signs that it follows; the device, its keys and mailboxes stay.
 *
 * On disk, in this order, so that a crash leaves either account whole: the sealed file with both keys, one batch with
 * the new account and the old one's last card, the sealed file with the new key alone.
 */
import { equal, wipe } from '../../lib/bytes.ts'
import { ConflictError, UsageError } from '../../lib/errors.ts'
import { hybridPublicKeys, type HybridSeeds } from '../../crypto/hybrid.ts'
import { accountSeeds, newPhrase } from '../../crypto/mnemonic.ts'
import { accountId } from '../../protocol/account-id.ts'
import { signSuccessor } from '../../protocol/card-rules.ts'
import { recoverySecret } from '../../protocol/recovery-rules.ts'
import { Accounts } from '../../store/accounts.ts'
import { Devices } from '../../store/devices.ts'
import { Recovery } from '../../store/recovery.ts'
import type { Vault } from '../../store/vault.ts'
import { sealAccountKey, withAccountKey } from './account-key.ts'
import { FormerAccounts } from './former.ts'
import { certify, makeAccountCard, renewedCertificates } from './make-cards.ts'
import { isOvertaken, type OwnRecords, ownRecords } from './own-records.ts'
import type { AccountContext, ChangeLog } from './ports.ts'
import { formerRecovery, newRecovery } from './recovery-secret.ts'

export interface RotatedAccount {
  /** 24 words of the new account. Those of the old one are worth nothing from now on but to sign its card. */
  readonly phrase: string
  readonly accountId: Uint8Array
}

/**
 * Rotates the account. Everything that runs under the old id has to be stopped and unlocked anew after it. Throws
 * PassphraseError, UsageError for a phrase that is wrong or the old one, ConflictError where the account went on without
 * this device.
 */
export async function rotateAccount(
  context: AccountContext,
  home: { readonly vault: Vault; readonly journal: ChangeLog },
  options: { readonly passphrase: string; readonly phrase?: string },
): Promise<RotatedAccount> {
  const phrase = options.phrase ?? newPhrase(context.rng)
  const next = await accountSeeds(context.crypto, phrase)
  const id = accountId(context.crypto, hybridPublicKeys(context.crypto, next))
  try {
    const { own, device } = await ownRecords(context, home.vault)
    if (isOvertaken(own))
      throw new ConflictError('the account went on without this device: rotate it from one it lists')
    if (equal(id, own.accountId)) throw new UsageError('these words are those of the account as it is: use new ones')
    await withAccountKey(context, options.passphrase, own.accountId, async (old) => {
      await sealAccountKey(context, options.passphrase, old, next)
      await writeSuccession(context, home, { old, next, own, device })
    })
    await sealAccountKey(context, options.passphrase, next)
    return { phrase, accountId: id }
  } finally {
    wipe(next.ed25519, next.mldsa65)
  }
}

interface Succession extends OwnRecords {
  readonly old: HybridSeeds
  readonly next: HybridSeeds
}

async function writeSuccession(
  context: AccountContext,
  home: { readonly vault: Vault; readonly journal: ChangeLog },
  succession: Succession,
): Promise<void> {
  const { crypto, clock, database } = context
  const { old, next, own, device } = succession
  const nowS = Math.floor(clock.now() / 1_000)
  const number = own.number + 1
  const successor = await signSuccessor(crypto, next, own.accountId)
  const devices = await renewedCertificates(crypto, old, own.card.body.devices, nowS)
  const last = await makeAccountCard(crypto, old, { before: own.card, number, devices, successor, nowS })
  const certificate = await certify(crypto, next, device.certificate.body, nowS)
  const first = await makeAccountCard(crypto, next, { before: undefined, number: 1, devices: [certificate], nowS })
  const id = certificate.body.accountId
  await home.journal.commit(async () => {
    const { own: latest, device: newest } = await ownRecords(context, home.vault)
    const recovery = new Recovery(database, home.vault)
    const known = await recovery.own()
    if (latest.number !== own.number) throw new ConflictError('the account card changed meanwhile: try again')
    return {
      ops: [
        ...new Accounts(database, home.vault).put({
          version: 1,
          accountId: id,
          card: first,
          number: 1,
          publishedAt: 0,
        }),
        ...new FormerAccounts(database, home.vault).put({ ...latest, card: last, number, publishedAt: 0 }),
        ...new Devices(database, home.vault).put({ ...newest, accountId: id, certificate }),
        ...(known === undefined ? [] : recovery.putFormer(formerRecovery(known, clock.now()))),
        ...recovery.put(newRecovery(id, recoverySecret(crypto, next))),
      ],
      facts: [{ type: 'account:rotated', data: { number } }],
      result: undefined,
    }
  })
}
