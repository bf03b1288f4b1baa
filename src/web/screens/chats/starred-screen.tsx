import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { MessageView } from '../../../api/application/messages.ts'
import { to } from '../../app/routes.ts'
import { Button } from '../../parts/button.tsx'
import { Panel } from '../../parts/panel.tsx'
import { useStore } from '../../state/context.ts'
import { FoundMessage } from './found-message.tsx'

const LIMIT = 50

export function StarredScreen(): JSX.Element {
  const store = useStore()
  const list = useSignal<readonly MessageView[] | null>(null)
  const next = useSignal<string | null>(null)
  const load = async (cursor?: string): Promise<void> => {
    const page = await store.attempt(() =>
      store.api.starred(cursor === undefined ? { limit: LIMIT } : { cursor, limit: LIMIT }),
    )
    list.value = [...(list.value ?? []), ...(page?.items ?? [])]
    next.value = page?.next ?? null
  }
  useEffect(() => {
    void load()
  }, [])
  return (
    <Panel title="Starred messages" back={to.chats} backLabel="Back to chats">
      {list.value?.length === 0 && <p class="quiet">No message is starred. Star one from its options.</p>}
      <ul class="rows" aria-label="Starred messages">
        {(list.value ?? []).map((message) => (
          <FoundMessage key={message.id} message={message} query="" />
        ))}
      </ul>
      {next.value !== null && <Button onPress={() => load(next.value ?? undefined)}>Show more</Button>}
    </Panel>
  )
}
