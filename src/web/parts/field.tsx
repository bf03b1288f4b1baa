import type { ComponentChildren, JSX, Ref } from 'preact'
import { useId } from 'preact/hooks'

export interface FieldProps {
  readonly label: string
  readonly value: string
  readonly onValue: (value: string) => void
  readonly type?: 'text' | 'password' | 'search'
  readonly hint?: ComponentChildren
  /** What is wrong with it, in words. */
  readonly fault?: string | undefined
  readonly rows?: number
  readonly autoComplete?: string
  readonly required?: boolean
  readonly maxLength?: number
  readonly inputRef?: Ref<HTMLInputElement>
}

/** A labelled text field; hint and fault are read with it. */
export function Field(props: FieldProps): JSX.Element {
  const { label, value, onValue, type = 'text', hint, fault, rows, autoComplete = 'off', required, maxLength } = props
  const id = useId()
  // The types of Preact want to know which one it is; the browser does not.
  const kind = { type } as { readonly type: 'text' }
  const shared = {
    id,
    value,
    required: required === true,
    autoComplete,
    ...(maxLength === undefined ? {} : { maxLength }),
    spellcheck: false,
    autocapitalize: 'none',
    'aria-describedby': `${id}-hint ${id}-fault`,
    ...(fault === undefined ? {} : { 'aria-invalid': true }),
  } as const
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {rows === undefined ? (
        <input
          {...shared}
          {...kind}
          ref={props.inputRef ?? null}
          onInput={(event) => {
            onValue(event.currentTarget.value)
          }}
        />
      ) : (
        <textarea
          {...shared}
          rows={rows}
          onInput={(event) => {
            onValue(event.currentTarget.value)
          }}
        />
      )}
      <p class="hint" id={`${id}-hint`}>
        {hint}
      </p>
      <p class="fault" id={`${id}-fault`} role={fault === undefined ? undefined : 'alert'}>
        {fault}
      </p>
    </div>
  )
}
