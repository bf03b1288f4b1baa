import type { JSX } from 'preact'
import { IconButton } from '../parts/button.tsx'
import { Icon } from '../parts/icon.tsx'
import type { IconName } from '../parts/icon.tsx'
import { Mark } from '../parts/mark.tsx'
import { useStore } from '../state/context.ts'
import { count } from '../words/network.ts'
import { route, to } from './routes.ts'

interface Entry {
  readonly href: string
  readonly icon: IconName
  readonly label: string
  readonly screens: readonly string[]
  readonly badge?: number
  readonly badgeWords?: string
}

export function Navigation(): JSX.Element {
  const store = useStore()
  const requests = store.requests.value
  const unread = store.unread.value
  const entries: readonly Entry[] = [
    {
      href: to.chats,
      icon: 'chats',
      label: 'Chats',
      screens: ['chats', 'search', 'starred'],
      badge: unread,
      badgeWords: count(unread, 'unread message'),
    },
    {
      href: to.contacts,
      icon: 'people',
      label: 'Contacts',
      screens: ['contacts'],
      badge: requests,
      badgeWords: count(requests, 'request'),
    },
    { href: to.network, icon: 'network', label: 'Network', screens: ['network'] },
    { href: to.settings, icon: 'settings', label: 'Settings', screens: ['settings'] },
    { href: to.guide, icon: 'guide', label: 'Guide', screens: ['guide'] },
  ]
  return (
    <nav class="navigation" aria-label="Main">
      <span class="navigation-mark">
        <Mark size={36} />
      </span>
      <ul>
        {entries.map(({ href, icon, label, screens, badge = 0, badgeWords = '' }) => (
          <li key={href}>
            <a href={href} aria-current={screens.includes(route.value.screen) ? 'page' : undefined}>
              <Icon name={icon} />
              <span>{label}</span>
              {badge > 0 && (
                <span class="badge">
                  {badge}
                  <span class="unseen"> {badgeWords.replace(/^\d+ /, '')}</span>
                </span>
              )}
            </a>
          </li>
        ))}
      </ul>
      <IconButton class="navigation-lock" icon="lock" label="Lock" onPress={() => store.attempt(() => store.lock())} />
    </nav>
  )
}
