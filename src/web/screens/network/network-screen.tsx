import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { MailboxView, NetView, PeerView, ZoneView } from '../../../api/application/network.ts'
import { Panel } from '../../parts/panel.tsx'
import { useStore } from '../../state/context.ts'
import { REACH_WORDS } from '../../words/network.ts'
import { HeldCard } from './held-card.tsx'
import { MailCard } from './mail-card.tsx'
import { PeerTable } from './peer-table.tsx'
import { ZoneRing } from './zone-ring.tsx'

const EVERY_MS = 4_000

interface Seen {
  readonly net: NetView
  readonly mailbox: MailboxView
  readonly peers: readonly PeerView[]
  readonly zone: ZoneView
}

/** How this device stands in the network, read anew every few seconds while the screen is open. */
export function NetworkScreen(): JSX.Element {
  const store = useStore()
  const seen = useSignal<Seen | null>(null)
  useEffect(() => {
    let ended = false
    let timer: ReturnType<typeof setTimeout> | undefined
    const read = async (): Promise<void> => {
      const { api } = store
      if (document.visibilityState === 'visible') {
        try {
          const [net, mailbox, peers, zone] = await Promise.all([api.net(), api.mailbox(), api.peers(), api.zone()])
          if (!ended) seen.value = { net, mailbox, peers, zone }
        } catch (error) {
          if (!ended && seen.value === null) store.notices.fault(error)
        }
      }
      if (!ended) timer = setTimeout(() => void read(), EVERY_MS)
    }
    void read()
    return () => {
      ended = true
      clearTimeout(timer)
    }
  }, [])
  const shown = seen.value
  return (
    <Panel title="Network" wide>
      {shown === null ? <p role="status">Asking the daemon…</p> : <Seen {...shown} />}
    </Panel>
  )
}

function Seen({ net, mailbox, peers, zone }: Seen): JSX.Element {
  return (
    <div class="tiles">
      <div class="pile">
        <section class="card" aria-label="Reachability">
          <h2>{REACH_WORDS[net.reachability]}</h2>
          <p>{net.summary}</p>
          {net.hints.length > 0 && (
            <ul class="facts">
              {net.hints.map((hint) => (
                <li key={hint}>{hint}</li>
              ))}
            </ul>
          )}
          <dl class="figures">
            <Figure words="peers connected" value={net.peers.connected} />
            <Figure words="holders among them" value={net.peers.holders} />
            <Figure words="over relays" value={net.peers.relayed} />
            <Figure words="relays that carry you" value={net.relays.length} />
          </dl>
          <details>
            <summary>Addresses</summary>
            <Addresses title="Told to contacts" list={net.addresses} />
            <Addresses title="Listening" list={net.listening} />
            <Addresses title="Dialled by strangers" list={net.verified} />
            <Addresses title="Nobody got in" list={net.unproved} />
            {net.observed !== null && <Addresses title="Others see you come from" list={[net.observed]} />}
          </details>
        </section>
        <MailCard mailbox={mailbox} />
        <HeldCard held={zone.held} serves={net.serves} />
      </div>
      <section class="card" aria-label="The zone">
        <h2>Your neighbourhood</h2>
        <ZoneRing zone={zone} />
      </section>
      <PeerTable peers={peers} />
    </div>
  )
}

function Figure({ words, value }: { words: string; value: number }): JSX.Element {
  return (
    <div>
      <dt>{words}</dt>
      <dd>{value}</dd>
    </div>
  )
}

function Addresses({ title, list }: { title: string; list: readonly string[] }): JSX.Element {
  return (
    <>
      <h3>{title}</h3>
      {list.length === 0 ? (
        <p class="quiet">none</p>
      ) : (
        <ul class="addresses">
          {list.map((address) => (
            <li key={address}>
              <code>{address}</code>
            </li>
          ))}
        </ul>
      )}
    </>
  )
}
