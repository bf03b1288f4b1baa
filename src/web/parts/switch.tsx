import type { JSX } from 'preact'
import { useId } from 'preact/hooks'

export interface SwitchProps {
  readonly label: string
  readonly on: boolean
  readonly onChange: (on: boolean) => unknown
  readonly hint?: string
}

/** Shows what the daemon has: it moves when the answer came. */
export function Switch({ label, on, onChange, hint }: SwitchProps): JSX.Element {
  const id = useId()
  return (
    <div class="field row">
      <div>
        <label for={id}>{label}</label>
        {hint !== undefined && (
          <p class="hint" id={`${id}-hint`}>
            {hint}
          </p>
        )}
      </div>
      <input
        id={id}
        class="switch"
        type="checkbox"
        role="switch"
        checked={on}
        aria-checked={on}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onChange={(event) => {
          const wanted = event.currentTarget.checked
          event.currentTarget.checked = on
          void onChange(wanted)
        }}
      />
    </div>
  )
}
