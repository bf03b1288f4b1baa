import type { JSX } from 'preact'
import { to } from '../../app/routes.ts'
import { Icon } from '../../parts/icon.tsx'
import { useStore } from '../../state/context.ts'

export function ChangedKey({ contact }: { contact: string }): JSX.Element {
  const store = useStore()
  return (
    <div class="alarm" role="alert">
      <Icon name="warning" />
      <p>
        <strong>The keys of {store.nameOf(contact)} do not fit the ones you know.</strong> Either they made a new
        account, or somebody sits between you. Nothing is sent until you decide.{' '}
        <a href={to.verify(contact)}>Compare safety numbers</a>
      </p>
    </div>
  )
}
