/** What the open store says about the account of this home. */
import { NotFoundError } from '../../lib/errors.ts'
import { Accounts, type OwnAccount } from '../../store/accounts.ts'
import { Devices, type OwnDevice } from '../../store/devices.ts'
import type { Vault } from '../../store/vault.ts'
import type { AccountContext, UnlockedAccount } from './ports.ts'

export interface OwnRecords {
  readonly own: OwnAccount
  readonly device: OwnDevice
}

/**
 * Whether the account's card went on without this device: a newer one was seen that does not list it. A card signed here
 * would contradict that one, and every contact would suspend the account.
 */
export function isOvertaken(own: OwnAccount): boolean {
  return own.card.body.number < own.number
}

/** Account and device. Throws NotFoundError where there is none. */
export async function ownRecords(context: Pick<AccountContext, 'database'>, vault: Vault): Promise<OwnRecords> {
  const own = await new Accounts(context.database, vault).own()
  const device = await new Devices(context.database, vault).own()
  if (own === undefined || device === undefined)
    throw new NotFoundError('this home has no account yet: create one first')
  return { own, device }
}

/** The account as the other services see it. */
export function unlockedAccount({ own, device }: OwnRecords): UnlockedAccount {
  const { deviceId, certificate, signingSeeds, identitySecret, mailboxSeed, introSeed, createdAt } = device
  return {
    accountId: own.accountId,
    account: own.card.body.account,
    deviceId,
    certificate,
    signingSeeds,
    identitySecret,
    mailboxSeed,
    introSeed,
    createdAt,
  }
}
