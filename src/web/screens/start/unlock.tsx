import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { Button } from '../../parts/button.tsx'
import { Field } from '../../parts/field.tsx'
import { useStore } from '../../state/context.ts'
import { explain } from '../../words/errors.ts'
import { WelcomeFrame } from './welcome-frame.tsx'

export function Unlock(): JSX.Element {
  const store = useStore()
  const passphrase = useSignal('')
  const fault = useSignal<string | undefined>(undefined)
  const busy = useSignal(false)
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => {
    input.current?.focus()
  }, [])

  const unlock = async (): Promise<void> => {
    busy.value = true
    fault.value = undefined
    try {
      await store.api.unlock(passphrase.value)
      passphrase.value = ''
      await store.readStatus()
    } catch (error) {
      const { what, next } = explain(error)
      fault.value = `${what} ${next}`.trim()
      input.current?.select()
    } finally {
      busy.value = false
    }
  }

  return (
    <WelcomeFrame title="Unlock">
      <p class="quiet">Your keys and messages are sealed on this computer.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void unlock()
        }}
      >
        <Field
          label="Passphrase"
          type="password"
          autoComplete="current-password"
          value={passphrase.value}
          onValue={(value) => (passphrase.value = value)}
          fault={fault.value}
          inputRef={input}
          required
        />
        <Button kind="main" type="submit" icon="lock" disabled={busy.value || passphrase.value === ''}>
          {busy.value ? 'Opening…' : 'Unlock'}
        </Button>
      </form>
    </WelcomeFrame>
  )
}
