/** Contacts: who may write to us and to whom we write. Consent comes first: nobody becomes a contact but by the user's word. */
import { equal, toHex } from '../../lib/bytes.ts'
import type { Clock } from '../../lib/clock.ts'
import { ConflictError, NotFoundError, UsageError } from '../../lib/errors.ts'
import type { Rng } from '../../lib/rng.ts'
import type { AccountCard, DeviceCertificate } from '../../wire/card.ts'
import { encode } from '../../wire/codec.ts'
import type { Codec } from '../../wire/codec.ts'
import { CONTENT_KIND, contactAcceptBodyCodec, contactRequestBodyCodec, grantBodyCodec } from '../../wire/content.ts'
import type { Grant } from '../../wire/content.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'
import { sameDeviceKeys } from '../../protocol/card-rules.ts'
import type { Contacts as ContactRecords } from '../../store/contacts.ts'
import type { StoreOp } from '../../store/database.ts'
import type { Parts } from '../../store/parts.ts'
import type { Profiles } from '../../store/profiles.ts'
import type { Recovery } from '../../store/recovery.ts'
import { CONTACT_DIRECT, CONTACT_STATE } from '../../store/records.ts'
import type { Contact, ContactDevice } from '../../store/records.ts'
import type { Change, Fact, Journal } from '../events/journal.ts'
import type { Saying } from '../outbox/compose.ts'
import type { Enqueued } from '../outbox/outbox.ts'
import { withDevice } from './devices.ts'
import type { Grants } from './grants.ts'

/** What the contacts need of the outbox. */
export interface ContactOutbox {
  enqueue(saying: Saying): Enqueued
  resealOps(contact: Uint8Array, deviceId: Uint8Array): Promise<readonly StoreOp[]>
  hurry(contact: Uint8Array): void
}

export interface ContactSessions {
  /** Without `devices` those with all of them. */
  close(contact: Uint8Array, devices?: readonly Uint8Array[]): Promise<readonly StoreOp[]>
  setSuspended(contact: Uint8Array, suspended: boolean): Promise<readonly StoreOp[]>
}

export interface ContactsComponents {
  readonly store: {
    readonly contacts: ContactRecords
    readonly parts: Pick<Parts, 'deleteContact'>
    readonly profiles: Pick<Profiles, 'delete'>
    readonly recovery: Pick<Recovery, 'deleteContact'>
  }
  readonly journal: Journal
  readonly outbox: ContactOutbox
  /** Drops what waits for a contact, and says so of its messages; inside a journal change. */
  readonly abandonOps: (contact: Uint8Array) => Promise<{ ops: readonly StoreOp[]; facts: readonly Fact[] }>
  readonly sessions: ContactSessions
  readonly grants: Pick<Grants, 'for' | 'forRequest'>
  readonly clock: Clock
  readonly rng: Rng
  readonly self: () => Uint8Array
  /** Who may write has changed: the mailbox policies want to be published again. */
  readonly onLanesChanged: () => void
}

/** An account as the directory found it: verified, newest. */
export interface Resolved {
  readonly account: AccountCard
  readonly prekeys: readonly PrekeyCard[]
}

export interface NewContact {
  readonly accountId: Uint8Array
  readonly name: string
  readonly note: string
  readonly source: Contact['pinSource']
  readonly token: Uint8Array | undefined
  readonly resolved: Resolved
}

/** Something said to a contact, for the change at hand; the contact as it is then. Call `added` once it is on disk. */
export interface Said {
  readonly ops: readonly StoreOp[]
  readonly added: () => void
  readonly contact: Contact
}

export class Contacts {
  readonly #c: ContactsComponents

  constructor(components: ContactsComponents) {
    this.#c = components
  }

  async get(accountId: Uint8Array): Promise<Contact | undefined> {
    return this.#c.store.contacts.get(accountId)
  }

