import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { MessageView } from '../../../api/application/messages.ts'
import { Icon } from '../../parts/icon.tsx'
import { useStore } from '../../state/context.ts'
import { preview } from '../../words/preview.ts'
import type { Desk } from './desk.ts'

/** The newest pinned message, above the others; pressing it jumps there, and the next press to the one before. */
export function PinBar({ desk }: { desk: Desk }): JSX.Element | null {
  const store = useStore()
  const pins = store.conversations.value.find(({ contact }) => contact === desk.contact)?.pins ?? []
  const at = useSignal(0)
  const shown = useSignal<MessageView | null>(null)
  const id = pins[at.value % Math.max(1, pins.length)]
  useEffect(() => {
    if (id !== undefined)
      void store.api.message(id).then(
        (message) => (shown.value = message),
        () => {},
      )
  }, [id])
  if (id === undefined || shown.value?.id !== id) return null
  const jump = (): void => {
    void desk.jump(id)
    at.value = (at.value + 1) % pins.length
  }
  return (
    <button class="pin-bar" type="button" onClick={jump} aria-label={`Pinned message: ${preview(shown.value)}`}>
      <Icon name="pin" />
      <span class="clip">{preview(shown.value)}</span>
      {pins.length > 1 && (
        <span class="quiet">
          {(at.value % pins.length) + 1} of {pins.length}
        </span>
      )}
    </button>
  )
}
