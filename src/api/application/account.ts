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

/** `behind-nat` stands for a router, a firewall or a carrier in between. */
export type ReachabilityName = 'unknown' | 'public' | 'behind-nat'

export interface IdentityView {
  readonly accountId: string
  readonly deviceId: string
  readonly cardNumber: number
  readonly devices: readonly { readonly deviceId: string; readonly expiresAt: string; readonly self: boolean }[]
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

export interface KeyView {
  readonly accountId: string
  readonly suite: number
  readonly number: number
  readonly expiresAt: string
  readonly devices: readonly { readonly deviceId: string; readonly expiresAt: string }[]
  readonly sizes: { readonly ed25519: number; readonly mldsa65: number; readonly x25519: number; readonly kem: number }
  readonly successor: string | null
}

export interface AccountPart {
  status(): Promise<StatusView>
  /**
   * Throws ConflictError where an identity exists. The phrase is shown once and kept nowhere. With `phrase`, the account of these 24
   * words is brought back: its newest card, contacts and settings are looked for in the network, and what is found is said.
   */
  createIdentity(input: { passphrase: string; phrase?: string }): Promise<CreatedIdentity>
  /** Throws PassphraseError, RateError (after five failures). */
  unlock(passphrase: string): Promise<IdentityView>
  lock(): Promise<void>
  identity(): Promise<IdentityView>
  /** New account keys, signed by the old: contacts follow. The new phrase is shown once. */
  rotateIdentity(input: { passphrase: string }): Promise<{ identity: IdentityView; phrase: string }>
  /** Puts the account and prekey cards on holders again. */
  publishIdentity(): Promise<{ receipts: number }>
  prekeys(): Promise<PrekeysView>
  /** Replaces the signed and the last-resort prekey now, and publishes the card. */
  rotatePrekeys(): Promise<PrekeysView>
  /** Looks an account up in the network. Throws NotFoundError. */
  lookup(accountId: string): Promise<KeyView>
}

export interface CreatedIdentity {
  readonly identity: IdentityView
  readonly phrase: string
  /** Null for a new account. */
  readonly recovered: { readonly card: boolean; readonly contacts: number; readonly settings: boolean } | null
}
