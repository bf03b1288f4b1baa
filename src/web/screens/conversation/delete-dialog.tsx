import type { JSX } from 'preact'
import type { MessageView } from '../../../api/application/messages.ts'
import { Button } from '../../parts/button.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { useStore } from '../../state/context.ts'
import { preview } from '../../words/preview.ts'

export function DeleteDialog({ message, onClose }: { message: MessageView; onClose: () => void }): JSX.Element {
  const store = useStore()
  const both = message.outgoing && message.gone === 'no'
  const remove = (whom: 'both' | 'me') => async (): Promise<void> => {
    await store.attempt(async () => {
      await store.api.deleteMessage(message.id, { for: whom })
      const thread = store.thread(message.contact)
      if (whom === 'me') thread.drop(message.id)
      else thread.put(await store.api.message(message.id))
      await store.readConversations()
    })
    onClose()
  }
  return (
    <Dialog title="Delete this message?" onClose={onClose}>
      <blockquote class="quote">{preview(message)}</blockquote>
      {both && (
        <p class="quiet">
          “For both” asks the other side’s Sotto to delete it too, also if it comes later. A copy that somebody made
          before stays.
        </p>
      )}
      <div class="buttons">
        <Button onPress={onClose}>Cancel</Button>
        <Button kind="danger" onPress={remove('me')}>
          Delete for me
        </Button>
        {both && (
          <Button kind="danger" onPress={remove('both')}>
            Delete for both
          </Button>
        )}
      </div>
    </Dialog>
  )
}
