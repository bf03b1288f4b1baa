/** What the owner chose; sealed in the store, the same for every face. */
export interface SettingsView {
  /** Off: nobody is told what was read, and nobody tells us. */
  readonly readReceipts: boolean
  readonly typing: boolean
  /** Whether accepted contacts that are connected see that this device is online; off: neither do we see theirs. */
  readonly presence: boolean
  /** Messages older than this are deleted here; null keeps them. */
  readonly retentionDays: number | null
  /** The keys are sealed again after this time without a request by a user (what reads does not count, nor what programs do with tokens of their own); null never. */
  readonly autoLockMinutes: number | null
  /** The timer that new conversations begin with, in seconds; null for none. */
  readonly defaultTimerSeconds: number | null
}
export type SettingsChange = Partial<SettingsView>

export interface SettingsPart {
  settings(): Promise<SettingsView>
  updateSettings(change: SettingsChange): Promise<SettingsView>
  /** A user did something, a key or a pointer moved: the time until the keys are sealed begins anew, unless it is over. */
  noteUse?(): Promise<void> | void
  /** Seals the keys if the time is over and no timer saw it: the machine slept. */
  lockIfDue?(): Promise<void> | void
  /** Calls back whenever the keys are sealed, whoever does it; the returned function ends it. */
  onLock?(listener: () => void): () => void
}
