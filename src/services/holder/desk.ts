/** What the verbs work with, made once by the service. */
import type { ExpiringMap } from '../../lib/expiring-map.ts'
import type { SecurityLog } from '../../lib/security-log.ts'
import type { HolderDeps } from './deps.ts'
import type { MailRoom } from './mail-room.ts'
import type { Policies } from './policies.ts'
import type { PrekeyQuotas } from './prekey-quotas.ts'
import type { Quotas } from './quotas.ts'
import type { Subscriptions } from './subscriptions.ts'

export interface Desk extends HolderDeps {
  readonly quotas: Quotas
  readonly prekeyQuotas: PrekeyQuotas
  readonly policies: Policies
  readonly subscriptions: Subscriptions
  readonly room: MailRoom
  readonly security: SecurityLog
  /** Ids (hex) of letters that their owner had dropped: they are not taken back for a day. */
  readonly dropped: ExpiringMap<string, true>
}
