import type { ComponentChildren, JSX } from 'preact'
import { Button } from './button.tsx'
import { Dialog } from './dialog.tsx'

export interface ConfirmProps {
  readonly title: string
  readonly yes: string
  readonly danger?: boolean
  readonly onYes: () => unknown
  readonly onClose: () => void
  readonly children: ComponentChildren
}

/** Asks before something that cannot be undone. */
export function Confirm({ title, yes, danger = false, onYes, onClose, children }: ConfirmProps): JSX.Element {
  const press = async (): Promise<void> => {
    await onYes()
    onClose()
  }
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <div class="buttons">
        <Button onPress={onClose}>Cancel</Button>
        <Button kind={danger ? 'danger' : 'main'} onPress={press}>
          {yes}
        </Button>
      </div>
    </Dialog>
  )
}
