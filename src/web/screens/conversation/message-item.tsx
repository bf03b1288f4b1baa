import type { JSX } from 'preact'
import type { MessageView } from '../../../api/application/messages.ts'
import { Icon } from '../../parts/icon.tsx'
import { IconButton } from '../../parts/button.tsx'
import { Menu } from '../../parts/menu.tsx'
import { useStore } from '../../state/context.ts'
import { preview } from '../../words/preview.ts'
import { clock, duration, whole } from '../../words/time.ts'
import type { Desk } from './desk.ts'
import { actionsOf } from './message-actions.ts'
import { MessageText } from './message-text.tsx'
import { Quote } from './quote.tsx'
import { StatusButton } from './status-button.tsx'

export interface MessageItemProps {
  readonly message: MessageView
  readonly desk: Desk
  /** It stands close to the one before. */
  readonly run: boolean
  /** The newest: where the Tab key enters the messages. */
  readonly last: boolean
}

export function MessageItem({ message, desk, run, last }: MessageItemProps): JSX.Element {
  const store = useStore()
  const { outgoing, gone, kind } = message
  const author = outgoing ? 'Your message' : `Message from ${store.nameOf(message.contact)}`
  const shown = gone === 'no' && kind === 'text'
  return (
    <article
      class={`message ${outgoing ? 'own' : 'theirs'} ${run ? 'run' : ''} ${shown ? '' : 'faint'}`}
      aria-label={`${author}, ${clock(message.sentAt)}`}
      tabIndex={last ? 0 : -1}
    >
      <div class="bubble">
        {message.replyTo !== null && gone === 'no' && <Quote id={message.replyTo} desk={desk} />}
        {shown ? <MessageText text={message.text} /> : <p class="message-text">{preview(message)}</p>}
        <Reactions message={message} desk={desk} />
        <Meta message={message} desk={desk} />
      </div>
      <div class="message-tools">
        {shown && (
          <IconButton
            icon="smile"
            label="React"
            onPress={() => {
              desk.dialog.value = { kind: 'react', message }
            }}
          />
        )}
        <Menu label="Message options" items={actionsOf(message, desk, store)} />
      </div>
    </article>
  )
}

function Meta({ message, desk }: { message: MessageView; desk: Desk }): JSX.Element {
  const { outgoing, editedAt, starred, pinned, timerSeconds, expiresAt, gone } = message
  return (
    <p class="meta">
      {starred && <Sign icon="star" words="starred" />}
      {pinned && <Sign icon="pin" words="pinned" />}
      {timerSeconds !== null && gone === 'no' && (
        <Sign
          icon="timer"
          words={
            expiresAt === null
              ? `disappears ${duration(timerSeconds)} after it was read`
              : `disappears ${whole(expiresAt)}`
          }
        />
      )}
      {editedAt !== null && gone === 'no' && <span title={whole(editedAt)}>edited</span>}
      <time dateTime={message.sentAt} title={whole(message.sentAt)}>
        {clock(message.sentAt)}
      </time>
      {outgoing && <StatusButton message={message} desk={desk} />}
    </p>
  )
}

function Sign({ icon, words }: { icon: 'star' | 'pin' | 'timer'; words: string }): JSX.Element {
  return (
    <span class="marked" title={words}>
      <Icon name={icon} />
      <span class="unseen">{words}</span>
    </span>
  )
}

function Reactions({ message, desk }: { message: MessageView; desk: Desk }): JSX.Element | null {
  const store = useStore()
  if (message.reactions.length === 0) return null
  return (
    <ul class="reactions" aria-label="Reactions">
      {message.reactions.map(({ own, emoji }) => (
        <li key={own ? 'own' : 'theirs'}>
          <button
            type="button"
            class={own ? 'own' : ''}
            aria-label={own ? `${emoji}, yours` : `${emoji}, from ${store.nameOf(message.contact)}`}
            onClick={() => {
              desk.dialog.value = { kind: 'react', message }
            }}
          >
            {emoji}
          </button>
        </li>
      ))}
    </ul>
  )
}
