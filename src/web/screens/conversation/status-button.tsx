import type { JSX } from 'preact'
import type { MessageView } from '../../../api/application/messages.ts'
import { Icon } from '../../parts/icon.tsx'
import { statusWords } from '../../words/status.ts'
import type { Desk } from './desk.ts'

/** Where the message is, and on a press why. */
export function StatusButton({ message, desk }: { message: MessageView; desk: Desk }): JSX.Element {
  const { icon, short, long } = statusWords(message)
  return (
    <button
      type="button"
      class={`status ${message.status}`}
      aria-label={`Status: ${short}`}
      title={`${long} Press to see why.`}
      onClick={() => {
        desk.dialog.value = { kind: 'why', message }
      }}
    >
      <Icon name={icon} />
      <span>{short}</span>
    </button>
  )
}
