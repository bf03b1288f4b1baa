/** What `src/node.ts` exports for the faces. It is loaded only by the two commands that need the whole house. */
import type { IdentityView, StatusView } from '../api/application/account.ts'
import type { ApiAddress } from '../api/files.ts'
import type { Settings } from '../config.ts'
import type { Logger } from '../lib/log.ts'

export interface DaemonHooks {
  /** Unlocks at the start; without it the daemon starts locked. A wrong one makes the start fail with PassphraseError. */
  readonly passphrase?: string
}

export interface RunningDaemon {
  readonly api: ApiAddress
  readonly state: StatusView['state']
  /** Ordered: no new work, what is under way is written, everything closed. */
  stop(): Promise<void>
}

/** The phrase is shown once and kept nowhere. */
export interface NewIdentity {
  readonly identity: IdentityView
  readonly phrase: string
}

export interface NodeModule {
  readonly runDaemon: (settings: Settings, log: Logger, hooks: DaemonHooks) => Promise<RunningDaemon>
  /** Makes the identity without a daemon. Throws ConflictError where one exists. Makes the home, mode 0700. */
  readonly offlineInit: (settings: Settings, passphrase: string, phrase?: string) => Promise<NewIdentity>
}
