/**
 * What the local API asks of the daemon: one interface, JSON-ready values, a leaf. `node.ts` satisfies it from the
 * services; a test satisfies it with a handful of closures. Ids are text: accounts bech32m `sotto1…`, messages and
 * devices lower-case hex. Times are ISO 8601 UTC. Errors are those of `lib/errors`.
 */
export type MessageState = 'queued' | 'stored' | 'delivered' | 'read' | 'expired' | 'failed' | 'taken-back'
export type ContactState = 'requested' | 'incoming' | 'accepted' | 'blocked'

/** `behind-nat` stands for a router, a firewall or a carrier in between. */
export type ReachabilityName = 'unknown' | 'public' | 'behind-nat'

export interface StatusView {
  readonly version: string
  readonly network: string
  readonly state: 'empty' | 'locked' | 'ready' | 'joining'
  readonly accountId: string | null
  readonly deviceId: string | null
  readonly peerId: string
  readonly addresses: readonly string[]
  readonly peers: number
  /** Whether others can dial this machine, and how many relays carry connections to it where they cannot. */
  readonly reach: { readonly reachability: ReachabilityName; readonly relays: number }
  readonly holder: { readonly serving: boolean; readonly records: number; readonly bytes: number }
  readonly outbox: { readonly waiting: number }
  readonly mailbox: { readonly lastSweepAt: string | null; readonly complete: boolean; readonly unread: number }
  readonly uptimeSeconds: number
}
export interface IdentityView {
  readonly accountId: string
  readonly deviceId: string
  readonly cardNumber: number
  readonly devices: readonly { readonly deviceId: string; readonly expiresAt: string; readonly self: boolean }[]
}
export interface ContactView {
  readonly accountId: string
  readonly name: string
  readonly state: ContactState
  readonly verified: boolean
  /** True while the account's keys contradict the pin: nothing is sent. */
  readonly changed: boolean
  readonly pinSource: 'network' | 'invite' | 'qr'
  readonly note: string
  readonly favourite: boolean
  /** `never`: it is not told our address, and met over relays and mailboxes only. */
  readonly direct: 'always' | 'never'
  readonly addedAt: string
  readonly lastSeenAt: string | null
  readonly devices: number
}
export interface ContactChange {
  readonly name?: string
  readonly favourite?: boolean
  readonly direct?: ContactView['direct']
}
export interface MessageView {
  readonly id: string
  readonly contact: string
  readonly outgoing: boolean
  readonly kind: 'text' | 'unsupported'
  readonly text: string
  readonly replyTo: string | null
  readonly sentAt: string
  readonly committedAt: string
  readonly status: MessageState
  /** How many holders proved last that they keep it, of how many asked for: `stored 4/5`. Zero on the direct path. */
  readonly stored: number
  readonly storedOf: number
  /** The path by which it last went. */
  readonly path: 'none' | 'direct' | 'mailbox'
  /** Opaque: pass it back as the page cursor. */
  readonly cursor: string
}
export interface ConversationView {
  readonly contact: string
  readonly name: string
  readonly lastMessage: MessageView | null
  readonly unread: number
  readonly muted: boolean
  readonly pinned: boolean
}
export interface Page<T> {
  readonly items: readonly T[]
  /** Ask for the page after this one with it; null at the end. */
  readonly next: string | null
}
export interface WhyView {
  readonly id: string
  readonly status: MessageState
  readonly devices: readonly {
    readonly deviceId: string
    readonly path: 'none' | 'direct' | 'mailbox'
    readonly attempts: number
    readonly nextAttemptAt: string | null
    readonly expiresAt: string
    readonly holders: readonly { readonly peerId: string; readonly at: string }[]
    /** How many holders showed that they have it when they were last asked; null before that. */
    readonly proved: { readonly holders: number; readonly at: string } | null
    readonly steps: readonly { readonly at: string; readonly event: string; readonly detail: string }[]
  }[]
  /** One sentence in plain words: what is proved so far, and what happens next. */
  readonly summary: string
}
export interface VerifyView {
  readonly accountId: string
  /** Sixty digits in groups of five. */
  readonly digits: string
  /** What the other side's camera should read. */
  readonly qr: string
  readonly verified: boolean
}
export interface KeyView {
  readonly accountId: string
  readonly suite: number
  readonly number: number
  readonly expiresAt: string
  readonly devices: readonly { readonly deviceId: string; readonly expiresAt: string }[]
  readonly sizes: { readonly ed25519: number; readonly mldsa65: number; readonly x25519: number; readonly kem: number }
  readonly successor: string | null
}
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
/** The device's one-time prekeys, as far as it knows what its holders gave out. Uses are those of the last 60 days. */
export interface PrekeysView {
  /** Of the prekey card that names them. */
  readonly number: number
  readonly total: number
  readonly target: number
  readonly slices: readonly {
    readonly holder: string | null
    readonly left: number
    /** Whether the holder is known to have it. */
    readonly placed: boolean
  }[]
  readonly createdAt: string | null
  /** When the signed and the last-resort prekey were made. */
  readonly lastRotatedAt: string | null
  readonly used: number
  /** Sessions that began without a one-time prekey. */
  readonly lastResortUses: number
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
export interface EventView {
  readonly number: number
  readonly at: string
  readonly type: string
  readonly data: unknown
}

export interface Application {
  status(): Promise<StatusView>
  /** Throws ConflictError where an identity exists. The phrase is shown once and kept nowhere. */
  createIdentity(input: { passphrase: string; phrase?: string }): Promise<{ identity: IdentityView; phrase: string }>
  /** Throws PassphraseError, RateError (after five failures). */
  unlock(passphrase: string): Promise<IdentityView>
  lock(): Promise<void>
  identity(): Promise<IdentityView>
  /** New account keys, signed by the old: contacts follow. The new phrase is shown once. */
  rotateIdentity(input: { passphrase: string }): Promise<{ identity: IdentityView; phrase: string }>
  /** Puts the account and prekey cards on holders again. */
  publishIdentity(): Promise<{ receipts: number }>
  prekeys(): Promise<PrekeysView>
  /** A `sotto:` link; with `token` the bearer skips the stamp. */
  invite(input: { token: boolean }): Promise<{ link: string }>
  /** Looks an account up in the network. Throws NotFoundError. */
  lookup(accountId: string): Promise<KeyView>

