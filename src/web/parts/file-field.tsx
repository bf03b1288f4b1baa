import type { JSX } from 'preact'
import { useId } from 'preact/hooks'

export interface FileFieldProps {
  readonly label: string
  readonly onFile: (file: File | undefined) => unknown
  readonly accept?: string
  readonly hint?: string
}

export function FileField({ label, onFile, accept = '', hint = '' }: FileFieldProps): JSX.Element {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="file"
        accept={accept}
        aria-describedby={`${id}-hint`}
        onChange={(event) => void onFile(event.currentTarget.files?.[0])}
      />
      <p class="hint" id={`${id}-hint`}>
        {hint}
      </p>
    </div>
  )
}
