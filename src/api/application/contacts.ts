export type ContactState = 'requested' | 'incoming' | 'accepted' | 'blocked'

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
  /** Whether a device of it is connected and lets us see that. */
  readonly online: boolean
  /** What the contact calls itself; `name` is the user's own word for it. */
  readonly profileName: string
  /** Of its profile: raised when name, bio or picture change. 0 where it sent none. */
  readonly profileNumber: number
  readonly devices: number
}

export interface ContactChange {
  readonly name?: string
  readonly favourite?: boolean
  readonly direct?: ContactView['direct']
}

export interface VerifyView {
  readonly accountId: string
  /** Sixty digits in groups of five. */
  readonly digits: string
  /** What the other side's camera should read. */
  readonly qr: string
  readonly verified: boolean
}

export interface ContactsPart {
  /** A `sotto:` link; with `token` the bearer skips the stamp. */
  invite(input: { token: boolean }): Promise<{ link: string }>
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
}
