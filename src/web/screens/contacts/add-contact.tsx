import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { go, to } from '../../app/routes.ts'
import { Button } from '../../parts/button.tsx'
import { Field } from '../../parts/field.tsx'
import { Panel } from '../../parts/panel.tsx'
import { QrPictureInput } from '../../parts/qr-picture-input.tsx'
import { useStore } from '../../state/context.ts'
import { explain } from '../../words/errors.ts'
import { targetFault } from '../../words/target.ts'
import { OwnInvite } from './own-invite.tsx'

export function AddContact(): JSX.Element {
  const store = useStore()
  const target = useSignal('')
  const name = useSignal('')
  const note = useSignal('')
  const fault = useSignal<string | undefined>(undefined)
  const source = useSignal<'invite' | 'qr' | 'network'>('network')
  const busy = useSignal(false)

  const add = async (): Promise<void> => {
    const wanted = target.value.trim()
    fault.value = targetFault(wanted)
    if (fault.value !== undefined) return
    busy.value = true
    try {
      const contact = await store.api.addContact({
        target: wanted,
        source: source.value === 'qr' ? 'qr' : wanted.startsWith('sotto:') ? 'invite' : 'network',
        ...(name.value.trim() === '' ? {} : { name: name.value.trim() }),
        ...(note.value.trim() === '' ? {} : { note: note.value.trim() }),
      })
      store.putContact(contact)
      store.notices.done('Request sent.')
      await store.attempt(() => store.readConversations())
      go(to.chat(contact.accountId))
    } catch (error) {
      const { what, next } = explain(error)
      fault.value = `${what} ${next}`.trim()
    } finally {
      busy.value = false
    }
  }

  return (
    <Panel title="Add a contact" back={to.contacts} backLabel="Back to contacts">
      <form
        class="card"
        aria-label="Add somebody"
        onSubmit={(event) => {
          event.preventDefault()
          void add()
        }}
      >
        <h2>Somebody gave you a link</h2>
        <Field
          label="Invite link or account id"
          value={target.value}
          onValue={(value) => {
            target.value = value
            source.value = 'network'
          }}
          rows={3}
          hint="It begins with sotto: or sotto1"
          fault={fault.value}
          required
        />
        <QrPictureInput
          label="Read a QR code from a picture"
          onText={(text) => {
            target.value = text
            source.value = 'qr'
            fault.value = targetFault(text)
          }}
        />
        <Field
          label="Your name for them"
          value={name.value}
          onValue={(value) => (name.value = value)}
          maxLength={128}
          hint="Only you see it."
        />
        <Field
          label="A word to them"
          value={note.value}
          onValue={(value) => (note.value = value)}
          maxLength={1_024}
          hint="Goes with the request, so that they know who asks."
        />
        <Button kind="main" type="submit" icon="plus" disabled={busy.value || target.value.trim() === ''}>
          {busy.value ? 'Looking for them…' : 'Send request'}
        </Button>
      </form>
      <OwnInvite />
    </Panel>
  )
}
