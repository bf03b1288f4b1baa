import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { MessageView } from '../../../api/application/messages.ts'
import { useStore } from '../../state/context.ts'
import { preview } from '../../words/preview.ts'
import type { Desk } from './desk.ts'

/** The message that is answered; pressing it jumps there. */
export function Quote({ id, desk }: { id: string; desk: Desk }): JSX.Element {
  const store = useStore()
  const near = store.thread(desk.contact).messages.value.find((message) => message.id === id)
  const far = useSignal<MessageView | null | undefined>(undefined)
  useEffect(() => {
    if (near !== undefined) return
    void store.api.message(id).then(
      (message) => (far.value = message),
      () => (far.value = null),
    )
  }, [id, near === undefined])
  const message = near ?? far.value
  if (message == null) {
    return <p class="quote">{message === null ? 'The message that this answers is not here.' : '…'}</p>
  }
  const author = message.outgoing ? 'You' : store.nameOf(message.contact)
  return (
    <button class="quote" type="button" onClick={() => void desk.jump(id)}>
      <span class="unseen">Answers </span>
      <strong>{author}</strong>
      <span class="clip">{preview(message)}</span>
    </button>
  )
}
