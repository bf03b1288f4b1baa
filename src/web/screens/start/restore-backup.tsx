import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { Button } from '../../parts/button.tsx'
import { Field } from '../../parts/field.tsx'
import { FileField } from '../../parts/file-field.tsx'
import { useStore } from '../../state/context.ts'
import { explain } from '../../words/errors.ts'
import { count } from '../../words/network.ts'
import { NewPassphrase, passphraseFits } from './new-passphrase.tsx'
import { WelcomeFrame } from './welcome-frame.tsx'

export function RestoreBackup({ onBack, onRestored }: { onBack: () => void; onRestored: () => void }): JSX.Element {
  const store = useStore()
  const file = useSignal<File | null>(null)
  const opens = useSignal('')
  const passphrase = useSignal('')
  const repeated = useSignal('')
  const fault = useSignal<string | undefined>(undefined)
  const busy = useSignal(false)

  const restore = async (): Promise<void> => {
    if (file.value === null) return
    busy.value = true
    fault.value = undefined
    try {
      const input = { backup: file.value, passphrase: opens.value, newPassphrase: passphrase.value }
      const { contacts, messages } = await store.api.restoreBackup(input)
      store.notices.done(`Restored: ${count(contacts, 'contact')}, ${count(messages, 'message')}.`)
      onRestored()
    } catch (error) {
      const { what, next } = explain(error)
      fault.value = `${what} ${next}`.trim()
    } finally {
      busy.value = false
    }
  }

  const ready = file.value !== null && opens.value !== '' && passphraseFits(passphrase.value, repeated.value)
  return (
    <WelcomeFrame title="Restore from a backup file">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void restore()
        }}
      >
        <FileField label="Backup file" onFile={(chosen) => (file.value = chosen ?? null)} />
        <Field
          label="Passphrase of the backup"
          type="password"
          value={opens.value}
          onValue={(value) => (opens.value = value)}
          fault={fault.value}
          required
        />
        <NewPassphrase
          label="New passphrase for this computer"
          value={passphrase.value}
          repeated={repeated.value}
          onValue={(value) => (passphrase.value = value)}
          onRepeated={(value) => (repeated.value = value)}
        />
        <div class="buttons">
          <Button onPress={onBack}>Back</Button>
          <Button kind="main" type="submit" disabled={busy.value || !ready}>
            {busy.value ? 'Restoring…' : 'Restore'}
          </Button>
        </div>
      </form>
    </WelcomeFrame>
  )
}
