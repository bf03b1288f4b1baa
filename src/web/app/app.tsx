import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { Gate } from '../screens/start/gate.tsx'
import { FirstRun } from '../screens/start/first-run.tsx'
import { Unlock } from '../screens/start/unlock.tsx'
import { Waiting } from '../screens/start/waiting.tsx'
import { useStore } from '../state/context.ts'
import { AwayBanner } from './away-banner.tsx'
import { Layout } from './layout.tsx'
import { LiveRegion } from './live-region.tsx'
import { NoticeList } from './notice-list.tsx'

/** Which of the page's faces is shown: what the daemon says decides. */
export function App(): JSX.Element {
  return (
    <>
      <AwayBanner />
      <Face />
      <NoticeList />
      <LiveRegion />
    </>
  )
}

function Face(): JSX.Element {
  const store = useStore()
  // The words are shown and checked after the account exists: the daemon's state must not take them off the screen.
  const setUp = useSignal(false)
  const door = store.door.value
  if (door !== 'in' && door !== 'lost') return <Gate door={door} />
  const status = store.status.value
  if (status === null) return <Waiting away={store.link.value === 'away'} />
  if (status.state === 'empty') setUp.value = true
  if (setUp.value) return <FirstRun onDone={() => (setUp.value = false)} />
  if (status.state === 'locked') return <Unlock />
  return store.loaded.value ? <Layout /> : <Waiting away={store.link.value === 'away'} />
}
