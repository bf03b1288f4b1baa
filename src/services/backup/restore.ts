/**
 * Makes the account of an empty home from a backup: a new device with new prekeys, and everything that was said. Records are
 * written while the file is read; nothing of them counts before the account's own, which is written last, once the end of the file
 * was seen and found whole. Where that does not come about, all of it is taken away again.
 */
import { hybridPublicKeys } from '../../crypto/hybrid.ts'
import type { HybridSeeds } from '../../crypto/hybrid.ts'
import { equal, wipe } from '../../lib/bytes.ts'
import { CodecError, ConflictError } from '../../lib/errors.ts'
import { accountId } from '../../protocol/account-id.ts'
import { accountIdOfCard } from '../../protocol/card-rules.ts'
import { FILE_SYSTEM } from '../../store/atomic-file.ts'
import { BACKUP_ENTRY, decodeEntries } from '../../store/backup-entries.ts'
import type { BackupEntry, BackupHead } from '../../store/backup-entries.ts'
import { openStream } from '../../store/backup-stream.ts'
import type { StoreOp } from '../../store/database.ts'
import { vaultExists } from '../../store/vault.ts'
import type { Vault } from '../../store/vault.ts'
import type { AccountCard } from '../../wire/card.ts'
import type { RestoreContext, RestoreInput } from './ports.ts'
import { Restored } from './restored.ts'

export interface RestoredHome {
  readonly accountId: Uint8Array
  /** When the backup was made, ms. */
  readonly createdAt: number
  readonly contacts: number
  readonly messages: number
  /** Open. */
  readonly vault: Vault
}

/** Operations that one batch takes. */
const BATCH_OPS = 256

/**
 * Throws ConflictError where the home has an account, PassphraseError, CodecError for what is no backup, was changed or cut off; then
 * the home is as it was.
 */
export async function restoreBackup(context: RestoreContext, input: RestoreInput): Promise<RestoredHome> {
  if (await context.account.exists()) throw new ConflictError('this home has an account already')
  const entries = decodeEntries(openStream(input.backup, input.passphrase, context))
  const head = await next(entries, BACKUP_ENTRY.head)
  const account = await next(entries, BACKUP_ENTRY.account)
  const seeds = { ed25519: account.ed25519, mldsa65: account.mldsa65 }
  try {
    checkAccount(context, head, account.card, seeds)
    const known = await input.lookFor(head.accountId)
    const before = known.newest
    const newest = before !== undefined && before.body.number > account.card.body.number ? before : account.card
    await context.account.clear()
    const began = await vaultExists(context.files.vault, context)
    const vault = await context.account.makeVault(input.newPassphrase)
    try {
      const restored = await fill(context, vault, entries, input.settings)
      const own = { passphrase: input.newPassphrase, newest, above: account.number }
      await context.database.batch(await context.account.establish(vault, seeds, own))
      const { contacts, messages } = restored
      return { accountId: head.accountId, createdAt: head.createdAt, contacts, messages, vault }
    } catch (error) {
      vault.lock()
      // A full disk fails here again: what went wrong first is what the user is to know.
      await undo(context, began).catch(() => {})
      throw error
    }
  } finally {
    wipe(seeds.ed25519, seeds.mldsa65)
    await entries.return(undefined)
  }
}

type BodyOf<K extends BackupEntry['kind']> = Extract<BackupEntry, { readonly kind: K }>['body']

async function next<K extends BackupEntry['kind']>(entries: AsyncIterator<BackupEntry>, kind: K): Promise<BodyOf<K>> {
  const { done, value } = await entries.next()
  if (done === true || value.kind !== kind) throw new CodecError('the backup does not begin as one does')
  return value.body as BodyOf<K>
}

function checkAccount({ crypto }: RestoreContext, head: BackupHead, card: AccountCard, seeds: HybridSeeds): void {
  const id = accountId(crypto, hybridPublicKeys(crypto, seeds))
  if (equal(id, head.accountId) && equal(accountIdOfCard(crypto, card), id)) return
  throw new CodecError('the keys in the backup are of another account')
}

async function fill(
  context: RestoreContext,
  vault: Vault,
  entries: AsyncIterable<BackupEntry>,
  settings: readonly string[],
): Promise<Restored> {
  const restored = new Restored(context, vault, settings)
  let waiting: StoreOp[] = []
  let seen = 2
  let ended = false
  for await (const entry of entries) {
    if (ended) throw new CodecError('the backup goes on behind its end')
    if (entry.kind === BACKUP_ENTRY.end) {
      if (entry.body.entries !== seen) throw new CodecError('entries of the backup are missing')
      ended = true
    }
    seen++
    waiting.push(...restored.ops(entry))
    if (waiting.length < BATCH_OPS) continue
    await context.database.batch(waiting)
    waiting = []
  }
  if (!ended) throw new CodecError('the backup has no end')
  await context.database.batch(waiting)
  return restored
}

/** As it was. A vault that was begun before stays. */
async function undo(context: RestoreContext, began: boolean): Promise<void> {
  const { files, keyFiles = FILE_SYSTEM } = context
  try {
    await context.account.clear()
  } finally {
    if (!began) {
      await keyFiles.remove?.(files.vault)
      await keyFiles.remove?.(files.accountKey)
    }
  }
}
