/** Whether others reach us, in words, and what the user can do about it. Pure. */
import type { NetView } from '../api/application/network.ts'
import type { ReachStatus } from '../net/reach/reachability.ts'
import { RELAYS_KEPT } from '../net/reach/relay-keeper.ts'
import { iso } from './views.ts'

export interface NetFacts {
  readonly status: ReachStatus
  readonly role: string
  /** Where others are told to dial us. */
  readonly addresses: readonly string[]
  /** What we listen on. */
  readonly listening: readonly string[]
  readonly peers: readonly { readonly id: string; readonly address: string; readonly holder: boolean }[]
  /** Whether mail of others is held now. */
  readonly holding: boolean
  /** Whether everybody of this network is next door. */
  readonly nextDoor: boolean
}

export function netView(facts: NetFacts): NetView {
  const { status, role, addresses, listening, peers, holding } = facts
  return {
    role,
    reachability: status.reachability,
    summary: summaryOf(facts),
    addresses,
    listening,
    verified: status.verified,
    unproved: status.unproved,
    mapping: status.mapping,
    observed: status.observed ?? null,
    relays: status.relays.map(({ peerId, expiresAt }) => ({ peerId, expiresAt: iso(expiresAt) })),
    serves: { holder: holding, ...status.serves },
    peers: {
      connected: new Set(peers.map(({ id }) => id)).size,
      holders: new Set(peers.filter(({ holder }) => holder).map(({ id }) => id)).size,
      relayed: new Set(peers.filter(({ address }) => address.includes('/p2p-circuit')).map(({ id }) => id)).size,
    },
    hints: [...hintsOf(facts)],
  }
}

function summaryOf({ status, peers, nextDoor }: NetFacts): string {
  const { reachability, verified, relays } = status
  if (reachability === 'public') {
    return nextDoor ? 'On this network everybody dials everybody.' : `Others dial this machine: ${verified.join(', ')}.`
  }
  if (reachability === 'behind-nat') {
    const how =
      relays.length === 0 ? 'No relay carries connections here yet' : `${relays.length} relays carry connections here`
    return `Nobody can dial this machine: a router, a firewall or the carrier is in between. ${how}; mail waits at holders in any case.`
  }
  return peers.length === 0 ? 'No peer is connected.' : 'It is not known yet whether others can dial this machine.'
}

function* hintsOf({ status, listening, peers, nextDoor }: NetFacts): Generator<string> {
  const { reachability, unproved, mapping, relays } = status
  if (peers.length === 0)
    yield 'Check the line and the bootstrap addresses (--bootstrap), or add a contact by an invite that has addresses.'
  if (nextDoor || reachability === 'public') return
  if (listening.length === 0) {
    yield 'The daemon listens nowhere (--listen); with an address it could be dialled.'
    return
  }
  for (const address of unproved) {
    yield `${address} looks public, but nobody has got in: open TCP port ${portOf(address)} in the firewall.`
  }
  if (reachability !== 'behind-nat') return
  if (unproved.length === 0) yield forwardHint(listening, status)
  if (mapping === 'per-destination') {
    yield 'The router shows each peer another port, as carriers do: who is behind one like it is reached over relays only.'
  }
  if (relays.length < RELAYS_KEPT) yield 'Fewer than two relays are in use; others are looked for all the time.'
}

function forwardHint(listening: readonly string[], { observed }: ReachStatus): string {
  const port = portOf(listening.find((address) => !/\/ip4\/127\.|\/ip6\/::1\//.test(address)) ?? '')
  if (port === '' || port === '0') return 'Forward a TCP port of the router to this machine, and give it to --announce.'
  const outside = observed === undefined ? '/ip4/<your public address>' : observed.split('/').slice(0, 3).join('/')
  return `Forward TCP port ${port} of the router to this machine; it is noticed by itself. Where the router takes another port: --announce ${outside}/tcp/<port>.`
}

function portOf(address: string): string {
  return /\/tcp\/(\d+)/.exec(address)?.[1] ?? ''
}
