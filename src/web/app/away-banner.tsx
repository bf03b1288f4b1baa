import type { JSX } from 'preact'
import { Icon } from '../parts/icon.tsx'
import { useStore } from '../state/context.ts'

/** Says that what is shown may be old. */
export function AwayBanner(): JSX.Element | null {
  const store = useStore()
  if (store.link.value !== 'away' || !store.loaded.value) return null
  return (
    <div class="away" role="alert">
      <Icon name="warning" />
      <span>
        The daemon does not answer. What you see may be old; what you type stays in this tab.{' '}
        {store.door.value === 'lost' ? 'Start it, then let the page in again with “sotto open”.' : 'Trying again…'}
      </span>
    </div>
  )
}
