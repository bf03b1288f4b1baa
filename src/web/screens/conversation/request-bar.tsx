import type { JSX } from 'preact'
import type { ContactView } from '../../../api/application/contacts.ts'
import { Button } from '../../parts/button.tsx'
import { useStore } from '../../state/context.ts'

/** In the place of the composer, where nothing can be written yet, or no more. */
export function RequestBar({ contact }: { contact: ContactView }): JSX.Element {
  const store = useStore()
  const { api } = store
  const id = contact.accountId
  const act = (work: () => Promise<ContactView>): Promise<void | undefined> =>
    store.attempt(async () => {
      store.putContact(await work())
    })
  if (contact.state === 'blocked') {
    return (
      <div class="request-bar" role="group" aria-label="Blocked contact">
        <p>You blocked this contact: nothing of theirs comes in.</p>
        <Button onPress={() => act(() => api.unblockContact(id))}>Unblock</Button>
      </div>
    )
  }
  return (
    <div class="request-bar" role="group" aria-label="Contact request">
      <p>
        <strong>{store.nameOf(id)}</strong> asks to talk to you.
        {contact.note !== '' && <q>{contact.note}</q>} They are not told that you saw it.
      </p>
      <div class="buttons">
        <Button kind="danger" onPress={() => act(() => api.blockContact(id))}>
          Block
        </Button>
        <Button kind="main" onPress={() => act(() => api.acceptContact(id, {}))}>
          Accept
        </Button>
      </div>
    </div>
  )
}
