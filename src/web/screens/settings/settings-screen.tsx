import type { JSX } from 'preact'
import { Panel } from '../../parts/panel.tsx'
import { useStore } from '../../state/context.ts'
import { AboutCard } from './about-card.tsx'
import { BackupCard } from './backup-card.tsx'
import { LookCard } from './look-card.tsx'
import { PassphraseCard } from './passphrase-card.tsx'
import { PrivacyCard } from './privacy-card.tsx'
import { ProfileCard } from './profile-card.tsx'
import { TokensCard } from './tokens-card.tsx'

export function SettingsScreen(): JSX.Element {
  const store = useStore()
  const { profile, settings } = store
  return (
    <Panel title="Settings">
      {profile.value !== null && <ProfileCard key={profile.value.number} profile={profile.value} />}
      {settings.value !== null && <PrivacyCard settings={settings.value} />}
      <LookCard />
      <PassphraseCard />
      <BackupCard />
      <TokensCard />
      <AboutCard />
    </Panel>
  )
}
