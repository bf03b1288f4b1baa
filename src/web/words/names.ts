/** What contacts are called. The user's own words and what somebody calls itself are never shown alike. */
import type { ContactView } from '../../api/application/contacts.ts'

type Named = Pick<ContactView, 'accountId' | 'name' | 'profileName'>

/** Stands before a name that the contact gave itself: anybody can call itself anything. */
const CLAIMED = '~'

export function nameOf(contact: Named | undefined, accountId: string): string {
  if (contact !== undefined && contact.name !== '') return contact.name
  if (contact !== undefined && contact.profileName !== '') return `${CLAIMED}${contact.profileName}`
  return `${accountId.slice(0, 14)}…`
}

/** Other contacts that are called, or call themselves, as this one calls itself: it may want to be taken for one of them. */
export function namesakes<T extends Named>(contact: Named, all: readonly T[]): readonly T[] {
  const claimed = folded(contact.profileName)
  if (claimed === '') return []
  return all.filter(
    ({ accountId, name, profileName }) =>
      accountId !== contact.accountId && (folded(name) === claimed || folded(profileName) === claimed),
  )
}

/** Alike to the eye: case, accents, width, and what is not seen, left out. */
const folded = (name: string): string =>
  name
    .normalize('NFKD')
    .replaceAll(/[\p{M}\p{Cf}\p{Z}\s~]/gu, '')
    .toLocaleLowerCase('en')
