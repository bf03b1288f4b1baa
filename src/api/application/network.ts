import type { ReachabilityName } from './account.ts'

export interface PeerView {
  readonly peerId: string
  readonly address: string
  readonly direction: 'inbound' | 'outbound'
  readonly roundTripMs: number | null
  readonly streams: number
  readonly holder: boolean
  readonly encryption: string
}

/** How this machine stands in the network: whether others reach it, and what it does for them. */
export interface NetView {
  readonly role: string
  readonly reachability: ReachabilityName
  /** One or two sentences in plain words. */
  readonly summary: string
  /** What contacts are told. */
  readonly addresses: readonly string[]
  readonly listening: readonly string[]
  /** Public addresses that a stranger has dialled, and those where nobody got in. */
  readonly verified: readonly string[]
  readonly unproved: readonly string[]
  /** Whether a router in between shows all peers one address and port of ours, or each another. */
  readonly mapping: 'unknown' | 'endpoint-independent' | 'per-destination'
  /** Where two others see us come from. */
  readonly observed: string | null
  /** Peers that carry connections to us. */
  readonly relays: readonly { readonly peerId: string; readonly expiresAt: string }[]
  readonly serves: {
    readonly holder: boolean
    readonly relay: boolean
    readonly reservations: number
    readonly circuits: number
  }
  readonly peers: { readonly connected: number; readonly holders: number; readonly relayed: number }
  /** What the user can do, one sentence each. */
  readonly hints: readonly string[]
}

/** What waits for us at holders, and how far it was last looked for. */
export interface MailboxView {
  /** Letters that holders listed and that are not taken in yet: their holder is silent, or nobody can read them. */
  readonly waiting: number
  /** Messages that are here and were not read. */
  readonly unread: number
  readonly lastSweepAt: string | null
  /** Whether enough holders answered in the last sweep for nothing to be missed. */
  readonly complete: boolean
  /** Answers of holders in the last sweep, over all mailboxes. */
  readonly answers: number
  /** Whom new letters come to now, as far as they are known: the nearest of each mailbox that is followed. */
  readonly holders: readonly { readonly peerId: string; readonly waiting: number }[]
}

/** The neighbourhood of one place in the key space, for the network screen. */
export interface ZoneView {
  /** Where this device stands: 64 hexadecimal digits. */
  readonly self: string
  /** Holders that are known, nearest first, at most 64. */
  readonly holders: readonly {
    readonly peerId: string
    /** 64 hexadecimal digits. */
    readonly position: string
    readonly connected: boolean
    /** Whether new letters to us go there. */
    readonly holdsForUs: boolean
  }[]
  /** Where letters to us are put this week: positions of our mailboxes. */
  readonly mailboxes: readonly string[]
  /** What lies here for others. */
  readonly held: {
    readonly serving: boolean
    readonly letters: number
    readonly bytes: number
    readonly bytesMax: number
    readonly mailboxes: number
    readonly cards: number
  }
}

export interface NetworkPart {
  mailbox(): Promise<MailboxView>
  net(): Promise<NetView>
  peers(): Promise<readonly PeerView[]>
  zone(): Promise<ZoneView>
}
