/** A contact as the local API shows it: what is kept of it, what it calls itself, and whether it is there. */
import type { ContactState, ContactView } from '../api/application/contacts.ts'
import { encodeAccountId } from '../protocol/account-id.ts'
import type { ProfileLine } from '../store/profiles.ts'
import { CONTACT_DIRECT, CONTACT_STATE, PIN_SOURCE } from '../store/records.ts'
import type { Contact } from '../store/records.ts'
import { iso, isoOrNull } from './views.ts'

/** What stands beside the contact's record. `lastSeenAt` in ms, 0 where it is not to be shown. */
export interface ContactSurroundings {
  readonly profile: ProfileLine
  readonly online: boolean
  readonly lastSeenAt: number
}

const nameIn = <T extends string>(table: Readonly<Record<T, number>>, code: number, fallback: T): T =>
  (Object.entries(table) as [T, number][]).find(([, value]) => value === code)?.[0] ?? fallback

export function contactView(contact: Contact, { profile, online, lastSeenAt }: ContactSurroundings): ContactView {
  return {
    accountId: encodeAccountId(contact.accountId),
    name: contact.name,
    state: nameIn<ContactState>(CONTACT_STATE, contact.state, 'incoming'),
    verified: contact.verified,
    changed: contact.changed !== undefined,
    pinSource: nameIn<ContactView['pinSource']>(PIN_SOURCE, contact.pinSource, 'network'),
    note: contact.note,
    favourite: contact.favourite,
    direct: nameIn<ContactView['direct']>(CONTACT_DIRECT, contact.direct, 'always'),
    addedAt: iso(contact.addedAt),
    lastSeenAt: isoOrNull(lastSeenAt),
    online,
    profileName: profile.name,
    profileNumber: profile.number,
    devices: contact.devices.length,
  }
}
