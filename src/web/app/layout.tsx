import type { JSX } from 'preact'
import { AddContact } from '../screens/contacts/add-contact.tsx'
import { ContactCard } from '../screens/contacts/contact-card.tsx'
import { ContactList } from '../screens/contacts/contact-list.tsx'
import { SafetyNumber } from '../screens/contacts/safety-number.tsx'
import { ChatList } from '../screens/chats/chat-list.tsx'
import { NoChat } from '../screens/chats/no-chat.tsx'
import { SearchScreen } from '../screens/chats/search-screen.tsx'
import { StarredScreen } from '../screens/chats/starred-screen.tsx'
import { Conversation } from '../screens/conversation/conversation.tsx'
import { GuideScreen } from '../screens/guide/guide-screen.tsx'
import { NetworkScreen } from '../screens/network/network-screen.tsx'
import { SettingsScreen } from '../screens/settings/settings-screen.tsx'
import { Navigation } from './navigation.tsx'
import type { Route } from './routes.ts'
import { route } from './routes.ts'
import { Shortcuts } from './shortcuts.tsx'

/** Navigation, a list, and what was chosen in it; in a narrow window the list or the choice. */
export function Layout(): JSX.Element {
  const now = route.value
  const chosen = isChosen(now)
  return (
    <div class={`layout ${chosen ? 'chosen' : ''}`}>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <Navigation />
      <main id="main" tabIndex={-1}>
        <List route={now} />
        <div class="choice">
          <Choice route={now} />
        </div>
      </main>
      <Shortcuts />
    </div>
  )
}

function skip(event: Event): void {
  event.preventDefault()
  document.querySelector<HTMLElement>('#main')?.focus()
}

/** Whether the window's narrow form shows the right side. */
function isChosen(now: Route): boolean {
  if (now.screen === 'chats') return now.contact !== null
  return now.screen !== 'contacts' || now.part !== null
}

function List({ route: now }: { route: Route }): JSX.Element | null {
  if (now.screen === 'chats') return <ChatList chosen={now.contact} />
  if (now.screen === 'contacts') return <ContactList chosen={now.contact} />
  return null
}

function Choice({ route: now }: { route: Route }): JSX.Element {
  switch (now.screen) {
    case 'chats':
      return now.contact === null ? (
        <NoChat />
      ) : (
        <Conversation key={now.contact} contact={now.contact} jumpTo={now.message} />
      )
    case 'contacts':
      if (now.part === 'add') return <AddContact />
      if (now.contact === null) return <NoChat />
      if (now.part === 'verify') return <SafetyNumber key={now.contact} accountId={now.contact} />
      return <ContactCard key={now.contact} accountId={now.contact} />
    case 'search':
      return <SearchScreen query={now.query} />
    case 'starred':
      return <StarredScreen />
    case 'network':
      return <NetworkScreen />
    case 'settings':
      return <SettingsScreen />
    case 'guide':
      return <GuideScreen page={now.page} />
  }
}
