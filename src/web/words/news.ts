/** What happened to the account without the user, and what there is to do about it. */
import { count } from './network.ts'
import { whole } from './time.ts'

export interface News {
  readonly text: string
  readonly next: string
}

/** Undefined for events that need no words of their own. */
export function newsOf(type: string, data: unknown): News | undefined {
  const { contacts, settings, expiresAt } = Object(data) as Readonly<Record<string, unknown>>
  switch (type) {
    case 'recovery:found':
      return {
        text: `From the network came back: ${foundWords(contacts, settings)}.`,
        next: 'Old conversations are on your former device, or in a backup file.',
      }
    case 'recovery:none':
      return {
        text: 'Nothing of your former contacts was found in the network, and the search is over.',
        next: 'Add your contacts anew, or restore from a backup file.',
      }
    case 'recovery:replaced':
      return {
        text: 'These recovery words are of an account that has gone on under others.',
        next: 'Restore with the newer words. This device says nothing in the account’s name.',
      }
    case 'account:expiring':
      return {
        text: `Your account’s card in the network ends ${typeof expiresAt === 'string' ? whole(expiresAt) : 'soon'}.`,
        next: 'Lock Sotto and unlock it again: that makes a new one.',
      }
    default:
      return undefined
  }
}

function foundWords(contacts: unknown, settings: unknown): string {
  const people = typeof contacts === 'number' && contacts > 0 ? [count(contacts, 'contact')] : []
  const all = [...people, ...(settings === true ? ['your settings'] : [])]
  return all.length === 0 ? 'nothing new' : all.join(' and ')
}
