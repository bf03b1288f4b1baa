/** What contacts say of themselves. */
import { toHex } from '../../lib/bytes.ts'
import type { StoreOp } from '../../store/database.ts'
import type { ProfileLine, StoredProfile } from '../../store/profiles.ts'
import { CONTACT_STATE } from '../../store/records.ts'
import { CONTENT_KIND } from '../../wire/content.ts'
import type { Handler } from '../inbox/ports.ts'
import { receivedProfile } from './rules.ts'

export interface ProfileRecords {
  line(accountId: Uint8Array): Promise<ProfileLine | undefined>
  put(accountId: Uint8Array, profile: StoredProfile): readonly StoreOp[]
}

/**
 * Keeps a profile that is newer than the one there. Only of whom the user has agreed to: accepted, or asked (a letter may
 * overtake the answer to our request).
 */
export function profileHandler(profiles: ProfileRecords): Handler {
  return async ({ contact, body }) => {
    const nothing = { ops: [], facts: [] }
    if (contact === undefined || body.kind !== CONTENT_KIND.profile) return nothing
    if (contact.state !== CONTACT_STATE.accepted && contact.state !== CONTACT_STATE.requested) return nothing
    const { number } = body.body
    const before = await profiles.line(contact.accountId)
    if (number <= (before?.number ?? 0)) return nothing
    return {
      ops: profiles.put(contact.accountId, receivedProfile(body.body)),
      facts: [{ type: 'contact:profile', data: { contact: toHex(contact.accountId), number } }],
    }
  }
}
