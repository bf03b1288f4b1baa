import type { JSX } from 'preact'
import type { ContactView } from '../../api/application/contacts.ts'
import { useStore } from '../state/context.ts'
import { namesakes } from '../words/names.ts'
import { Icon } from './icon.tsx'

/** Says when a contact calls itself as another one is called. */
export function NamesakeWarning({ contact }: { contact: ContactView }): JSX.Element | null {
  const store = useStore()
  const [other] = namesakes(contact, store.contacts.value)
  if (other === undefined) return null
  return (
    <p class="notice-box" role="alert">
      <Icon name="warning" /> Calls itself “{contact.profileName}”, as another contact of yours is called (
      {store.nameOf(other.accountId)}). It is not the same one: compare safety numbers before you believe it.
    </p>
  )
}
