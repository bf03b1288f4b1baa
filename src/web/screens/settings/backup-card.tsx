import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { Button } from '../../parts/button.tsx'
import { Field } from '../../parts/field.tsx'
import { useStore } from '../../state/context.ts'
import { explain } from '../../words/errors.ts'
import { bytesWords } from '../../words/network.ts'
import { NewPassphrase, passphraseFits } from '../start/new-passphrase.tsx'

export function BackupCard(): JSX.Element {
  const store = useStore()
  const current = useSignal('')
  const passphrase = useSignal('')
  const repeated = useSignal('')
  const fault = useSignal<string | undefined>(undefined)
  const done = useSignal(0)
  const busy = useSignal(false)

  const make = async (): Promise<void> => {
    busy.value = true
    fault.value = undefined
    done.value = 0
    try {
      const parts: BlobPart[] = []
      for await (const chunk of store.api.backup({ current: current.value, passphrase: passphrase.value })) {
        parts.push(chunk as Uint8Array<ArrayBuffer>)
        done.value += chunk.length
      }
      save(new Blob(parts, { type: 'application/octet-stream' }))
      current.value = passphrase.value = repeated.value = ''
      store.notices.done(`The backup is made: ${bytesWords(done.value)}.`)
    } catch (error) {
      const { what, next } = explain(error)
      fault.value = `${what} ${next}`
    } finally {
      busy.value = false
    }
  }
  return (
    <section class="card" aria-label="Backup">
      <h2>Backup</h2>
      <p class="quiet">
        A sealed file with account, contacts, messages and settings. To restore it, start Sotto on an empty home and
        choose “Restore from a backup file”. No session and no device key goes into it, so an old copy weakens nothing.
      </p>
      <details>
        <summary>Make a backup file</summary>
        <form
          onSubmit={(event) => {
            event.preventDefault()
            void make()
          }}
        >
          <Field
            label="Passphrase of this computer"
            type="password"
            autoComplete="current-password"
            value={current.value}
            onValue={(value) => (current.value = value)}
            fault={fault.value}
          />
          <NewPassphrase
            label="Passphrase for the file"
            value={passphrase.value}
            repeated={repeated.value}
            onValue={(value) => (passphrase.value = value)}
            onRepeated={(value) => (repeated.value = value)}
          />
          <Button
            kind="main"
            type="submit"
            disabled={busy.value || current.value === '' || !passphraseFits(passphrase.value, repeated.value)}
          >
            Download the backup
          </Button>
          <p role="status">{busy.value ? `Sealing… ${bytesWords(done.value)}` : ''}</p>
        </form>
      </details>
    </section>
  )
}

function save(blob: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = `sotto-${new Date().toISOString().slice(0, 10)}.backup`
  link.click()
  setTimeout(() => {
    URL.revokeObjectURL(link.href)
  }, 60_000)
}