  contacts(): Promise<readonly ContactView[]>
  contact(accountId: string): Promise<ContactView>
  /** `target` is an account id or a `sotto:` link. Sends a contact request. */
  addContact(input: {
    target: string
    name?: string
    note?: string
    source?: 'network' | 'invite' | 'qr'
  }): Promise<ContactView>
  acceptContact(accountId: string, input: { name?: string }): Promise<ContactView>
  updateContact(accountId: string, input: ContactChange): Promise<ContactView>
  blockContact(accountId: string): Promise<ContactView>
  unblockContact(accountId: string): Promise<ContactView>
  removeContact(accountId: string): Promise<void>
  safetyNumber(accountId: string): Promise<VerifyView>
  /** Marks as verified, or (with `acceptChange`) takes a changed key as the new pin. */
  verifyContact(accountId: string, input: { verified?: boolean; acceptChange?: boolean }): Promise<ContactView>

  conversations(): Promise<readonly ConversationView[]>
  /** Newest first. */
  messages(accountId: string, input: { cursor?: string; limit: number }): Promise<Page<MessageView>>
  message(id: string): Promise<MessageView>
  /** Texts that contain the words, case-folded, newest first per conversation; of one contact or of all. */
  search(input: { query: string; contact?: string; limit: number }): Promise<readonly MessageView[]>
  send(accountId: string, input: { text: string; replyTo?: string; id?: string }): Promise<MessageView>
  markRead(accountId: string, input: { upTo?: string }): Promise<{ marked: number }>
  why(id: string): Promise<WhyView>
  /** Takes back what was not delivered yet, for every device. Throws NotFoundError; ConflictError where it is too late. */
  takeBack(id: string): Promise<MessageView>

  mailbox(): Promise<MailboxView>
  net(): Promise<NetView>
  peers(): Promise<readonly PeerView[]>
  /** Numbered events after `since`, oldest first; `first` is the oldest number still kept. */
  eventsSince(since: number, limit: number): Promise<{ events: readonly EventView[]; first: number; last: number }>
  /** Calls back whenever a new event was committed; the returned function ends it. */
  onEvent(listener: (number: number) => void): () => void
}
