/** The kinds of networks that people sit in, which pairs of them are measured, and what may be expected of each. Pure. */

export const KINDS = [
  'open',
  'fullcone',
  'restricted',
  'cone',
  'symmetric',
  'udpcone',
  'cgnat',
  'tcponly',
  'ipv6',
  'ipv6fw',
] as const
/**
 * `open`: a public address, no filter. `fullcone`: what comes in goes to the host, as with a forwarded port. `restricted`: only from
 * addresses that were written to, and only to the port they were written from. `cone`: only from an address and port that were
 * written to. `symmetric`: another port for every destination; `udpcone`: the same for TCP, a cone for UDP. `cgnat`: a cone router behind the carrier's symmetric NAT. `tcponly`:
 * a cone without UDP. `ipv6`: an IPv6 address and nothing else; `ipv6fw`: the same behind a router that lets only answers in.
 */
export type Kind = (typeof KINDS)[number]

/** RFC 4787's words, for UDP and TCP alike. */
export interface Behaviour {
  /** Whether all destinations see one port; `undefined` where nothing passes. */
  readonly udpMapping: 'same' | 'per-destination' | undefined
  /** Who may answer on a UDP port that was written from. */
  readonly udpFilter: 'anyone' | 'address' | 'port' | undefined
  readonly tcpMapping: 'same' | 'per-destination' | undefined
  /** Who may open a TCP connection to a port that only listens: all, those that the host has spoken with, or none. */
  readonly tcpDialIn: 'anyone' | 'address' | 'nobody'
}

const OPEN: Behaviour = { udpMapping: 'same', udpFilter: 'anyone', tcpMapping: 'same', tcpDialIn: 'anyone' }
const CONE: Behaviour = { udpMapping: 'same', udpFilter: 'port', tcpMapping: 'same', tcpDialIn: 'nobody' }
const SYMMETRIC: Behaviour = { ...CONE, udpMapping: 'per-destination', tcpMapping: 'per-destination' }

/** What each kind has to do when it is measured. */
export const BEHAVIOUR: Readonly<Record<Kind, Behaviour>> = {
  open: OPEN,
  fullcone: OPEN,
  restricted: { ...CONE, udpFilter: 'address' },
  cone: CONE,
  symmetric: SYMMETRIC,
  udpcone: { ...CONE, tcpMapping: 'per-destination' },
  cgnat: SYMMETRIC,
  tcponly: { ...CONE, udpMapping: undefined, udpFilter: undefined },
  ipv6: OPEN,
  ipv6fw: CONE,
}

export interface Pair {
  /** `cone-symmetric`; `lan-cone` for two hosts behind one NAT. */
  readonly name: string
  readonly a: Kind
  readonly b: Kind
  readonly sameLan: boolean
}

const PLAN = [
  'open-open',
  'open-cone',
  'cone-open',
  'fullcone-cone',
  'restricted-cone',
  'cone-cone',
  'cone-tcponly',
  'tcponly-tcponly',
  'symmetric-open',
  'symmetric-fullcone',
  'cone-symmetric',
  'symmetric-cone',
  'symmetric-symmetric',
  'udpcone-udpcone',
  'udpcone-cone',
  'cgnat-cone',
  'cgnat-cgnat',
  'ipv6-ipv6',
  'ipv6fw-ipv6fw',
  'ipv6-cone',
  'lan-cone',
  'lan-symmetric',
]

function kindOf(text: string): Kind | undefined {
  return KINDS.find((kind) => kind === text)
}

/** The pair of that name, or `undefined`. */
export function pairOf(name: string): Pair | undefined {
  const [left = '', right = '', more] = name.split('-')
  const sameLan = left === 'lan'
  const [a, b] = [kindOf(sameLan ? right : left), kindOf(right)]
  return a === undefined || b === undefined || more !== undefined ? undefined : { name, a, b, sameLan }
}

/** The pairs named, comma by comma; all of the plan where nothing is said. Throws with the name that is none. */
export function pairsOf(names?: string): readonly Pair[] {
  const wanted = names === undefined ? PLAN : names.split(',')
  return wanted.map((name) => {
    const pair = pairOf(name.trim())
    if (pair === undefined)
      throw new Error(`${name} is no pair: two of ${KINDS.join(', ')} with a - between, or lan-KIND`)
    return pair
  })
}

export const isIpv6 = (kind: Kind): boolean => kind === 'ipv6' || kind === 'ipv6fw'
/** What both can speak, with one port for all destinations, opens both routers. */
const meetBy = (a: Kind, b: Kind, mapping: 'tcpMapping' | 'udpMapping'): boolean =>
  [a, b].every((kind) => BEHAVIOUR[kind][mapping] === 'same')

/**
 * Whether the pair has to end up with a direct connection: neither side is behind a NAT whose next port nobody knows, for TCP or for
 * UDP, and they speak one version of IP. Two hosts of one LAN always can.
 */
export function mustBeDirect({ a, b, sameLan }: Pair): boolean {
  return sameLan || (isIpv6(a) === isIpv6(b) && (meetBy(a, b, 'tcpMapping') || meetBy(a, b, 'udpMapping')))
}

/** Whether it is worth waiting for one: as above, or because one side lets anyone in. */
export function mayBeDirect(pair: Pair): boolean {
  const letsIn = (kind: Kind): boolean => BEHAVIOUR[kind].tcpDialIn === 'anyone'
  return mustBeDirect(pair) || (isIpv6(pair.a) === isIpv6(pair.b) && (letsIn(pair.a) || letsIn(pair.b)))
}

/** Where a NAT does something else than its kind, in words; empty where it is as labelled. */
export function faultsOf(kind: Kind, seen: Behaviour): readonly string[] {
  const expected = BEHAVIOUR[kind]
  const names = Object.keys(expected) as (keyof Behaviour)[]
  return names
    .filter((name) => expected[name] !== seen[name])
    .map((name) => `${kind}: ${name} is ${seen[name] ?? 'none'}, not ${expected[name] ?? 'none'}`)
}
