/** Copies of the home, and its passphrase, for the local API. */
import type { BackupSummary, StoragePart } from '../../api/application/storage.ts'
import { encodeAccountId } from '../../protocol/account-id.ts'
import type { Daemon } from '../daemon.ts'

export function storagePart(daemon: Daemon): StoragePart {
  return {
    backup: (input) => daemon.backup(input),

    async restoreBackup(input): Promise<BackupSummary> {
      const { accountId, createdAt, contacts, messages } = await daemon.restore(input)
      const made = new Date(createdAt).toISOString()
      return { accountId: encodeAccountId(accountId), createdAt: made, contacts, messages }
    },

    async changePassphrase(input): Promise<void> {
      await daemon.changePassphrase(input)
    },
  }
}
