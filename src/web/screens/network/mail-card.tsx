import type { JSX } from 'preact'
import type { MailboxView } from '../../../api/application/network.ts'
import { useStore } from '../../state/context.ts'
import { count, shortPeer } from '../../words/network.ts'
import { ago } from '../../words/time.ts'

export function MailCard({ mailbox }: { mailbox: MailboxView }): JSX.Element {
  const own = useStore().status.value?.peerId
  const { waiting, lastSweepAt, complete, answers, holders } = mailbox
  return (
    <section class="card" aria-label="My mail">
      <h2>Who keeps my mail</h2>
      <p>
        {lastSweepAt === null
          ? 'Nobody was asked for mail yet.'
          : `Asked ${ago(lastSweepAt, Date.now())}: ${count(answers, 'answer')}, ${
              complete
                ? 'enough for nothing to be missed.'
                : 'too few to be sure that nothing was missed; it is asked again.'
            }`}
      </p>
      {waiting > 0 && <p>{count(waiting, 'letter')} listed that could not be taken in yet.</p>}
      {holders.length === 0 ? (
        <p class="quiet">No holder of your mailboxes is known at the moment.</p>
      ) : (
        <ul class="facts" aria-label="Holders of my mail">
          {holders.map(({ peerId, waiting: letters }) => (
            <li key={peerId}>
              <code title={peerId}>{shortPeer(peerId)}</code> {peerId === own && 'this device itself '}
              {letters > 0 && `with ${count(letters, 'letter')} for you`}
            </li>
          ))}
        </ul>
      )}
      <p class="quiet">
        They see sealed letters of a fixed size under an address of the week. Not from whom, not for whom.
      </p>
    </section>
  )
}
