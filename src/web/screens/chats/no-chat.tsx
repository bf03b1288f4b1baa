import type { JSX } from 'preact'
import { to } from '../../app/routes.ts'
import { Mark } from '../../parts/mark.tsx'

/** The empty right side of a wide window. */
export function NoChat(): JSX.Element {
  return (
    <div class="empty">
      <Mark size={64} />
      <p>Choose a conversation, or add someone.</p>
      <p>
        <a class="button plain" href={to.addContact}>
          Add a contact
        </a>
      </p>
      <p class="quiet">
        Press <kbd>Alt</kbd> and <kbd>?</kbd> for the keys.
      </p>
    </div>
  )
}
