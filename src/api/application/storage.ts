/** Copies of a home: sealed for oneself, open for other programs. */
export interface BackupSummary {
  readonly accountId: string
  readonly createdAt: string
  readonly contacts: number
  readonly messages: number
}

export interface StoragePart {
  /**
   * A sealed copy of account, contacts, conversations, messages and settings, in chunks of at most 64 KiB. No session, no
   * prekey and no device key goes into it: nothing that was used may ever be used again. Opened by `passphrase`
   * (Argon2id), which need not be the home's. Throws PassphraseError where `current` does not open this home.
   */
  backup(input: { current: string; passphrase: string }): AsyncIterable<Uint8Array>
  /**
   * Makes the account of an empty home from a backup: a new device with new prekeys. Throws ConflictError where the home has
   * an account, PassphraseError, CodecError for what is no backup or was cut off; then the home is as it was.
   */
  restoreBackup(input: {
    backup: AsyncIterable<Uint8Array>
    passphrase: string
    newPassphrase: string
  }): Promise<BackupSummary>
  /** Seals the home with another passphrase; nothing in the store is written anew. Throws PassphraseError, RateError. */
  changePassphrase(input: { passphrase: string; newPassphrase: string }): Promise<void>
}
