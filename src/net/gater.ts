/** Whom we dial and whom we let in. */
import type { Connection } from '@libp2p/interface'
import type { Libp2pOptions } from 'libp2p'
import type { NetworkProfile } from '../lib/network-profile.ts'
import { sourceNetwork } from '../protocol/replicas.ts'
import { addressAllowed, ipOf, withoutPeer } from './addresses.ts'
import { CONNECTIONS_PER_NETWORK_MAX } from './protocols.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

export type OpenConnection = Pick<Connection, 'direction' | 'remoteAddr'>

/**
 * Strangers name addresses; on a public network none of them makes us knock on a private door. And one public network
 * (/24, /48) gets only so many of our connections: asked twice, since before the handshake those under way do not count.
 *
 * @param trusted addresses that are dialled though they are private: for whatever peer, or with `/p2p/…` for that one.
 */
export function connectionGater(
  profile: Pick<NetworkProfile, 'privateAddresses' | 'diversity'>,
  trusted: ReadonlySet<string>,
  open: () => readonly OpenConnection[],
): NonNullable<Libp2pOptions['connectionGater']> {
  const crowded = (address: Multiaddr): boolean => {
    const network = profile.diversity ? networkOf(address) : undefined
    if (network === undefined) return false
    const taken = open().filter((other) => other.direction === 'inbound' && networkOf(other.remoteAddr) === network)
    return taken.length >= CONNECTIONS_PER_NETWORK_MAX
  }
  const isTrusted = (text: string): boolean => trusted.has(text) || trusted.has(withoutPeer(text))
  return {
    denyDialMultiaddr: (address) => !addressAllowed(address, profile) && !isTrusted(address.toString()),
    filterMultiaddrForPeer: (_peer, address) => addressAllowed(address, profile),
    denyInboundConnection: (connection) => crowded(connection.remoteAddr),
    denyInboundUpgradedConnection: (_peer, connection) => crowded(connection.remoteAddr),
  }
}

function networkOf(address: Multiaddr): string | undefined {
  const ip = ipOf(address)
  return ip === undefined ? undefined : sourceNetwork(ip)
}
