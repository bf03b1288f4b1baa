import type { JSX } from 'preact'
import { useId } from 'preact/hooks'

export interface ChoiceProps<T extends string> {
  readonly label: string
  readonly value: T
  readonly options: readonly (readonly [value: T, words: string])[]
  readonly onValue: (value: T) => unknown
  readonly hint?: string
}

/** One of several, as the system's own list. */
export function Choice<T extends string>({ label, value, options, onValue, hint }: ChoiceProps<T>): JSX.Element {
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
      <select
        id={id}
        value={value}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onChange={(event) => void onValue(event.currentTarget.value as T)}
      >
        {options.map(([option, words]) => (
          <option key={option} value={option} selected={option === value}>
            {words}
          </option>
        ))}
      </select>
    </div>
  )
}
