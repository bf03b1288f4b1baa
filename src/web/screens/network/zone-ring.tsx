import type { JSX } from 'preact'
import type { ZoneView } from '../../../api/application/network.ts'
import { count, shortPeer } from '../../words/network.ts'
import { spotOf, turnOf } from '../../words/ring.ts'

const RADIUS = 100
const BOX = 136

/** The key space as a ring: this device, the holders it knows, and where its mailboxes lie. The list below says the same. */
export function ZoneRing({ zone }: { zone: ZoneView }): JSX.Element {
  const self = turnOf(zone.self)
  const connected = zone.holders.filter((holder) => holder.connected).length
  const ours = zone.holders.filter((holder) => holder.holdsForUs).length
  const words = `${count(zone.holders.length, 'holder')} known, ${connected} connected, ${ours} with your mail; ${count(zone.mailboxes.length, 'mailbox', 'mailboxes')} of yours.`
  return (
    <figure class="ring">
      <svg viewBox={`${-BOX} ${-BOX} ${2 * BOX} ${2 * BOX}`} role="img" aria-label={`Map of the key space: ${words}`}>
        <circle class="ring-line" r={RADIUS} />
        {zone.mailboxes.map((position) => (
          <Mailbox key={position} position={position} />
        ))}
        {zone.holders.map((holder) => (
          <Holder key={holder.peerId} {...holder} self={self} />
        ))}
        {self !== undefined && (
          <g class="ring-self">
            <circle {...centre(self, RADIUS)} r={7} />
            <text {...spotOf(self, RADIUS + 20)}>you</text>
          </g>
        )}
      </svg>
      <figcaption>
        <p>{words}</p>
        <ul class="legend" aria-hidden="true">
          <li class="legend-self">this device</li>
          <li class="legend-ours">keeps your mail</li>
          <li class="legend-connected">connected</li>
          <li class="legend-known">known</li>
          <li class="legend-mailbox">your mailbox of the week</li>
        </ul>
      </figcaption>
    </figure>
  )
}

const centre = (turn: number, radius: number): { cx: number; cy: number } => {
  const { x, y } = spotOf(turn, radius)
  return { cx: x, cy: y }
}

type HolderProps = ZoneView['holders'][number] & { readonly self: number | undefined }

function Holder({ peerId, position, connected, holdsForUs, self }: HolderProps): JSX.Element | null {
  const turn = turnOf(position)
  if (turn === undefined) return null
  const { cx, cy } = centre(turn, RADIUS)
  const kind = holdsForUs ? 'ours' : connected ? 'connected' : 'known'
  const from = self === undefined ? undefined : spotOf(self, RADIUS)
  return (
    <g class={`ring-holder ${kind}`}>
      {connected && from !== undefined && <path class="ring-link" d={`M${from.x} ${from.y}Q0 0 ${cx} ${cy}`} />}
      <circle cx={cx} cy={cy} r={holdsForUs ? 5.5 : 4}>
        <title>{`${shortPeer(peerId)}${holdsForUs ? ', keeps your mail' : ''}${connected ? ', connected' : ''}`}</title>
      </circle>
    </g>
  )
}

function Mailbox({ position }: { position: string }): JSX.Element | null {
  const turn = turnOf(position)
  if (turn === undefined) return null
  const outer = spotOf(turn, RADIUS + 11)
  const inner = spotOf(turn, RADIUS - 11)
  return <path class="ring-mailbox" d={`M${inner.x} ${inner.y}L${outer.x} ${outer.y}`} />
}
