import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import type { CreatedIdentity } from '../../../api/application/account.ts'
import { Button } from '../../parts/button.tsx'
import { Field } from '../../parts/field.tsx'
import { useStore } from '../../state/context.ts'
import { explain } from '../../words/errors.ts'
import { phraseFault, wordsOf } from '../../words/phrase.ts'
import { NewPassphrase, passphraseFits } from './new-passphrase.tsx'
import { WelcomeFrame } from './welcome-frame.tsx'

export interface RestorePhraseProps {
  readonly onBack: () => void
  readonly onRestored: (recovered: CreatedIdentity['recovered']) => void
}

export function RestorePhrase({ onBack, onRestored }: RestorePhraseProps): JSX.Element {
  const store = useStore()
  const phrase = useSignal('')
  const passphrase = useSignal('')
  const repeated = useSignal('')
  const fault = useSignal<string | undefined>(undefined)
  const busy = useSignal(false)
  const { length } = wordsOf(phrase.value)

  const restore = async (): Promise<void> => {
    fault.value = phraseFault(phrase.value)
    if (fault.value !== undefined) return
    busy.value = true
    try {
      const input = { passphrase: passphrase.value, phrase: wordsOf(phrase.value).join(' ') }
      onRestored((await store.api.createIdentity(input)).recovered)
    } catch (error) {
      const { what, next } = explain(error)
      fault.value = `${what} ${next}`.trim()
    } finally {
      busy.value = false
    }
  }

  return (
    <WelcomeFrame title="Restore with 24 words">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void restore()
        }}
      >
        <Field
          label="Recovery words"
          rows={4}
          value={phrase.value}
          onValue={(value) => (phrase.value = value)}
          hint={`${length} of 24 words`}
          fault={fault.value}
          required
        />
        <NewPassphrase
          label="New passphrase"
          value={passphrase.value}
          repeated={repeated.value}
          onValue={(value) => (passphrase.value = value)}
          onRepeated={(value) => (repeated.value = value)}
        />
        <div class="buttons">
          <Button onPress={onBack}>Back</Button>
          <Button kind="main" type="submit" disabled={busy.value || !passphraseFits(passphrase.value, repeated.value)}>
            {busy.value ? 'Looking in the network…' : 'Restore'}
          </Button>
        </div>
      </form>
    </WelcomeFrame>
  )
}
