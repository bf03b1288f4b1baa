import type { BackupSummary, StoragePart } from '../application/storage.ts'
import type { ByteSource, Requests, Transport } from './transport.ts'

/** One line of JSON with both passphrases, then the bytes of the backup. */
export const RESTORE_TYPE = 'application/vnd.sotto.restore'
/** A whole home goes over the wire. */
const COPY_MS = 3_600_000

export interface StorageCalls extends Omit<StoragePart, 'restoreBackup'> {
  restoreBackup(input: {
    readonly backup: ByteSource
    readonly passphrase: string
    readonly newPassphrase: string
  }): Promise<BackupSummary>
}

export function storageCalls({ put }: Requests, transport: Transport): StorageCalls {
  return {
    backup: (body) => transport.stream({ method: 'POST', path: '/backup', body, timeoutMs: COPY_MS }),
    async restoreBackup({ backup, ...passphrases }) {
      const parts = [new TextEncoder().encode(`${JSON.stringify(passphrases)}\n`), backup]
      const upload = { type: RESTORE_TYPE, parts }
      const call = { method: 'POST', path: '/backup/restore', upload, timeoutMs: COPY_MS } as const
      return (await transport.request(call)) as BackupSummary
    },
    changePassphrase: (input) => put('/identity/passphrase', input),
  }
}
