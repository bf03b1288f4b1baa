/** Backups among the other rooms: what is copied of an open home, and how an empty one takes it back. */
import { wipe } from '../lib/bytes.ts'
import { withAccountKey } from '../services/account/account-key.ts'
import { accountExists, clearUnfinished, establish, makeVault } from '../services/account/create.ts'
import { backupBytes } from '../services/backup/make.ts'
import type { KnownCard } from '../services/backup/ports.ts'
import { restoreBackup } from '../services/backup/restore.ts'
import type { RestoredHome } from '../services/backup/restore.ts'
import { SETTINGS_NAME } from '../services/settings/settings.ts'
import { sealStream } from '../store/backup-stream.ts'
import type { Base } from './base.ts'
import type { UnlockedRooms } from './build-rooms.ts'

/** Of the user, and not of this device. */
const SETTINGS = [SETTINGS_NAME]

/** The sealed file. `seeds` are wiped when it is made, or given up. */
export async function* sealedBackup(
  { account: { crypto, rng, cost }, clock }: Base,
  { store }: UnlockedRooms,
  seeds: { readonly ed25519: Uint8Array; readonly mldsa65: Uint8Array },
  passphrase: string,
): AsyncGenerator<Uint8Array> {
  try {
    const plain = backupBytes({ store, seeds, settings: SETTINGS, clock })
    yield* sealStream(plain, passphrase, { crypto, rng }, cost)
  } finally {
    wipe(seeds.ed25519, seeds.mldsa65)
  }
}

/** A copy of the account's keys, for the caller to wipe. Throws PassphraseError. */
export async function accountSeeds(
  { account }: Base,
  { account: { accountId } }: UnlockedRooms,
  passphrase: string,
): Promise<{ readonly ed25519: Uint8Array; readonly mldsa65: Uint8Array }> {
  return withAccountKey(account, passphrase, accountId, async ({ ed25519, mldsa65 }) =>
    Promise.resolve({ ed25519: ed25519.slice(), mldsa65: mldsa65.slice() }),
  )
}

export async function restoredHome(
  { account }: Base,
  input: { readonly backup: AsyncIterable<Uint8Array>; readonly passphrase: string; readonly newPassphrase: string },
  lookFor: (accountId: Uint8Array) => Promise<KnownCard>,
): Promise<RestoredHome> {
  const maker = {
    exists: async () => accountExists(account.database),
    clear: async () => clearUnfinished(account),
    makeVault: async (passphrase: string) => makeVault(account, passphrase),
    establish: async (...[vault, seeds, options]: Parameters<RestoreMaker['establish']>) =>
      establish(account, vault, seeds, { ...options, isBack: true }),
  }
  return restoreBackup({ ...account, account: maker }, { ...input, settings: SETTINGS, lookFor })
}
type RestoreMaker = Parameters<typeof restoreBackup>[0]['account']
