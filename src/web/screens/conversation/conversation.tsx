import type { JSX } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import { to } from '../../app/routes.ts'
import { NamesakeWarning } from '../../parts/namesake-warning.tsx'
import { useStore } from '../../state/context.ts'
import { ChangedKey } from './changed-key.tsx'
import { Composer } from './composer.tsx'
import { ConversationHeader } from './conversation-header.tsx'
import { ConversationSearch } from './conversation-search.tsx'
import { Desk } from './desk.ts'
import { DialogHost } from './dialog-host.tsx'
import { MessageList } from './message-list.tsx'
import { PinBar } from './pin-bar.tsx'
import { RequestBar } from './request-bar.tsx'

export function Conversation({ contact, jumpTo }: { contact: string; jumpTo: string | null }): JSX.Element {
  const store = useStore()
  const desk = useMemo(() => new Desk(store, contact), [contact])
  const thread = store.thread(contact)
  const person = store.byAccount.value.get(contact)

  useEffect(() => {
    void store.attempt(() => thread.refresh())
  }, [contact])
  useEffect(() => {
    if (jumpTo !== null) void desk.jump(jumpTo)
  }, [jumpTo])

  if (person === undefined) return <Unknown />
  const open = person.state === 'accepted' || person.state === 'requested'
  return (
    <section class="conversation" aria-label={`Conversation with ${store.nameOf(contact)}`}>
      <ConversationHeader desk={desk} />
      {person.changed && <ChangedKey contact={contact} />}
      {person.name === '' && <NamesakeWarning contact={person} />}
      <PinBar desk={desk} />
      {desk.searching.value ? <ConversationSearch desk={desk} /> : <MessageList desk={desk} />}
      {open ? <Composer desk={desk} /> : <RequestBar contact={person} />}
      <DialogHost desk={desk} />
    </section>
  )
}

function Unknown(): JSX.Element {
  return (
    <div class="empty">
      <p>There is no such contact.</p>
      <a class="button plain" href={to.chats}>
        Back to chats
      </a>
    </div>
  )
}
