/**
 * Which peers answer for an address (protocol §4): the nearest by XOR (Maymounkov and Mazières 2002) under the diversity
 * rule. Pure: positions and addresses come in, an order goes out.
 */
import type { CryptoProvider } from '../crypto/provider.ts'

/** k: holders that a record is written to. Three lose records under ordinary churn, eight cost without a gain. */
export const REPLICAS = 5
/** W: signed receipts from which on a record counts as stored. */
export const WRITE_QUORUM = 3
/** Holders that are read and that repair looks after. */
export const ZONE_SIZE = 20
/** Answers that make a read of the zone complete. */
export const COMPLETE_ANSWERS = 15
/** Peers asked for when a zone is drawn up: half as many again as it has, since the diversity rule leaves some out. */
export const ZONE_CANDIDATES = 30

const PER_IPV4_16_MAX = 2
const PER_IPV4_24_MAX = 1
const PER_IPV6_48_MAX = 1

/** A peer on the ring of 32-byte positions, and where it can be dialled (multiaddrs in text form). */
export interface Placed {
  readonly peerId: string
  readonly position: Uint8Array
  readonly addresses: readonly string[]
}

/** Where an address, card key or anything of the sort lies on the ring: its SHA-256. */
export function placement(crypto: CryptoProvider, address: Uint8Array): Uint8Array {
  return crypto.sha256(address)
}

/**
 * Where a rung of an address's fallback ladder lies: rung 0 is {@link placement}, the others SHA-256(address ‖ rung), in zones
 * that have nothing to do with the first.
 */
export function rungPlacement(crypto: CryptoProvider, address: Uint8Array, rung: number): Uint8Array {
  return rung === 0 ? placement(crypto, address) : crypto.sha256(address, Uint8Array.of(rung))
}

/** Negative where `a` is nearer to `target` than `b` by XOR. Zero only for one and the same position. */
export function compareDistance(target: Uint8Array, a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < target.length; i++) {
    const middle = target[i] ?? 0
    const difference = ((a[i] ?? 0) ^ middle) - ((b[i] ?? 0) ^ middle)
    if (difference !== 0) return difference
  }
  return 0
}

/** All `peers`, nearest to `target` first. */
export function byDistance<T extends Pick<Placed, 'position'>>(target: Uint8Array, peers: readonly T[]): T[] {
  return peers.toSorted((a, b) => compareDistance(target, a.position, b.position))
}

/** The `count` nearest to `target` that the diversity rule lets stand together, nearest first. */
export function nearest<T extends Placed>(target: Uint8Array, peers: readonly T[], count: number): T[] {
  return diverse(byDistance(target, peers), count)
}

/**
 * The first `count` of `ordered` of which at most 2 share an IPv4 /16, 1 an IPv4 /24 and 1 an IPv6 /48. It speaks of
 * public addresses only. A peer belongs to the networks of its first public IPv4 and its first public IPv6 address: were it
 * all of them, one peer could shut eight networks out by naming them.
 */
export function diverse<T extends Pick<Placed, 'addresses'>>(ordered: readonly T[], count: number): T[] {
  const used = new Map<string, number>()
  const chosen: T[] = []
  for (const peer of ordered) {
    if (chosen.length >= count) break
    const networks = networksOf(peer.addresses)
    if (networks.some(({ name, max }) => (used.get(name) ?? 0) >= max)) continue
    for (const { name } of networks) used.set(name, (used.get(name) ?? 0) + 1)
    chosen.push(peer)
  }
  return chosen
}

/**
 * The zone out of `ordered` candidates, nearest first, when `asked` of them were asked for. Where fewer came, the network
 * is smaller than that and the zone is everyone (up to its size): first who is diverse, then the rest.
 */
export function zoneOf<T extends Pick<Placed, 'addresses'>>(
  ordered: readonly T[],
  asked: number = ZONE_CANDIDATES,
): T[] {
  const chosen = diverse(ordered, ZONE_SIZE)
  if (ordered.length >= asked) return chosen
  const inside = new Set(chosen)
  return [...chosen, ...ordered.filter((peer) => !inside.has(peer))].slice(0, ZONE_SIZE)
}

