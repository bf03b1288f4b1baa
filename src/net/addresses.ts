/** Multiaddrs as texts: which are well formed, which may be dialled here, which come first. */
import type { Connection, IdentifyResult } from '@libp2p/interface'
import { isPrivate } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { NetworkProfile } from '../lib/network-profile.ts'
import { sourceNetwork } from '../protocol/replicas.ts'
import { PEER_ADDRESSES_MAX } from '../wire/peer.ts'

const ADDRESS_TEXT_MAX = 255

/** The multiaddr that the text spells, or `undefined`. */
export function parseAddress(text: string): Multiaddr | undefined {
  if (text.length === 0 || text.length > ADDRESS_TEXT_MAX) return undefined
  try {
    return multiaddr(text)
  } catch {
    return undefined
  }
}

/** The peer id at the end of an address, or `undefined`. */
export function peerIdOf(address: Multiaddr): string | undefined {
  return address.getComponents().findLast((component) => component.name === 'p2p')?.value
}

/** The address for this peer and no other, or `undefined` where it names another. */
export function addressFor(text: string, peerId: string): Multiaddr | undefined {
  const address = parseAddress(text)
  if (address === undefined) return undefined
  const named = peerIdOf(address)
  if (named === undefined) return address.encapsulate(`/p2p/${peerId}`)
  return named === peerId ? address : undefined
}

/** The address without the peer id at its end. */
export function withoutPeer(text: string): string {
  return text.replace(/\/p2p\/[^/]+$/, '')
}

/** Whether a third peer carries the connection. A relay without limits leaves no other sign. */
export function isRelayed(connection: Pick<Connection, 'remoteAddr'>): boolean {
  return connection.remoteAddr.getComponents().some((component) => component.name === 'p2p-circuit')
}

/** Whether it was agreed over a relay: nobody can dial such an address. */
function isWebRtc(connection: Pick<Connection, 'remoteAddr'>): boolean {
  return connection.remoteAddr.getComponents().some((component) => component.name === 'webrtc')
}

/** Whether it leads to an address that anybody can dial: not over a relay, nor agreed over one. */
export function isPlain(connection: Pick<Connection, 'remoteAddr'>): boolean {
  return !isRelayed(connection) && !isWebRtc(connection)
}

/** The IP address in text form, or `undefined` over a relay or where a name is in it. */
export function ipOf(address: Multiaddr): string | undefined {
  const components = address.getComponents()
  if (components.some(({ name }) => name === 'p2p-circuit' || name.startsWith('dns'))) return undefined
  const first = components.find((component) => component.name === 'ip4' || component.name === 'ip6')
  return first?.value
}

/** Whether the profile lets the address be announced, passed on and dialled. A name may mean anything: it counts as private. */
export function addressAllowed(address: Multiaddr, profile: Pick<NetworkProfile, 'privateAddresses'>): boolean {
  return profile.privateAddresses || isPublic(address)
}

/** Whether it begins with an IP of the open internet and holds no name. What we do not understand is not public. */
function isPublic(address: Multiaddr): boolean {
  try {
    const components = address.getComponents()
    const [first] = components
    if (first?.value === undefined || (first.name !== 'ip4' && first.name !== 'ip6')) return false
    if (components.some((component) => component.name.startsWith('dns'))) return false
    return sourceNetwork(first.value) !== undefined && !isPrivate(address)
  } catch {
    return false
  }
}

/** 0 public, 1 private, 2 loopback: loopback means something else on every machine. */
function reach(address: Multiaddr): number {
  if (isPublic(address)) return 0
  const ip = ipOf(address) ?? ''
  return ip.startsWith('127.') || ip === '::1' ? 2 : 1
}

/** The addresses that may be kept for a peer: well formed, allowed, distinct, the farthest reaching first, at most 8. */
export function keepAddresses(
  texts: readonly string[],
  peerId: string,
  profile: Pick<NetworkProfile, 'privateAddresses'>,
): readonly string[] {
  const kept = new Map<string, number>()
  for (const text of texts) {
    const address = addressFor(text, peerId)
    if (address === undefined || !addressAllowed(address, profile)) continue
    const whole = address.toString()
    if (whole.length <= ADDRESS_TEXT_MAX) kept.set(whole, reach(address))
  }
  const sorted = [...kept].sort(([, a], [, b]) => a - b)
  return sorted.slice(0, PEER_ADDRESSES_MAX).map(([text]) => text)
}

/** Where we reached a peer, and its own word for where it is dialled: it cannot say so much that the first is lost. */
export function identifiedAddresses(result: IdentifyResult, profile: NetworkProfile): readonly string[] {
  const { peerId, signedPeerRecord, listenAddrs, connection } = result
  const own = (signedPeerRecord?.addresses ?? listenAddrs).map(String)
  const dialled = connection.direction === 'outbound' && !isWebRtc(connection) ? [connection.remoteAddr.toString()] : []
  return keepAddresses([...dialled, ...own], peerId.toString(), profile)
}
