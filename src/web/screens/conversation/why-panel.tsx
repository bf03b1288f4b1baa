import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { MessageView, WhyView } from '../../../api/application/messages.ts'
import { Dialog } from '../../parts/dialog.tsx'
import { useStore } from '../../state/context.ts'
import { count, shortPeer } from '../../words/network.ts'
import { statusWords } from '../../words/status.ts'
import { clock, whole } from '../../words/time.ts'

/** What is proved about a message, and what happens next: the daemon's own account of it. */
export function WhyPanel({ message, onClose }: { message: MessageView; onClose: () => void }): JSX.Element {
  const store = useStore()
  const why = useSignal<WhyView | null>(null)
  const now = store.thread(message.contact).messages.value.find(({ id }) => id === message.id) ?? message
  const { short, long } = statusWords(now)
  useEffect(() => {
    void store.attempt(() => store.api.why(message.id)).then((answer) => (why.value = answer ?? null))
  }, [now.status, now.stored])
  return (
    <Dialog title={`Status: ${short}`} onClose={onClose}>
      <p>{long}</p>
      {why.value === null ? <p role="status">Asking the daemon…</p> : <Account why={why.value} />}
    </Dialog>
  )
}

function Account({ why }: { why: WhyView }): JSX.Element {
  const open = why.status === 'queued' || why.status === 'stored'
  return (
    <>
      <p class="summary">{why.summary}</p>
      {why.devices.map((device, at) => (
        <section key={device.deviceId} class="why-device">
          <h3>{why.devices.length > 1 ? `Device ${at + 1}` : 'The other device'}</h3>
          <ul class="facts">
            {device.attempts > 0 && <li>{count(device.attempts, 'attempt')} so far</li>}
            {open && device.nextAttemptAt !== null && <li>next attempt {whole(device.nextAttemptAt)}</li>}
            {open && <li>kept for delivery until {whole(device.expiresAt)}</li>}
            {device.proved !== null && (
              <li>
                {count(device.proved.holders, 'holder')} proved at {clock(device.proved.at)} that they have it
              </li>
            )}
            {device.holders.map(({ peerId, at }) => (
              <li key={peerId}>
                holder <code title={peerId}>{shortPeer(peerId)}</code> signed for it {whole(at)}
              </li>
            ))}
          </ul>
          {device.steps.length > 0 && (
            <details>
              <summary>Every step</summary>
              <ol class="steps">
                {device.steps.map((step, at) => (
                  <li key={at}>
                    <time dateTime={step.at}>{whole(step.at)}</time> {step.event} {step.detail}
                  </li>
                ))}
              </ol>
            </details>
          )}
        </section>
      ))}
    </>
  )
}
