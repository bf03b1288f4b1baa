import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { Button } from '../../parts/button.tsx'
import { useStore } from '../../state/context.ts'
import { explain } from '../../words/errors.ts'
import { NewPassphrase, passphraseFits } from './new-passphrase.tsx'
import { WelcomeFrame } from './welcome-frame.tsx'

export function CreateAccount(props: { onBack: () => void; onCreated: (phrase: string) => void }): JSX.Element {
  const store = useStore()
  const passphrase = useSignal('')
  const repeated = useSignal('')
  const fault = useSignal('')
  const busy = useSignal(false)

  const create = async (): Promise<void> => {
    busy.value = true
    try {
      const { phrase } = await store.api.createIdentity({ passphrase: passphrase.value })
      props.onCreated(phrase)
    } catch (error) {
      const { what, next } = explain(error)
      fault.value = `${what} ${next}`
    } finally {
      busy.value = false
    }
  }

  return (
    <WelcomeFrame title="Choose a passphrase">
      <p class="quiet">
        It seals your keys on this computer. Nobody can reset it; the 24 words that come next can replace it.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void create()
        }}
      >
        <NewPassphrase
          value={passphrase.value}
          repeated={repeated.value}
          onValue={(value) => (passphrase.value = value)}
          onRepeated={(value) => (repeated.value = value)}
        />
        {fault.value !== '' && (
          <p class="fault" role="alert">
            {fault.value}
          </p>
        )}
        <div class="buttons">
          <Button onPress={props.onBack}>Back</Button>
          <Button kind="main" type="submit" disabled={busy.value || !passphraseFits(passphrase.value, repeated.value)}>
            {busy.value ? 'Making keys…' : 'Create account'}
          </Button>
        </div>
      </form>
    </WelcomeFrame>
  )
}
