import type { JSX } from 'preact'
import { useStore } from '../state/context.ts'

/** Read out, not shown. A new element for each announcement: words that stay the same would not be read again. */
export function LiveRegion(): JSX.Element {
  const { announced, announcements } = useStore().notices
  return (
    <p class="unseen" role="status" aria-live="polite" aria-label="Announcements">
      <span key={announcements.value}>{announced.value}</span>
    </p>
  )
}
