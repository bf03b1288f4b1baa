import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { IconButton } from '../../parts/button.tsx'
import { SearchResults } from '../chats/search-results.tsx'
import type { Desk } from './desk.ts'

/** In the place of the messages: what this conversation has of some words. */
export function ConversationSearch({ desk }: { desk: Desk }): JSX.Element {
  const query = useSignal('')
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => {
    input.current?.focus()
  }, [])
  const end = (): void => {
    desk.searching.value = false
  }
  return (
    <div class="conversation-search">
      <div class="search-box">
        <input
          ref={input}
          type="search"
          aria-label="Search in this conversation"
          placeholder="Search in this conversation"
          value={query.value}
          onInput={(event) => (query.value = event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape') end()
          }}
        />
        <IconButton icon="cross" label="End the search" onPress={end} />
      </div>
      <div class="scrolling">
        {query.value.trim() !== '' && <SearchResults query={query.value} contact={desk.contact} onFollow={end} />}
      </div>
    </div>
  )
}
