/**
 * What the local API asks of the daemon: one interface in parts, JSON-ready values, leaves all of them. `daemon/application`
 * satisfies it from the services; a test satisfies it with a handful of closures. Ids are text: accounts bech32m `sotto1…`,
 * messages and devices lower-case hex. Times are ISO 8601 UTC. Errors are those of `lib/errors`.
 */
import type { AccountPart } from './account.ts'
import type { ContactsPart } from './contacts.ts'
import type { EventsPart } from './events.ts'
import type { LivePart } from './live.ts'
import type { MessagesPart } from './messages.ts'
import type { NetworkPart } from './network.ts'
import type { ProfilePart } from './profile.ts'
import type { SettingsPart } from './settings.ts'
import type { StoragePart } from './storage.ts'

export interface Application
  extends
    AccountPart,
    ContactsPart,
    MessagesPart,
    ProfilePart,
    SettingsPart,
    NetworkPart,
    StoragePart,
    EventsPart,
    LivePart {}
