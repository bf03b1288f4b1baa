import type { JSX } from 'preact'
import type { ConversationChange } from '../../../api/application/messages.ts'
import { go, to } from '../../app/routes.ts'
import { Avatar } from '../../parts/avatar.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Menu } from '../../parts/menu.tsx'
import type { MenuItem } from '../../parts/menu.tsx'
import { useStore } from '../../state/context.ts'
import { ago, duration } from '../../words/time.ts'
import type { Desk } from './desk.ts'

export function ConversationHeader({ desk }: { desk: Desk }): JSX.Element {
  const store = useStore()
  const { contact } = desk
  const name = store.nameOf(contact)
  const chat = store.conversations.value.find((entry) => entry.contact === contact)
  const person = store.byAccount.value.get(contact)
  const change = async (what: ConversationChange): Promise<void> => {
    await store.attempt(async () => {
      store.putConversation(await store.api.updateConversation(contact, what))
    })
  }
  const items: readonly MenuItem[] = [
    {
      label: 'Contact',
      icon: 'people',
      onPress: () => {
        go(to.contact(contact))
      },
    },
    {
      label: 'Compare safety numbers',
      icon: 'shield',
      onPress: () => {
        go(to.verify(contact))
      },
    },
    { label: 'Search in this conversation', icon: 'search', onPress: () => (desk.searching.value = true) },
    { label: 'Disappearing messages', icon: 'timer', onPress: () => (desk.dialog.value = { kind: 'timer' }) },
    {
      label: chat?.muted === true ? 'Unmute' : 'Mute',
      icon: 'mute',
      onPress: () => change({ muted: chat?.muted !== true }),
    },
    {
      label: chat?.pinned === true ? 'Unpin conversation' : 'Pin conversation',
      icon: 'pin',
      onPress: () => change({ pinned: chat?.pinned !== true }),
    },
    {
      label: 'Mark as unread',
      icon: 'bell',
      onPress: async () => {
        await change({ markedUnread: true })
        go(to.chats)
      },
    },
    {
      label: 'Clear conversation',
      icon: 'cross',
      danger: true,
      onPress: () => (desk.dialog.value = { kind: 'clear' }),
    },
  ]
  return (
    <header class="conversation-head">
      <a class="icon-button back" href={to.chats} aria-label="Back to chats" title="Back to chats">
        <Icon name="back" />
      </a>
      <Avatar accountId={contact} />
      <div class="conversation-title">
        <h1>
          <a href={to.contact(contact)}>{name}</a>
          {person?.verified === true && (
            <span class="marked" title="Verified">
              <Icon name="shield" />
              <span class="unseen"> verified</span>
            </span>
          )}
        </h1>
        <p class="quiet">
          <Presence contact={contact} />
          {chat?.timerSeconds != null && (
            <span class="timer-words">
              <Icon name="timer" /> {duration(chat.timerSeconds)}
            </span>
          )}
        </p>
      </div>
      <Menu label="Conversation options" items={items} />
    </header>
  )
}

/** What the contact lets us see, and nothing where it does not. */
function Presence({ contact }: { contact: string }): JSX.Element | null {
  const store = useStore()
  const person = store.byAccount.value.get(contact)
  if (store.typing.value.has(contact)) return <span role="status">typing…</span>
  if (person?.state === 'requested') return <span>request sent, not answered yet</span>
  if (person?.online === true) return <span>online</span>
  if (person?.lastSeenAt != null) return <span>last seen {ago(person.lastSeenAt, Date.now())}</span>
  return null
}
