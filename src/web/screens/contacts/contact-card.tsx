import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { ContactChange, ContactView } from '../../../api/application/contacts.ts'
import { go, to } from '../../app/routes.ts'
import { Avatar } from '../../parts/avatar.tsx'
import { Button } from '../../parts/button.tsx'
import { Confirm } from '../../parts/confirm.tsx'
import { CopyField } from '../../parts/copy-field.tsx'
import { Field } from '../../parts/field.tsx'
import { NamesakeWarning } from '../../parts/namesake-warning.tsx'
import { Panel } from '../../parts/panel.tsx'
import { Switch } from '../../parts/switch.tsx'
import { useStore } from '../../state/context.ts'
import { whole } from '../../words/time.ts'
import { ChangedKey } from '../conversation/changed-key.tsx'
import { RequestBar } from '../conversation/request-bar.tsx'

const PIN_WORDS: Readonly<Record<ContactView['pinSource'], string>> = {
  network: 'found in the network: verify before you trust it with much',
  invite: 'came with the invite link',
  qr: 'scanned from a QR code',
}

export function ContactCard({ accountId }: { accountId: string }): JSX.Element {
  const store = useStore()
  const contact = store.byAccount.value.get(accountId)
  if (contact === undefined) {
    return (
      <Panel title="No such contact" back={to.contacts} backLabel="Back to contacts">
        <p>It was removed, or the address is wrong.</p>
      </Panel>
    )
  }
  return <Known contact={contact} />
}

function Known({ contact }: { contact: ContactView }): JSX.Element {
  const store = useStore()
  const { accountId } = contact
  const name = useSignal(contact.name)
  const asking = useSignal<'block' | 'remove' | null>(null)
  const bio = store.profiles.known.value.get(accountId)?.bio ?? ''
  useEffect(() => {
    name.value = contact.name
    void store.profiles.want(contact)
  }, [contact.name, contact.profileNumber])

  const change = (what: ContactChange): Promise<void | undefined> =>
    store.attempt(async () => {
      store.putContact(await store.api.updateContact(accountId, what))
    })
  const open = contact.state === 'accepted' || contact.state === 'requested'
  return (
    <Panel title={store.nameOf(accountId)} back={to.contacts} backLabel="Back to contacts">
      {contact.changed && <ChangedKey contact={accountId} />}
      <NamesakeWarning contact={contact} />
      {!open && <RequestBar contact={contact} />}
      <div class="card contact-head">
        <Avatar accountId={accountId} />
        <div>
          {contact.profileName !== '' && <p>Calls itself “{contact.profileName}”</p>}
          {bio !== '' && <p class="message-text">{bio}</p>}
          <p class="quiet">
            Keys: {PIN_WORDS[contact.pinSource]}. {contact.verified ? 'You verified them.' : 'Not verified.'}
          </p>
        </div>
        <div class="buttons">
          {open && (
            <a class="button main" href={to.chat(accountId)}>
              Write
            </a>
          )}
          <a class="button plain" href={to.verify(accountId)}>
            Verify
          </a>
        </div>
      </div>
      <form
        class="card"
        aria-label="Name"
        onSubmit={(event) => {
          event.preventDefault()
          void change({ name: name.value.trim() })
        }}
      >
        <Field
          label="Your name for them"
          value={name.value}
          onValue={(value) => (name.value = value)}
          maxLength={128}
          hint="Only you see it."
        />
        <Button type="submit" disabled={name.value.trim() === '' || name.value.trim() === contact.name}>
          Save the name
        </Button>
      </form>
      <div class="card">
        <Switch label="Favourite" on={contact.favourite} onChange={(favourite) => change({ favourite })} />
        <Switch
          label="Direct connections"
          hint="Off: they are never told your network address; messages go over relays and holders only, and slower."
          on={contact.direct === 'always'}
          onChange={(on) => change({ direct: on ? 'always' : 'never' })}
        />
        <CopyField label="Account id" text={accountId} />
        <p class="quiet">
          Added {whole(contact.addedAt)}
          {contact.lastSeenAt !== null && `, last seen ${whole(contact.lastSeenAt)}`}. Devices: {contact.devices}.
        </p>
      </div>
      <div class="buttons">
        {contact.state !== 'blocked' && (
          <Button kind="danger" onPress={() => (asking.value = 'block')}>
            Block
          </Button>
        )}
        <Button kind="danger" onPress={() => (asking.value = 'remove')}>
          Remove
        </Button>
      </div>
      {asking.value === 'block' && (
        <Confirm
          title={`Block ${store.nameOf(accountId)}?`}
          yes="Block"
          danger
          onClose={() => (asking.value = null)}
          onYes={() =>
            store.attempt(async () => {
              store.putContact(await store.api.blockContact(accountId))
            })
          }
        >
          <p>Nothing of theirs comes in any more. They are not told.</p>
        </Confirm>
      )}
      {asking.value === 'remove' && (
        <Confirm
          title={`Remove ${store.nameOf(accountId)}?`}
          yes="Remove"
          danger
          onClose={() => (asking.value = null)}
          onYes={() =>
            store.attempt(async () => {
              await store.api.removeContact(accountId)
              go(to.contacts)
              await Promise.all([store.readContacts(), store.readConversations()])
            })
          }
        >
          <p>The contact goes from this device. To talk again, one of you has to ask anew.</p>
        </Confirm>
      )}
    </Panel>
  )
}
