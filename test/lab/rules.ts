/** The internet of the lab on paper: who is there, with which addresses, and the packet rules of every kind of NAT. Pure. */
import type { Kind } from './kinds.ts'
import { isIpv6 } from './kinds.ts'

/**
 * Public hosts by the first octet of their address. The addresses look public, as libp2p neither dials nor verifies private and
 * documentation ranges, and AutoNAT counts one vote for each first octet.
 */
export const PUBLIC = { boot: 11, relay1: 12, relay2: 13, pub1: 14, pub2: 15, pub3: 16 } as const
export type PublicHost = keyof typeof PUBLIC

export type Site = 'A' | 'B'
export const SITES: Readonly<Record<Site, { readonly octet: number; readonly lan: string; readonly hosts: number }>> = {
  A: { octet: 21, lan: '192.168.1', hosts: 2 },
  B: { octet: 22, lan: '192.168.2', hosts: 1 },
}
export type SiteHost = 'hostA' | 'hostA2' | 'hostB'

/** Where a public host is found, in both versions of IP. */
export function publicAddress(host: PublicHost): { readonly ip4: string; readonly ip6: string } {
  return { ip4: `${PUBLIC[host]}.0.0.2`, ip6: `2a01:${PUBLIC[host]}::2` }
}

export interface Placement {
  /** With the length of the prefix. */
  readonly address: string
  readonly router: string
}

/** Address and default router of a site's host of that number (0 is the first). */
export function placementOf(site: Site, kind: Kind, host = 0): Placement {
  const { octet, lan } = SITES[site]
  if (isIpv6(kind)) return { address: `2a01:${octet}:1::1${host}/64`, router: `2a01:${octet}:1::1` }
  if (kind === 'open') return { address: `${octet}.0.1.1${host}/24`, router: `${octet}.0.1.1` }
  return { address: `${lan}.1${host}/24`, router: `${lan}.1` }
}

interface Holes {
  /** Rules on what comes from outside, before it is routed. */
  readonly incoming?: string
  readonly outgoing?: string
  readonly forward?: string
  readonly masquerade?: string
  /** Before that. */
  readonly masqueradeTcp?: string
}

/** What a kind adds to "only answers come in". `host` is where unsolicited packets go, if anywhere. */
function holesOf(kind: Kind, host: string): Holes {
  switch (kind) {
    case 'open':
    case 'ipv6':
      return { forward: 'accept' }
    case 'ipv6fw':
      return {}
    case 'fullcone':
      return { masquerade: 'masquerade', incoming: `iifname { "wan", "isp" } dnat to ${host}` }
    case 'restricted':
      return {
        masquerade: 'masquerade',
        incoming: `iifname { "wan", "isp" } ip saddr . meta l4proto . th dport @spoken dnat to ${host}`,
        outgoing: 'iifname "lan" update @spoken { ip daddr . meta l4proto . th sport }',
      }
    case 'symmetric':
      return { masquerade: 'masquerade fully-random' }
    case 'udpcone':
      return { masquerade: 'masquerade', masqueradeTcp: 'meta l4proto tcp masquerade fully-random' }
    case 'tcponly':
      return { masquerade: 'masquerade', forward: 'meta l4proto udp drop' }
    case 'cone':
    case 'cgnat':
      return { masquerade: 'masquerade' }
  }
}

/**
 * The rules of a site's router, for `nft -f`. What nobody asked for is dropped without a word, as home routers do: a router that
 * answered with a reset would break connections that are opened from both sides.
 */
export function natRules(kind: Kind, host: string): string {
  const { incoming = '', outgoing = '', forward = '', masquerade, masqueradeTcp } = holesOf(kind, host)
  const onTheWayOut = [masqueradeTcp, masquerade].filter((rule) => rule !== undefined)
  return `flush ruleset
table ip nat {
  set spoken { type ipv4_addr . inet_proto . inet_service; flags dynamic,timeout; timeout 5m; }
  chain before { type nat hook prerouting priority dstnat; policy accept;
    ${incoming}
  }
  chain remember { type filter hook forward priority -10; policy accept;
    ${outgoing}
  }
  chain after { type nat hook postrouting priority srcnat; policy accept;
    ${onTheWayOut.map((rule) => `oifname { "wan", "isp" } ${rule}`).join('\n    ')}
  }
}
table inet guard {
  chain input { type filter hook input priority filter; policy drop;
    ct state established,related accept
    iifname { "lo", "lan" } accept
    icmp type echo-request accept
    meta l4proto ipv6-icmp accept
  }
  chain forward { type filter hook forward priority filter; policy drop;
    ${forward}
    ct state established,related accept
    ct status dnat accept
    iifname "lan" accept
  }
}
`
}

/** The carrier's NAT, in front of the routers of `cgnat` sites. */
export const CARRIER_RULES = natRules('symmetric', '')
