import type { JSX } from 'preact'
import type { MessageView } from '../../../api/application/messages.ts'
import { Button } from '../../parts/button.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { useStore } from '../../state/context.ts'

const CHOICE: readonly (readonly [emoji: string, name: string])[] = [
  ['👍', 'thumbs up'],
  ['❤️', 'heart'],
  ['😂', 'laughing'],
  ['😮', 'surprised'],
  ['😢', 'sad'],
  ['🙏', 'thanks'],
  ['🎉', 'hooray'],
  ['👎', 'thumbs down'],
]

export function ReactionPicker({ message, onClose }: { message: MessageView; onClose: () => void }): JSX.Element {
  const store = useStore()
  const own = message.reactions.find((reaction) => reaction.own)?.emoji ?? null
  const react = async (emoji: string | null): Promise<void> => {
    await store.attempt(async () => {
      store.putMessage(await store.api.react(message.id, { emoji }))
    })
    onClose()
  }
  return (
    <Dialog title="React" onClose={onClose}>
      <div class="reaction-choice" role="group" aria-label="Reactions">
        {CHOICE.map(([emoji, name]) => (
          <button
            key={emoji}
            type="button"
            aria-label={name}
            aria-pressed={own === emoji}
            title={name}
            onClick={() => void react(own === emoji ? null : emoji)}
          >
            {emoji}
          </button>
        ))}
      </div>
      {own !== null && <Button onPress={() => react(null)}>Take my reaction back</Button>}
    </Dialog>
  )
}
