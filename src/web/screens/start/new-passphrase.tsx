import type { JSX } from 'preact'
import { Field } from '../../parts/field.tsx'
import { strengthOf } from '../../words/strength.ts'

export interface NewPassphraseProps {
  readonly label?: string
  readonly value: string
  readonly repeated: string
  readonly onValue: (value: string) => void
  readonly onRepeated: (value: string) => void
}

/** Whether it is long enough and was typed twice alike. */
export const passphraseFits = (value: string, repeated: string): boolean =>
  strengthOf(value).score > 0 && value === repeated

/** A passphrase twice, with a hint of how hard it is to guess. */
export function NewPassphrase(props: NewPassphraseProps): JSX.Element {
  const { label = 'Passphrase', value, repeated, onValue, onRepeated } = props
  const { score, words } = strengthOf(value)
  const differs = repeated !== '' && !value.startsWith(repeated) && value !== repeated
  return (
    <>
      <Field
        label={label}
        type="password"
        autoComplete="new-password"
        value={value}
        onValue={onValue}
        required
        hint={
          <>
            <meter class={`strength s${score}`} min={0} max={4} value={value === '' ? 0 : score} aria-hidden="true" />
            <span aria-live="polite">
              {value === '' ? 'Four unrelated words are easy to remember and hard to guess.' : words}
            </span>
          </>
        }
      />
      <Field
        label={`${label} again`}
        type="password"
        autoComplete="new-password"
        value={repeated}
        onValue={onRepeated}
        required
        fault={differs ? 'The two differ.' : undefined}
      />
    </>
  )
}
