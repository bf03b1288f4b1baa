/** The application as the local API sees it: text and JSON on this side, services on the other. */
import type { Application } from '../../api/application/application.ts'
import type { Daemon } from '../daemon.ts'
import { accountPart } from './account.ts'
import { contactsPart } from './contacts.ts'
import { eventsPart } from './events.ts'
import { livePart } from './live.ts'
import { messagesPart } from './messages.ts'
import { networkPart } from './network.ts'
import { profilePart } from './profile.ts'
import { settingsPart } from './settings.ts'
import { storagePart } from './storage.ts'

export function daemonApplication(daemon: Daemon): Application {
  return {
    ...accountPart(daemon),
    ...contactsPart(daemon),
    ...messagesPart(daemon),
    ...networkPart(daemon),
    ...eventsPart(daemon),
    ...profilePart(daemon),
    ...settingsPart(daemon),
    ...livePart(daemon),
    ...storagePart(daemon),
  }
}
