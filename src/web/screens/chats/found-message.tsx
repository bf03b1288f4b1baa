import type { JSX } from 'preact'
import type { MessageView } from '../../../api/application/messages.ts'
import { to } from '../../app/routes.ts'
import { useStore } from '../../state/context.ts'
import { excerpt } from '../../words/excerpt.ts'
import { whole } from '../../words/time.ts'

export interface FoundMessageProps {
  readonly message: MessageView
  readonly query: string
  readonly onFollow?: (() => void) | undefined
}

/** A message away from its conversation, and the way to it. */
export function FoundMessage({ message, query, onFollow }: FoundMessageProps): JSX.Element {
  const store = useStore()
  const name = store.nameOf(message.contact)
  return (
    <li>
      <a class="found" href={to.message(message.contact, message.id)} onClick={onFollow}>
        <span class="chat-row-top">
          <strong>{message.outgoing ? `You to ${name}` : name}</strong>
          <time dateTime={message.committedAt}>{whole(message.committedAt)}</time>
        </span>
        <span class="found-text">
          {excerpt(message.text, query).map(({ text, hit }, at) => (hit ? <mark key={at}>{text}</mark> : text))}
        </span>
      </a>
    </li>
  )
}
