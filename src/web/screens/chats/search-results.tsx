import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { MessageView } from '../../../api/application/messages.ts'
import { to } from '../../app/routes.ts'
import { Avatar } from '../../parts/avatar.tsx'
import { Button } from '../../parts/button.tsx'
import { useStore } from '../../state/context.ts'
import { count } from '../../words/network.ts'
import { FoundMessage } from './found-message.tsx'

const WAIT_MS = 180
const LIMIT = 30

export interface SearchResultsProps {
  readonly query: string
  readonly contact?: string
  /** A found message was chosen. */
  readonly onFollow?: () => void
}

/** People and messages that fit what was typed. `contact` keeps it to one conversation. */
export function SearchResults({ query, contact, onFollow }: SearchResultsProps): JSX.Element {
  const store = useStore()
  const found = useSignal<readonly MessageView[]>([])
  const next = useSignal<string | null>(null)
  const state = useSignal<'asking' | 'there'>('asking')
  const text = query.trim()

  const ask = async (cursor?: string): Promise<void> => {
    const input = { query: text, limit: LIMIT, ...(contact === undefined ? {} : { contact }) }
    const page = await store.attempt(() => store.api.search(cursor === undefined ? input : { ...input, cursor }))
    found.value = cursor === undefined ? (page?.items ?? []) : [...found.value, ...(page?.items ?? [])]
    next.value = page?.next ?? null
    state.value = 'there'
  }
  useEffect(() => {
    state.value = 'asking'
    const timer = setTimeout(() => void ask(), WAIT_MS)
    return () => {
      clearTimeout(timer)
    }
  }, [text, contact])

  const people = contact === undefined ? peopleOf(store.contacts.value.map(({ accountId }) => accountId)) : []
  function peopleOf(ids: readonly string[]): readonly string[] {
    const wanted = text.toLocaleLowerCase()
    return ids.filter((id) => store.nameOf(id).toLocaleLowerCase().includes(wanted)).slice(0, 8)
  }
  return (
    <div class="results">
      <p class="quiet" role="status">
        {state.value === 'asking'
          ? 'Searching…'
          : `${count(found.value.length, 'message')}${next.value === null ? '' : ' and more'}`}
      </p>
      {people.length > 0 && (
        <ul class="rows" aria-label="People found">
          {people.map((accountId) => (
            <li key={accountId}>
              <a class="chat-row" href={to.chat(accountId)}>
                <Avatar accountId={accountId} />
                <strong>{store.nameOf(accountId)}</strong>
              </a>
            </li>
          ))}
        </ul>
      )}
      <ul class="rows" aria-label="Messages found">
        {found.value.map((message) => (
          <FoundMessage key={message.id} message={message} query={text} onFollow={onFollow} />
        ))}
      </ul>
      {next.value !== null && <Button onPress={() => ask(next.value ?? undefined)}>Show more</Button>}
    </div>
  )
}