interface Network {
  readonly name: string
  readonly max: number
}

/** Zones are drawn of the same few peers again and again: the addresses of a record are read once. */
const networksKnown = new WeakMap<readonly string[], readonly Network[]>()

function networksOf(addresses: readonly string[]): readonly Network[] {
  const known = networksKnown.get(addresses) ?? networksIn(addresses)
  networksKnown.set(addresses, known)
  return known
}

function networksIn(addresses: readonly string[]): Network[] {
  const networks: Network[] = []
  const ips = addresses.map(publicIp).filter((ip) => ip !== undefined)
  const four = ips.find((ip) => ip.version === 4)
  const six = ips.find((ip) => ip.version === 6)
  if (four !== undefined) {
    networks.push({ name: `4/${four.groups.slice(0, 2).join('.')}`, max: PER_IPV4_16_MAX })
    networks.push({ name: `4/${four.groups.slice(0, 3).join('.')}`, max: PER_IPV4_24_MAX })
  }
  if (six !== undefined) networks.push({ name: `6/${six.groups.slice(0, 3).join(':')}`, max: PER_IPV6_48_MAX })
  return networks
}

interface Ip {
  readonly version: 4 | 6
  readonly groups: readonly number[]
}

/** The public IP that a multiaddr begins with; none behind a relay (it is the relay's) and none for a private network. */
function publicIp(multiaddr: string): Ip | undefined {
  const [, family, host] = multiaddr.split('/')
  if (host === undefined || multiaddr.includes('/p2p-circuit')) return undefined
  const ip = family === 'ip4' ? parseIpv4(host) : family === 'ip6' ? parseIpv6(host) : undefined
  return ip !== undefined && isPublic(ip) ? ip : undefined
}

/** The network by which a source is rationed: /24 of a public IPv4, /48 of a public IPv6; none for private addresses. */
export function sourceNetwork(ip: string): string | undefined {
  const parsed = parseIpv4(ip) ?? parseIpv6(ip)
  if (parsed === undefined || !isPublic(parsed)) return undefined
  return `${parsed.version}/${parsed.groups.slice(0, 3).join('.')}`
}

function parseIpv4(text: string): Ip | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined
  return { version: 4, groups: parts.map(Number) }
}

function parseIpv6(text: string): Ip | undefined {
  const bare = (text.split('%')[0] ?? '').replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((group) => group.toString(16)).join(':'),
  )
  if (bare.toLowerCase().startsWith('::ffff:')) return mappedIpv4(bare)
  const halves = bare.split('::')
  if (halves.length > 2 || !bare.includes(':')) return undefined
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail]
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  return { version: 6, groups: groups.map((group) => Number.parseInt(group, 16)) }
}

/** IPv4 in IPv6's clothes (RFC 4291 §2.5.5.2), as dual-stack sockets report it. */
function mappedIpv4(text: string): Ip | undefined {
  const [high, low, ...rest] = text.slice('::ffff:'.length).split(':')
  if (low === undefined || rest.length > 0) return undefined
  const [a, b] = [Number.parseInt(high ?? '', 16), Number.parseInt(low, 16)]
  return parseIpv4([a >> 8, a & 255, b >> 8, b & 255].join('.'))
}

/** Whether the address is of the open internet (IANA special-purpose registries, RFC 6890): the blocks that occur. */
function isPublic(ip: Ip): boolean {
  const [a = 0, b = 0] = ip.groups
  if (ip.version === 6) return a >= 0x2000 && a < 0x4000 && !(a === 0x2001 && b === 0xdb8)
  if (a === 0 || a === 10 || a === 127 || a >= 224) return false
  if (a === 100) return b < 64 || b > 127
  if (a === 169) return b !== 254
  if (a === 172) return b < 16 || b > 31
  if (a === 192) return b !== 168
  return !(a === 198 && (b === 18 || b === 19))
}
