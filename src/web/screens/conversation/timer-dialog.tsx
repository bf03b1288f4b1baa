import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { Button } from '../../parts/button.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { useStore } from '../../state/context.ts'
import { TimerChoice } from './timer-choice.tsx'

export function TimerDialog({ contact, onClose }: { contact: string; onClose: () => void }): JSX.Element {
  const store = useStore()
  const now = store.conversations.value.find((chat) => chat.contact === contact)?.timerSeconds ?? null
  const wanted = useSignal(now)
  const save = async (): Promise<void> => {
    await store.attempt(async () => {
      store.putConversation(await store.api.updateConversation(contact, { timerSeconds: wanted.value }))
    })
    onClose()
  }
  return (
    <Dialog title="Disappearing messages" onClose={onClose}>
      <p class="quiet">
        New messages are deleted on both sides this long after they were read. {store.nameOf(contact)} is told of a
        change. A photograph of a screen does not disappear.
      </p>
      <TimerChoice label="Messages disappear" value={wanted.value} onValue={(value) => (wanted.value = value)} />
      <div class="buttons">
        <Button onPress={onClose}>Cancel</Button>
        <Button kind="main" onPress={save}>
          Save
        </Button>
      </div>
    </Dialog>
  )
}
