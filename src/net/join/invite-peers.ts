/** Invites and the network: which peers to join by are put into one, and what is made of those in it. */
import type { NetworkProfile } from '../../lib/network-profile.ts'
import { randomBelow } from '../../lib/rng.ts'
import type { Rng } from '../../lib/rng.ts'
import { PEER_ADDRESSES_MAX } from '../../wire/peer.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { ipOf, keepAddresses, parseAddress, peerIdOf } from '../addresses.ts'
import { parsePeerId } from '../peer-id.ts'

/** Addresses of our own in an invite; the rest of the eight are others'. */
const OWN_MAX = 4
/** Peers beside us: when we are away, the guest joins by them. */
const OTHERS_MAX = 3

/**
 * The multiaddrs of an invite: our own, the farthest reaching first, and one each of three neighbours that we are connected
 * to. Neighbours stand near us by their ids and for no other reason: who is invited does not learn whom we know.
 */
export function inviteAddresses(
  own: readonly string[],
  neighbours: readonly PeerRecord[],
  rng: Rng,
): readonly string[] {
  const chosen = own.slice(0, OWN_MAX)
  const rest = neighbours.flatMap((peer) => dialable(peer) ?? [])
  for (let i = 0; i < OTHERS_MAX && rest.length > 0; i++) {
    chosen.push(...rest.splice(randomBelow(rng, rest.length), 1))
  }
  return chosen
}

/** One address of the peer that leads there without another peer's help. */
function dialable(peer: PeerRecord): string | undefined {
  return peer.addresses.find((text) => {
    const address = parseAddress(text)
    return address !== undefined && ipOf(address) !== undefined && peerIdOf(address) === peer.id
  })
}

/** The peers that an invite names, with the addresses that may be dialled in this network; what is not understood is left out. */
export function invitedPeers(
  addresses: readonly string[],
  profile: Pick<NetworkProfile, 'privateAddresses'>,
): readonly PeerRecord[] {
  const byPeer = new Map<string, string[]>()
  for (const text of addresses.slice(0, PEER_ADDRESSES_MAX)) {
    const address = parseAddress(text)
    const id = address === undefined ? undefined : peerIdOf(address)
    if (id === undefined || parsePeerId(id) === undefined) continue
    byPeer.set(id, [...(byPeer.get(id) ?? []), text])
  }
  const peers = [...byPeer].map(([id, texts]) => ({ id, addresses: keepAddresses(texts, id, profile) }))
  return peers.filter((peer) => peer.addresses.length > 0)
}
