import type { JSX } from 'preact'
import { Button } from '../../parts/button.tsx'
import { useStore } from '../../state/context.ts'
import type { Outgoing } from '../../state/outgoing.ts'
import { explain } from '../../words/errors.ts'
import type { Desk } from './desk.ts'
import { MessageText } from './message-text.tsx'

/** A message that the daemon has not taken yet: it says no more than that. */
export function OutgoingItem({ message, desk }: { message: Outgoing; desk: Desk }): JSX.Element {
  const store = useStore()
  const { key, text, fault } = message
  const back = (): void => {
    store.outgoing.drop(key)
    const draft = store.drafts.of(desk.contact).value
    store.drafts.type(desk.contact, draft === '' ? text : `${text}\n${draft}`)
    desk.focusWanted.value++
  }
  return (
    <li>
      <article class="message own sending" aria-label="Your message, not sent yet">
        <div class="bubble">
          <MessageText text={text} />
          <p class="meta" role="status">
            {fault === null ? 'sending…' : 'not sent'}
          </p>
        </div>
      </article>
      {fault !== null && (
        <div class="unsent" role="alert">
          <p>
            {explain(fault).what} {explain(fault).next}
          </p>
          <div class="buttons">
            <Button onPress={back}>Back into the box</Button>
            <Button kind="main" onPress={() => store.outgoing.again(key)}>
              Try again
            </Button>
          </div>
        </div>
      )}
    </li>
  )
}
