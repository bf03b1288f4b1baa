import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { Button } from '../../parts/button.tsx'
import { Field } from '../../parts/field.tsx'
import { useStore } from '../../state/context.ts'
import { explain } from '../../words/errors.ts'
import { NewPassphrase, passphraseFits } from '../start/new-passphrase.tsx'

export function PassphraseCard(): JSX.Element {
  const store = useStore()
  const current = useSignal('')
  const next = useSignal('')
  const repeated = useSignal('')
  const fault = useSignal<string | undefined>(undefined)
  const change = async (): Promise<void> => {
    fault.value = undefined
    try {
      await store.api.changePassphrase({ passphrase: current.value, newPassphrase: next.value })
      current.value = next.value = repeated.value = ''
      store.notices.done('The passphrase is changed.')
    } catch (error) {
      const words = explain(error)
      fault.value = `${words.what} ${words.next}`
    }
  }
  return (
    <section class="card" aria-label="Passphrase">
      <h2>Passphrase</h2>
      <details>
        <summary>Change the passphrase</summary>
        <form
          onSubmit={(event) => {
            event.preventDefault()
            void change()
          }}
        >
          <Field
            label="Passphrase now"
            type="password"
            autoComplete="current-password"
            value={current.value}
            onValue={(value) => (current.value = value)}
            fault={fault.value}
          />
          <NewPassphrase
            label="New passphrase"
            value={next.value}
            repeated={repeated.value}
            onValue={(value) => (next.value = value)}
            onRepeated={(value) => (repeated.value = value)}
          />
          <Button
            kind="main"
            type="submit"
            disabled={current.value === '' || !passphraseFits(next.value, repeated.value)}
          >
            Change
          </Button>
        </form>
      </details>
    </section>
  )
}
