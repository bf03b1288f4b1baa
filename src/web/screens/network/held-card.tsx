import type { JSX } from 'preact'
import type { NetView, ZoneView } from '../../../api/application/network.ts'
import { bytesWords, count } from '../../words/network.ts'

export function HeldCard({ held, serves }: { held: ZoneView['held']; serves: NetView['serves'] }): JSX.Element {
  return (
    <section class="card" aria-label="What I hold for others">
      <h2>What I keep for others</h2>
      {held.serving ? (
        <>
          <p>
            {count(held.letters, 'letter')} in {count(held.mailboxes, 'mailbox', 'mailboxes')},{' '}
            {count(held.cards, 'card')}: {bytesWords(held.bytes)} of at most {bytesWords(held.bytesMax)}.
          </p>
          <meter
            min={0}
            max={Math.max(1, held.bytesMax)}
            value={held.bytes}
            aria-label={`${bytesWords(held.bytes)} of ${bytesWords(held.bytesMax)} used`}
          />
          <p class="quiet">You cannot read any of it, and nobody can tell from it whose it is.</p>
        </>
      ) : (
        <p>Nothing: this device does not serve as a holder now.</p>
      )}
      {serves.relay && (
        <p>
          It carries {count(serves.circuits, 'connection')} of others, with {count(serves.reservations, 'place')} taken.
        </p>
      )}
    </section>
  )
}
