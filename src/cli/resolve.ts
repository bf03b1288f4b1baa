import type { ApiClient } from '../api/client.ts'
import type { ContactView } from '../api/application/contacts.ts'
import { NotFoundError, UsageError } from '../lib/errors.ts'

const FULL_ID = /^sotto1[02-9ac-hj-np-z]{58}$/

/** The account that `text` means: an account id, a unique petname, or a unique beginning of either. */
export async function resolveAccount(client: ApiClient, text: string): Promise<string> {
  if (FULL_ID.test(text)) return text
  return pick(await client.contacts(), text).accountId
}

/** The one contact that fits; an exact name wins over a beginning. Throws NotFoundError, UsageError (several fit). */
export function pick(contacts: readonly ContactView[], text: string): ContactView {
  const wanted = text.toLowerCase()
  const rules: readonly ((contact: ContactView) => boolean)[] = [
    ({ name, accountId }) => name === text || accountId === text,
    ({ name }) => name.toLowerCase() === wanted,
    ({ name, accountId }) => name.toLowerCase().startsWith(wanted) || accountId.startsWith(wanted),
  ]
  for (const rule of rules) {
    const found = contacts.filter(rule)
    const [only] = found
    if (only !== undefined && found.length === 1) return only
    if (found.length > 1)
      throw new UsageError(`${found.length} contacts fit that name; use more of it, or the account id`)
  }
  throw new NotFoundError('no contact fits that name; see: sotto contact list')
}
