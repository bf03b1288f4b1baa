import type { JSX } from 'preact'
import { useId } from 'preact/hooks'
import { useStore } from '../state/context.ts'
import { Button } from './button.tsx'

/** A text to hand on, and a button that copies it. */
export function CopyField({ label, text }: { label: string; text: string }): JSX.Element {
  const store = useStore()
  const id = useId()
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text)
      store.notices.done('Copied.')
    } catch {
      store.notices.done('The browser does not allow copying: mark the text and copy it yourself.')
    }
  }
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="copy-row">
        <input
          id={id}
          readOnly
          value={text}
          class="code"
          onFocus={(event) => {
            event.currentTarget.select()
          }}
        />
        <Button icon="copy" onPress={copy}>
          Copy
        </Button>
      </div>
    </div>
  )
}
