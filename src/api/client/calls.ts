/**
 * The typed client of the local API: the same parts as the `Application`, on the other side of a transport. For the CLI, bots and
 * the page alike: nothing that it imports needs more than a browser has.
 */
import type { Access } from '../application/access.ts'
import type { AccountPart } from '../application/account.ts'
import type { ContactsPart } from '../application/contacts.ts'
import type { LivePart } from '../application/live.ts'
import type { MessagesPart } from '../application/messages.ts'
import type { NetworkPart } from '../application/network.ts'
import type { ProfilePart } from '../application/profile.ts'
import type { SettingsPart } from '../application/settings.ts'
import { accessCalls } from './access.ts'
import { accountCalls } from './account.ts'
import { contactCalls } from './contacts.ts'
import type { EventCalls } from './events.ts'
import { eventCalls } from './events.ts'
import { messageCalls } from './messages.ts'
import type { SessionCalls } from './network.ts'
import { networkCalls } from './network.ts'
import type { UseCall } from './owner.ts'
import { ownerCalls } from './owner.ts'
import type { StorageCalls } from './storage.ts'
import { storageCalls } from './storage.ts'
import type { Transport } from './transport.ts'
import { requestsOver } from './transport.ts'

export interface ApiCalls
  extends
    AccountPart,
    ContactsPart,
    MessagesPart,
    ProfilePart,
    Omit<SettingsPart, keyof UseCall | 'lockIfDue' | 'onLock'>,
    UseCall,
    NetworkPart,
    StorageCalls,
    EventCalls,
    SessionCalls,
    Access,
    Pick<LivePart, 'setTyping'> {}

export function apiCalls(transport: Transport): ApiCalls {
  const requests = requestsOver(transport)
  return {
    ...accountCalls(requests),
    ...contactCalls(requests),
    ...messageCalls(requests),
    ...ownerCalls(requests),
    ...networkCalls(requests),
    ...storageCalls(requests, transport),
    ...eventCalls(requests),
    ...accessCalls(requests, transport),
  }
}
