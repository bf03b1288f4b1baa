/** Opens the home with its passphrase: slowly and always equally slowly for a wrong one, and not at all after five. */
import { equal } from '../../lib/bytes.ts'
import { type Clock, sleep } from '../../lib/clock.ts'
import { nameOf, NotFoundError, PassphraseError, RateError } from '../../lib/errors.ts'
import { KeyedQueue } from '../../lib/queue.ts'
import { DAY_S } from '../../protocol/card-rules.ts'
import { Accounts, type OwnAccount } from '../../store/accounts.ts'
import { Devices, type OwnDevice } from '../../store/devices.ts'
import { checkedFormat } from '../../store/migrations.ts'
import { Recovery } from '../../store/recovery.ts'
import { finishReseal } from '../../store/reseal.ts'
import { openVault, type Vault, vaultExists } from '../../store/vault.ts'
import { withAccountKey } from './account-key.ts'
import { accountExists } from './create.ts'
import { makeAccountCard, renewedCertificates } from './make-cards.ts'
import { isOvertaken, type OwnRecords, ownRecords, unlockedAccount } from './own-records.ts'
import type { AccountContext, UnlockedAccount } from './ports.ts'
import { askedAnew, ensureRecovery } from './recovery-secret.ts'

/** A wrong passphrase is answered this long after it was asked, however long the check took. */
const WRONG_PASSPHRASE_MS = 1_000
/** After this many wrong ones in a row … */
const WRONG_PASSPHRASES_MAX = 5
/** … nothing is even tried for this long. */
const LOCKOUT_MS = 30_000
/** A card with less than this left is made anew while the passphrase is at hand. */
const CARD_RENEWAL_S = 60 * DAY_S
const ATTEMPTS_WAITING_MAX = 8

export interface Unlocked {
  readonly vault: Vault
  readonly account: UnlockedAccount
}

/**
 * Keeps count of wrong passphrases for the life of the process. The count slows down guessing over the local API; who
 * can read the files guesses at the price of Argon2id.
 */
export class Unlocker {
  readonly #context: AccountContext
  readonly #queue = new KeyedQueue(ATTEMPTS_WAITING_MAX)
  #wrong = 0
  #lockedUntil = 0

  constructor(context: AccountContext) {
    this.#context = context
  }

  /**
   * The vault and the account, the account card made anew where it nears its end. Attempts run one after another. Throws
   * PassphraseError, RateError during a lockout, NotFoundError where the home has no account, LimitError where too
   * many attempts wait.
   */
  async unlock(passphrase: string): Promise<Unlocked> {
    return this.attempt(async () => open(this.#context, passphrase))
  }

  /** Runs what a passphrase opens, and counts it where it does not. Throws as {@link unlock}, and what `job` throws. */
  async attempt<T>(job: () => Promise<T>): Promise<T> {
    return this.#queue.run('', async () => this.#attempt(job))
  }

  async #attempt<T>(job: () => Promise<T>): Promise<T> {
    const { clock } = this.#context
    const startedAt = clock.now()
    if (startedAt < this.#lockedUntil) {
      throw new RateError('too many wrong passphrases: wait and try again', this.#lockedUntil - startedAt)
    }
    try {
      const result = await job()
      this.#wrong = 0
      return result
    } catch (error) {
      if (error instanceof PassphraseError) await this.#punish(clock, startedAt)
      throw error
    }
  }

  async #punish(clock: Clock, startedAt: number): Promise<void> {
    this.#wrong++
    await sleep(clock, Math.max(0, startedAt + WRONG_PASSPHRASE_MS - clock.now()))
    if (this.#wrong < WRONG_PASSPHRASES_MAX) return
    this.#wrong = 0
    this.#lockedUntil = clock.now() + LOCKOUT_MS
  }
}

async function open(context: AccountContext, passphrase: string): Promise<Unlocked> {
  const { files, database } = context
  await finishReseal(files, context)
  if (!(await vaultExists(files.vault, context)) || !(await accountExists(database))) {
    throw new NotFoundError('this home has no account yet: create one first')
  }
  const vault = await openVault(files.vault, passphrase, context)
  try {
    return { vault, account: await load(context, vault, passphrase) }
  } catch (error) {
    vault.lock()
    throw error
  }
}

/** The account of an open vault, for instance right after its creation. Throws NotFoundError where it holds none. */
export async function loadAccount(context: AccountContext, vault: Vault): Promise<UnlockedAccount> {
  return unlockedAccount(await ownRecords(context, vault))
}

async function load(context: AccountContext, vault: Vault, passphrase: string): Promise<UnlockedAccount> {
  // Before anything is written: a home of a newer version stays as that left it.
  await checkedFormat(context.database, vault)
  const records = await ownRecords(context, vault)
  await ensureRecovery(context, vault, passphrase, records.own.accountId)
  const left = records.own.card.body.expiresAt - context.clock.now() / 1_000
  const again = (await new Recovery(context.database, vault).own())?.signAgain ?? false
  if (!again && (left >= CARD_RENEWAL_S || isOvertaken(records.own))) return unlockedAccount(records)
  try {
    return await renew(context, vault, passphrase, records)
  } catch (error) {
    // The home works on until the card expires: who keeps the account key elsewhere renews from there.
    context.log.warn('the account card could not be made anew', { error: nameOf(error) })
    return unlockedAccount(records)
  }
}

/** A new card with the same devices. It is on disk before anybody sees it. */
async function renew(
  context: AccountContext,
  vault: Vault,
  passphrase: string,
  { own, device }: OwnRecords,
): Promise<UnlockedAccount> {
  const { crypto, clock, database } = context
  const nowS = Math.floor(clock.now() / 1_000)
  const number = own.number + 1
  const card = await withAccountKey(context, passphrase, own.accountId, async (seeds) => {
    const devices = await renewedCertificates(crypto, seeds, own.card.body.devices, nowS)
    return makeAccountCard(crypto, seeds, { before: own.card, number, devices, nowS })
  })
  const renewed = { ...own, card, number, publishedAt: 0 }
  const certificate = certificateFor(renewed, device)
  const certified = { ...device, certificate }
  const recovery = new Recovery(database, vault)
  const known = await recovery.own()
  await database.batch([
    ...new Accounts(database, vault).put(renewed),
    ...new Devices(database, vault).put(certified),
    ...(known?.signAgain === true ? recovery.put(askedAnew(known, clock.now())) : []),
  ])
  context.log.info('the account card was made anew', { number })
  return unlockedAccount({ own: renewed, device: certified })
}

function certificateFor(own: OwnAccount, device: OwnDevice): OwnDevice['certificate'] {
  const listed = own.card.body.devices.find(({ body }) => equal(body.deviceId, device.deviceId))
  return listed ?? device.certificate
}