  async require(accountId: Uint8Array): Promise<Contact> {
    const contact = await this.get(accountId)
    if (contact === undefined) throw new NotFoundError('no such contact')
    return contact
  }

  async all(): Promise<readonly Contact[]> {
    return this.#c.store.contacts.list()
  }

  /** Asks someone to become a contact: pins the card as found, and sends the request to each device. */
  async add(wanted: NewContact): Promise<Contact> {
    if (equal(wanted.accountId, this.#c.self())) throw new UsageError('this is your own account')
    const contact = await this.#c.journal.commit(async () => {
      const known = await this.get(wanted.accountId)
      if (known?.state === CONTACT_STATE.incoming) throw new ConflictError('they asked already: accept the request')
      if (known?.state === CONTACT_STATE.blocked) throw new ConflictError('this contact is blocked: unblock it first')
      if (known !== undefined) throw new ConflictError('this account is a contact already')
      const contact = this.#requested(wanted)
      const said = this.#ask(contact, wanted.note)
      return this.#change(said.contact, said.ops, 'contact:added', said.added)
    })
    this.#c.onLanesChanged()
    return contact
  }

  /** Agrees to a request. */
  async accept(accountId: Uint8Array, name: string | undefined): Promise<Contact> {
    const contact = await this.#c.journal.commit(async () => {
      const asked = await this.require(accountId)
      if (asked.state !== CONTACT_STATE.incoming) throw new ConflictError('there is no request to accept')
      const accepted: Contact = { ...asked, state: CONTACT_STATE.accepted, name: name ?? asked.name }
      const said = this.acceptOps(accepted)
      return this.#change(said.contact, said.ops, 'contact:accepted', said.added)
    })
    this.#c.onLanesChanged()
    return contact
  }

  /** Drops the contact's lane and what waits for it; what still comes from it is not shown. It is not told. */
  async block(accountId: Uint8Array): Promise<Contact> {
    const contact = await this.#c.journal.commit(async () => {
      const blocked: Contact = { ...(await this.require(accountId)), state: CONTACT_STATE.blocked }
      const dropped = await this.#c.abandonOps(accountId)
      const change = this.#change(blocked, dropped.ops, 'contact:blocked')
      return { ...change, facts: [...change.facts, ...dropped.facts] }
    })
    this.#c.onLanesChanged()
    return contact
  }

  /** Lets the contact write again, on a new lane that it is told of. */
  async unblock(accountId: Uint8Array): Promise<Contact> {
    const contact = await this.#c.journal.commit(async () => {
      const blocked = await this.require(accountId)
      if (blocked.state !== CONTACT_STATE.blocked) throw new ConflictError('this contact is not blocked')
      const state = standingOf(blocked)
      const open: Contact = { ...blocked, state, laneNumber: blocked.laneNumber + 1 }
      const said =
        state === CONTACT_STATE.accepted
          ? this.#say(open, CONTENT_KIND.grant, grantBodyCodec, { grant: this.#grant(open) })
          : state === CONTACT_STATE.requested
            ? this.#ask(open, '')
            : undefined
      return this.#change(said?.contact ?? open, said?.ops ?? [], 'contact:unblocked', said?.added)
    })
    this.#c.onLanesChanged()
    return contact
  }

  /** Forgets the contact and ends its sessions; its messages stay. */
  async remove(accountId: Uint8Array): Promise<void> {
    await this.#c.journal.commit(async () => {
      await this.require(accountId)
      const dropped = await this.#c.abandonOps(accountId)
      const ops = [
        ...this.#c.store.contacts.delete(accountId),
        ...this.#c.store.profiles.delete(accountId),
        ...this.#c.store.recovery.deleteContact(accountId),
        ...(await this.#c.sessions.close(accountId)),
        ...dropped.ops,
        ...(await this.#c.store.parts.deleteContact(accountId)),
      ]
      const fact = { type: 'contact:removed', data: { contact: toHex(accountId) } }
      return { ops, facts: [fact, ...dropped.facts], result: undefined }
    })
    this.#c.onLanesChanged()
  }

  async rename(accountId: Uint8Array, input: { name?: string; favourite?: boolean }): Promise<Contact> {
    return this.#update(accountId, 'contact:updated', (contact) => ({
      ...contact,
      name: input.name ?? contact.name,
      favourite: input.favourite ?? contact.favourite,
    }))
  }

  /** Whether the contact may learn where we are. It is told anew where it may write to us. */
  async setDirect(accountId: Uint8Array, direct: Contact['direct']): Promise<Contact> {
    return this.#c.journal.commit(async () => {
      const before = await this.require(accountId)
      const contact: Contact = { ...before, direct }
      if (before.direct === direct || contact.state !== CONTACT_STATE.accepted)
        return this.#change(contact, [], 'contact:updated')
      const said = this.#say(contact, CONTENT_KIND.grant, grantBodyCodec, { grant: this.#grant(contact) })
      return this.#change(said.contact, said.ops, 'contact:updated', said.added)
    })
  }

  /** The user has compared the safety number (or takes that back). */
  async setVerified(accountId: Uint8Array, verified: boolean): Promise<Contact> {
    return this.#update(accountId, verified ? 'contact:verified' : 'contact:unverified', (contact) => ({
      ...contact,
      verified,
    }))
  }

  /**
   * The user trusts the card that contradicts the pin: it is the pin from now on, nothing is verified any more, and the
   * devices on it have to be got to know.
   */
  async acceptChange(accountId: Uint8Array): Promise<Contact> {
    return this.#c.journal.commit(async () => {
      const contact = await this.require(accountId)
      const { changed } = contact
      if (changed === undefined) throw new ConflictError('the keys of this contact did not change')
      const devices = changed.body.devices.map(({ body: { deviceId } }): ContactDevice => {
        const known = contact.devices.find((device) => equal(device.deviceId, deviceId))
        return { deviceId, prekeys: undefined, prekeysAt: 0, grant: known?.grant, grantSent: 0 }
      })
      const pinnedAt = this.#c.clock.now()
      const next: Contact = {
        ...contact,
        pinned: changed,
        changed: undefined,
        verified: false,
        pinnedAt,
        checkedAt: 0,
        devices,
      }
      const other = contact.pinned === undefined ? [] : devicesWithOtherKeys(contact.pinned, changed)
      const ops = [
        ...(await this.#c.sessions.setSuspended(accountId, false)),
        ...(await this.#c.sessions.close(accountId, other)),
      ]
      for (const deviceId of other) ops.push(...(await this.#c.outbox.resealOps(accountId, deviceId)))
      return this.#change(next, ops, 'contact:change-accepted')
    })
  }

  /** Tells contacts our addresses and mailboxes anew: those whose grant is older than `before` ms. */
  async refreshGrants(before: number): Promise<void> {
    for (const { accountId } of await this.all()) {
      await this.#c.journal.commit(async () => {
        const contact = await this.get(accountId)
        const due = contact?.devices.some(({ grantSent }) => grantSent < before) ?? false
        if (contact?.state !== CONTACT_STATE.accepted || !due) return { ops: [], facts: [], result: undefined }
        const said = this.#say(contact, CONTENT_KIND.grant, grantBodyCodec, { grant: this.#grant(contact) })
        return {
          ops: [...said.ops, ...this.#c.store.contacts.put(said.contact)],
          facts: [],
          result: undefined,
          done: said.added,
        }
      })
    }
  }

  /** Ops of our agreement to a request. */
  acceptOps(contact: Contact): Said {
    return this.#say(contact, CONTENT_KIND.contactAccept, contactAcceptBodyCodec, { grant: this.#grant(contact) })
  }

  /** Ops that ask a contact anew which knows another device of ours: it agreed once, and agrees again by itself. */
  renewOps(contact: Contact): { ops: readonly StoreOp[]; added: () => void } {
    const said = this.#ask(contact, '')
    return { ops: [...said.ops, ...this.#c.store.contacts.put(said.contact)], added: said.added }
  }

  /** Ops of a grant to one contact, for a batch that began a new session with it. */
  grantOps(contact: Contact): { ops: readonly StoreOp[]; added: () => void } {
    const said = this.#say(contact, CONTENT_KIND.grant, grantBodyCodec, { grant: this.#grant(contact) })
    return { ops: [...said.ops, ...this.#c.store.contacts.put(said.contact)], added: said.added }
  }

  async #update(accountId: Uint8Array, fact: string, change: (contact: Contact) => Contact): Promise<Contact> {
    return this.#c.journal.commit(async () => this.#change(change(await this.require(accountId)), [], fact))
  }

  #change(contact: Contact, ops: readonly StoreOp[], type: string, done?: () => void): Change<Contact> {
    return {
      ops: [...this.#c.store.contacts.put(contact), ...ops],
      facts: [{ type, data: { contact: toHex(contact.accountId) } }],
      result: contact,
      ...(done === undefined ? {} : { done }),
    }
  }

  #grant(contact: Contact): Grant {
    return this.#c.grants.for(contact, this.#c.clock.now())
  }

  #ask(contact: Contact, note: string): Said {
    const grant = this.#c.grants.forRequest(contact, this.#c.clock.now())
    const body = { grant, note, token: contact.token }
    return this.#say(contact, CONTENT_KIND.contactRequest, contactRequestBodyCodec, body)
  }

  #say<T>(contact: Contact, kind: number, codec: Codec<T>, body: T): Said {
    const now = this.#c.clock.now()
    const { ops, added } = this.#c.outbox.enqueue({
      id: this.#c.rng.bytes(16),
      kind,
      body: encode(codec, body),
      sentAt: now,
      contact: contact.accountId,
      devices: contact.devices.map(({ deviceId }) => deviceId),
      quiet: true,
    })
    return {
      ops,
      added,
      contact: { ...contact, devices: contact.devices.map((device) => ({ ...device, grantSent: now })) },
    }
  }

  #requested(wanted: NewContact): Contact {
    const now = this.#c.clock.now()
    const devices = wanted.resolved.prekeys.reduce<readonly ContactDevice[]>(
      (list, prekeys) => withDevice(list, prekeys.body.certificate.body.deviceId, { prekeys }, now),
      [],
    )
    if (devices.length === 0) throw new NotFoundError('this account has no device that can be written to')
    return {
      accountId: wanted.accountId,
      name: wanted.name,
      state: CONTACT_STATE.requested,
      pinned: wanted.resolved.account,
      pinSource: wanted.source,
      pinnedAt: now,
      checkedAt: now,
      verified: false,
      changed: undefined,
      laneNumber: 0,
      note: '',
      favourite: false,
      direct: CONTACT_DIRECT.always,
      addedAt: now,
      lastSeenAt: 0,
      token: wanted.token,
      devices,
    }
  }
}

/** How far a contact had come before it was blocked: did both sides grant, or only one? */
function standingOf({ devices }: Contact): Contact['state'] {
  const theirs = devices.some(({ grant }) => grant !== undefined)
  const ours = devices.some(({ grantSent }) => grantSent > 0)
  if (theirs) return ours ? CONTACT_STATE.accepted : CONTACT_STATE.incoming
  return CONTACT_STATE.requested
}

/** Devices (ids) that one card lists with other keys than the other, or not at all. */
function devicesWithOtherKeys(before: AccountCard, after: AccountCard): readonly Uint8Array[] {
  const stays = (device: DeviceCertificate): boolean =>
    after.body.devices.some(
      ({ body }) => equal(body.deviceId, device.body.deviceId) && sameDeviceKeys(body, device.body),
    )
  return before.body.devices.filter((device) => !stays(device)).map(({ body }) => body.deviceId)
}
