/** Whether others can reach us. Pure. */
import type { Mapping } from '../upgrade/observed.ts'

/** `behind-nat` says only that nobody could dial us: a router, a firewall or a carrier is in between. */
export type Reachability = 'unknown' | 'public' | 'behind-nat'

export interface ReachStatus {
  readonly reachability: Reachability
  /** Our public addresses that others have dialled. */
  readonly verified: readonly string[]
  /** Those that look public and that others tried to dial in vain. */
  readonly unproved: readonly string[]
  readonly mapping: Mapping
  /** Where others see our connections come from, as far as two of them agree. */
  readonly observed: string | undefined
  /** Peers that carry connections to us. */
  readonly relays: readonly { readonly peerId: string; readonly expiresAt: number }[]
  readonly serves: { readonly relay: boolean; readonly reservations: number; readonly circuits: number }
}

/** What is known when the question is asked. */
export interface Evidence {
  readonly verified: boolean
  /** How long a peer at a public address has been connected that we dialled; `undefined` where none is. */
  readonly connectedMs: number | undefined
  /** Of the addresses that might be reachable: none, some not asked about yet, or all asked about in vain. */
  readonly candidates: 'none' | 'open' | 'failed'
  readonly before: Reachability
}

/** Connected for so long without an address that might be ours: observers had time to name one. */
const BEHIND_AFTER_MS = 4_000
/** So long with one that nobody could be asked about. */
const UNASKED_AFTER_MS = 60_000

/** The verdict. Without a connection to a public peer nothing is learnt, and what was known before stays, but for being public. */
export function judge({ verified, connectedMs, candidates, before }: Evidence): Reachability {
  if (verified) return 'public'
  if (connectedMs === undefined) return before === 'public' ? 'unknown' : before
  const waitMs = { none: BEHIND_AFTER_MS, failed: 0, open: UNASKED_AFTER_MS }[candidates]
  if (connectedMs >= waitMs) return 'behind-nat'
  return before === 'public' ? 'unknown' : before
}
