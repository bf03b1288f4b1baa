/** Makes the account of a home: phrase, account key, device, card number 1, first prekeys. Nothing leaves the machine. */
import { equal, wipe } from '../../lib/bytes.ts'
import { ConflictError, PassphraseError, UsageError } from '../../lib/errors.ts'
import { hybridPublicKeys, type HybridSeeds } from '../../crypto/hybrid.ts'
import { accountSeeds, newPhrase } from '../../crypto/mnemonic.ts'
import { PASSPHRASE_COST } from '../../crypto/password.ts'
import { accountId } from '../../protocol/account-id.ts'
import { accountIdOfCard } from '../../protocol/card-rules.ts'
import { recoverySecret } from '../../protocol/recovery-rules.ts'
import { Accounts } from '../../store/accounts.ts'
import { bucketRange, HELD_BUCKETS } from '../../store/buckets.ts'
import type { Database, StoreOp } from '../../store/database.ts'
import { Devices } from '../../store/devices.ts'
import { Prekeys } from '../../store/prekeys.ts'
import { Recovery } from '../../store/recovery.ts'
import { createVault, openVault, type Vault, vaultExists } from '../../store/vault.ts'
import type { AccountCard } from '../../wire/card.ts'
import { sealAccountKey } from './account-key.ts'
import { certify, devicePublic, makeAccountCard, newDevice } from './make-cards.ts'
import type { AccountContext } from './ports.ts'
import { rotatePrekeys } from './prekey-rotation.ts'
import { newRecovery, soughtRecovery } from './recovery-secret.ts'

export interface CreateOptions {
  /** Seals the home. */
  readonly passphrase: string
  /** Brings back the account of these 24 words; without it a new one is made. */
  readonly phrase?: string
  /** The newest card of that account in the network, verified, where there is one: the new card continues its chain. */
  readonly newest?: AccountCard
  /** The highest number that is known to have been given to a card of it. */
  readonly above?: number
}

export interface CreatedAccount {
  /** 24 words, to be shown once and written down. They are stored nowhere. */
  readonly phrase: string
  readonly accountId: Uint8Array
  /** Open: the home needs no unlocking after its creation. */
  readonly vault: Vault
}

/** Whether the home's store holds an account. Needs no passphrase. */
export async function accountExists(database: Database): Promise<boolean> {
  for await (const _key of database.keys({ ...bucketRange('accounts'), limit: 1 })) return true
  return false
}

/** The account of these words. Throws UsageError where they are none. */
export async function accountOfPhrase({ crypto }: Pick<AccountContext, 'crypto'>, phrase: string): Promise<Uint8Array> {
  const seeds = await accountSeeds(crypto, phrase)
  try {
    return accountId(crypto, hybridPublicKeys(crypto, seeds))
  } finally {
    wipe(seeds.ed25519, seeds.mldsa65)
  }
}

/**
 * Makes the account. A home has one: throws ConflictError where it has one already, UsageError for a wrong phrase, an
 * empty passphrase, or a `newest` of another account. A creation that was cut short is taken up again by the same
 * passphrase.
 */
export async function createAccount(context: AccountContext, options: CreateOptions): Promise<CreatedAccount> {
  const phrase = options.phrase ?? newPhrase(context.rng)
  const seeds = await accountSeeds(context.crypto, phrase)
  try {
    const id = accountId(context.crypto, hybridPublicKeys(context.crypto, seeds))
    if (options.newest && !equal(accountIdOfCard(context.crypto, options.newest), id)) {
      throw new UsageError('these words belong to another account than the card that was found')
    }
    if (await accountExists(context.database)) throw new ConflictError('this home has an account already')
    await clearUnfinished(context)
    const vault = await makeVault(context, options.passphrase)
    const isBack = options.phrase !== undefined
    await context.database.batch(await establish(context, vault, seeds, { ...options, isBack }))
    return { phrase, accountId: id, vault }
  } finally {
    wipe(seeds.ed25519, seeds.mldsa65)
  }
}

/** Takes away what a restoring that was cut short left in a home without an account. */
export async function clearUnfinished({ database }: Pick<AccountContext, 'database'>): Promise<void> {
  await database.clear({ gte: Uint8Array.of(0), lt: Uint8Array.of(HELD_BUCKETS) })
}

/** A vault without an account in the store is what an interrupted creation left; it protects nothing yet. */
export async function makeVault(context: AccountContext, passphrase: string): Promise<Vault> {
  const { files, cost = PASSPHRASE_COST } = context
  if (!(await vaultExists(files.vault, context))) return createVault(files.vault, passphrase, context, cost)
  try {
    return await openVault(files.vault, passphrase, context)
  } catch (error) {
    if (!(error instanceof PassphraseError)) throw error
    throw new ConflictError('this home was begun with another passphrase: use that one, or another home', {
      cause: error,
    })
  }
}

/** Seals the account key, and returns what makes this device one of the account's. `isBack`: the account was there before. */
export async function establish(
  context: AccountContext,
  vault: Vault,
  seeds: HybridSeeds,
  { passphrase, newest, above, isBack }: Omit<CreateOptions, 'phrase'> & { readonly isBack: boolean },
): Promise<readonly StoreOp[]> {
  await sealAccountKey(context, passphrase, seeds)
  const { crypto, rng, clock, database } = context
  const now = clock.now()
  const nowS = Math.floor(now / 1_000)
  const secrets = newDevice(rng)
  const certificate = await certify(crypto, seeds, devicePublic(crypto, secrets), nowS)
  const id = certificate.body.accountId
  const secret = recoverySecret(crypto, seeds)
  const number = isBack ? recoveredNumber(newest, above, nowS) : 1
  const before = newest ?? (isBack ? 'unknown' : undefined)
  const card = await makeAccountCard(crypto, seeds, { before, number, devices: [certificate], nowS })
  const rotation = rotatePrekeys({ signed: [], kem: [] }, { rng, now, nextId: 1 })
  const device = {
    version: 1,
    ...secrets,
    accountId: id,
    certificate,
    createdAt: now,
    prekeyCardNumber: 0,
    policyNumber: 0,
    nextPrekeyId: rotation.nextId,
  } as const
  return [
    ...new Accounts(database, vault).put({ version: 1, accountId: id, card, number, publishedAt: 0 }),
    ...new Devices(database, vault).put(device),
    ...rotation.ops(new Prekeys(database, vault)),
    ...new Recovery(database, vault).put(isBack ? soughtRecovery(id, secret, now) : newRecovery(id, secret)),
  ]
}

/** Numbers of cards are 32 bits: a clock that is further ahead than this (2105) tells nothing. */
const CLOCK_MAX_S = 2 ** 32 - 2 ** 25

/**
 * The number of the first card of an account that is brought back: above every one that was ever given to it. The network may show us an
 * old card or none, and two cards of one number suspend every contact; but nobody makes a card each second, so the seconds since 1970
 * are ahead of every count. Where the predecessor is not known there is a gap to it, over which no chain is asked for.
 */
function recoveredNumber(newest: AccountCard | undefined, above: number | undefined, nowS: number): number {
  const shown = newest?.body.number ?? 0
  const byClock = nowS < CLOCK_MAX_S ? nowS + (newest === undefined ? 2 : 0) : 0
  return Math.max(shown + 1, above !== undefined && above > shown ? above + 2 : 0, byClock)
}
