import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { to } from '../../app/routes.ts'
import { Icon } from '../../parts/icon.tsx'
import { useStore } from '../../state/context.ts'
import { ChatRow } from './chat-row.tsx'
import { sortedChats } from './order.ts'
import { SearchResults } from './search-results.tsx'

/** The left side: every conversation, or what the search box finds. */
export function ChatList({ chosen }: { chosen: string | null }): JSX.Element {
  const store = useStore()
  const query = useSignal('')
  const chats = sortedChats(store.conversations.value)
  return (
    <section class="list" aria-label="Chats">
      <header class="list-head">
        <h1>Chats</h1>
        <a class="icon-button" href={to.starred} aria-label="Starred messages" title="Starred messages">
          <Icon name="star" />
        </a>
        <a class="icon-button" href={to.addContact} aria-label="Add a contact" title="Add a contact">
          <Icon name="plus" />
        </a>
      </header>
      <div class="search-box">
        <Icon name="search" />
        <input
          type="search"
          aria-label="Search messages and people"
          placeholder="Search"
          value={query.value}
          onInput={(event) => (query.value = event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape') query.value = ''
          }}
        />
      </div>
      {query.value.trim() !== '' ? (
        <SearchResults query={query.value} />
      ) : chats.length === 0 ? null : (
        <ul class="rows" aria-label="Conversations">
          {chats.map((chat) => (
            <ChatRow key={chat.contact} chat={chat} chosen={chat.contact === chosen} />
          ))}
        </ul>
      )}
      {chats.length === 0 && query.value === '' && (
        <div class="empty small">
          <p>No conversations yet.</p>
          <a class="button main" href={to.addContact}>
            Add a contact
          </a>
        </div>
      )}
    </section>
  )
}
