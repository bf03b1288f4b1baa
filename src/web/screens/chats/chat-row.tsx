import type { JSX } from 'preact'
import type { ConversationView } from '../../../api/application/messages.ts'
import { to } from '../../app/routes.ts'
import { Avatar } from '../../parts/avatar.tsx'
import { Icon } from '../../parts/icon.tsx'
import { useStore } from '../../state/context.ts'
import { preview } from '../../words/preview.ts'
import { statusWords } from '../../words/status.ts'
import { listTime } from '../../words/time.ts'

/** One conversation; its link's name says all that the row shows. */
export function ChatRow({ chat, chosen }: { chat: ConversationView; chosen: boolean }): JSX.Element {
  const store = useStore()
  const contact = store.byAccount.value.get(chat.contact)
  const { lastMessage: last } = chat
  const draft = store.drafts.of(chat.contact).value
  const typing = store.typing.value.has(chat.contact)
  const unread = chat.unread > 0 || chat.markedUnread
  return (
    <li>
      <a
        class={`chat-row ${unread ? 'unread' : ''}`}
        href={to.chat(chat.contact)}
        aria-current={chosen ? 'true' : undefined}
      >
        <Avatar accountId={chat.contact} />
        <span class="chat-row-text">
          <span class="chat-row-top">
            <strong>{store.nameOf(chat.contact)}</strong>
            {contact?.online === true && <span class="unseen">, online</span>}
            {chat.pinned && <Marked icon="pin" words="pinned" />}
            {chat.muted && <Marked icon="mute" words="muted" />}
            {contact?.changed === true && <Marked icon="warning" words="key changed" />}
            {last !== null && <time dateTime={last.committedAt}>{listTime(last.committedAt, Date.now())}</time>}
          </span>
          <span class="chat-row-bottom">
            {typing ? (
              <em class="typing-words">typing…</em>
            ) : draft !== '' && !chosen ? (
              <span class="clip">
                <em class="draft-words">Draft:</em> {draft.slice(0, 200)}
              </span>
            ) : (
              last !== null && (
                <>
                  {last.outgoing && <Marked icon={statusWords(last).icon} words={statusWords(last).short} />}
                  <span class="clip">{preview(last)}</span>
                </>
              )
            )}
            {unread && (
              <span class={`badge ${chat.muted ? 'muted' : ''}`}>
                {chat.unread > 0 ? chat.unread : ''}
                <span class="unseen"> unread</span>
              </span>
            )}
          </span>
        </span>
      </a>
    </li>
  )
}

function Marked({ icon, words }: { icon: Parameters<typeof Icon>[0]['name']; words: string }): JSX.Element {
  return (
    <span class="marked" title={words}>
      <Icon name={icon} />
      <span class="unseen"> {words} </span>
    </span>
  )
}
