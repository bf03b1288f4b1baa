import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { replace, to } from '../../app/routes.ts'
import { Field } from '../../parts/field.tsx'
import { Panel } from '../../parts/panel.tsx'
import { SearchResults } from './search-results.tsx'

/** Search with an address of its own. */
export function SearchScreen({ query }: { query: string }): JSX.Element {
  const typed = useSignal(query)
  return (
    <Panel title="Search" back={to.chats} backLabel="Back to chats">
      <Field
        label="Search messages and people"
        type="search"
        value={typed.value}
        onValue={(value) => {
          typed.value = value
          replace(to.search(value))
        }}
        hint="Every word has to be in the message; beginnings of words count."
      />
      {typed.value.trim() !== '' && <SearchResults query={typed.value} />}
    </Panel>
  )
}
