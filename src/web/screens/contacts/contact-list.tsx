import type { JSX } from 'preact'
import type { ContactView } from '../../../api/application/contacts.ts'
import { to } from '../../app/routes.ts'
import { Avatar } from '../../parts/avatar.tsx'
import { Icon } from '../../parts/icon.tsx'
import { useStore } from '../../state/context.ts'

/** The left side: requests first, then favourites, then everybody by name. */
export function ContactList({ chosen }: { chosen: string | null }): JSX.Element {
  const store = useStore()
  const by = (state: ContactView['state']): readonly ContactView[] =>
    store.contacts.value.filter((contact) => contact.state === state)
  const accepted = by('accepted')
  const groups: readonly (readonly [title: string, list: readonly ContactView[]])[] = [
    ['Requests', by('incoming')],
    ['Favourites', accepted.filter(({ favourite }) => favourite)],
    ['Contacts', accepted.filter(({ favourite }) => !favourite)],
    ['Asked, not answered yet', by('requested')],
    ['Blocked', by('blocked')],
  ]
  return (
    <section class="list" aria-label="Contacts">
      <header class="list-head">
        <h1>Contacts</h1>
        <a class="icon-button" href={to.addContact} aria-label="Add a contact" title="Add a contact">
          <Icon name="plus" />
        </a>
      </header>
      <div class="scrolling">
        {groups
          .filter(([, list]) => list.length > 0)
          .map(([title, list]) => (
            <section key={title}>
              <h2 class="group-name">{title}</h2>
              <ul class="rows" aria-label={title}>
                {sorted(list, store.nameOf.bind(store)).map((contact) => (
                  <Row key={contact.accountId} contact={contact} chosen={contact.accountId === chosen} />
                ))}
              </ul>
            </section>
          ))}
        {store.contacts.value.length === 0 && (
          <div class="empty small">
            <p>Nobody yet. Send your invite link to somebody, or add theirs.</p>
            <a class="button main" href={to.addContact}>
              Add a contact
            </a>
          </div>
        )}
      </div>
    </section>
  )
}

const sorted = (list: readonly ContactView[], nameOf: (id: string) => string): readonly ContactView[] =>
  list.toSorted((one, other) => nameOf(one.accountId).localeCompare(nameOf(other.accountId)))

function Row({ contact, chosen }: { contact: ContactView; chosen: boolean }): JSX.Element {
  const store = useStore()
  const { accountId, verified, changed, online, profileName } = contact
  const name = store.nameOf(accountId)
  return (
    <li>
      <a class="chat-row" href={to.contact(accountId)} aria-current={chosen ? 'true' : undefined}>
        <Avatar accountId={accountId} />
        <span class="chat-row-text">
          <span class="chat-row-top">
            <strong>{name}</strong>
            {online && <span class="unseen">, online</span>}
            {verified && (
              <span class="marked" title="verified">
                <Icon name="shield" />
                <span class="unseen"> verified</span>
              </span>
            )}
            {changed && (
              <span class="marked" title="key changed">
                <Icon name="warning" />
                <span class="unseen"> key changed</span>
              </span>
            )}
          </span>
          {profileName !== '' && contact.name !== '' && profileName !== contact.name && (
            <span class="clip quiet">calls itself {profileName}</span>
          )}
        </span>
      </a>
    </li>
  )
}
