import type { JSX } from 'preact'
import type { PeerView } from '../../../api/application/network.ts'
import { count, shortPeer } from '../../words/network.ts'

export function PeerTable({ peers }: { peers: readonly PeerView[] }): JSX.Element {
  return (
    <section class="card spread" aria-label="Peers">
      <h2>{count(peers.length, 'peer')}</h2>
      <div class="table-scroll" tabIndex={0} role="group" aria-label="Table of peers">
        <table>
          <thead>
            <tr>
              <th scope="col">Peer</th>
              <th scope="col">Address</th>
              <th scope="col">Called by</th>
              <th scope="col">Round trip</th>
              <th scope="col">Holder</th>
              <th scope="col">Link</th>
            </tr>
          </thead>
          <tbody>
            {peers.map((peer) => (
              <tr key={`${peer.peerId} ${peer.address}`}>
                <th scope="row">
                  <code title={peer.peerId}>{shortPeer(peer.peerId)}</code>
                </th>
                <td>
                  <code>{peer.address}</code>
                </td>
                <td>{peer.direction === 'outbound' ? 'us' : 'them'}</td>
                <td>{peer.roundTripMs === null ? '–' : `${Math.round(peer.roundTripMs)} ms`}</td>
                <td>{peer.holder ? 'yes' : 'no'}</td>
                <td>{peer.encryption}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}
