/**
 * The owner's profile, and who was told of it. Whoever is to have it and was not handed the newest one yet is told, one
 * contact after another; that is looked at when the profile changes, when a contact does, and at the start. So no crash,
 * no new device and no late acceptance leaves anybody without.
 */
import { equal, toHex } from '../../lib/bytes.ts'
import type { Clock } from '../../lib/clock.ts'
import { nameOf } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import { MINUTE_MS } from '../../lib/time.ts'
import type { ContactWatcher } from '../../store/contacts.ts'
import { OWN_PROFILE } from '../../store/profiles.ts'
import type { ProfileLine, Profiles, StoredProfile } from '../../store/profiles.ts'
import { CONTACT_STATE } from '../../store/records.ts'
import type { Contact } from '../../store/records.ts'
import type { StoreOp } from '../../store/database.ts'
import { encode } from '../../wire/codec.ts'
import { CONTENT_KIND, profileBodyCodec } from '../../wire/content.ts'
import type { Change, Journal } from '../events/journal.ts'
import type { Saying } from '../outbox/compose.ts'
import type { Enqueued } from '../outbox/outbox.ts'
import { changedProfile, NO_PROFILE } from './rules.ts'
import type { ProfileChange } from './rules.ts'

/** Until what could not be handed over is tried again. */
const RETRY_MS = MINUTE_MS

export interface ProfileComponents {
  readonly store: {
    readonly profiles: Profiles
    readonly contacts: {
      get(accountId: Uint8Array): Promise<Contact | undefined>
      list(): Promise<readonly Contact[]>
      watch(watcher: ContactWatcher): () => void
    }
  }
  readonly journal: Journal
  readonly outbox: {
    enqueue(saying: Saying): Enqueued
    dropOps(contact: Uint8Array, kinds: readonly number[]): readonly StoreOp[]
  }
  readonly self: () => Uint8Array
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}

const NOTHING: Change<undefined> = { ops: [], facts: [], result: undefined }

export class ProfileBook implements Startable {
  readonly #c: ProfileComponents
  /** Contacts to look at, by account id (hex). */
  readonly #due = new Map<string, Uint8Array>()
  #running: Promise<void> | undefined
  #unwatch: (() => void) | undefined
  #cancel: (() => void) | undefined
  #stopped = true

  constructor(components: ProfileComponents) {
    this.#c = components
  }

  async start(): Promise<void> {
    this.#stopped = false
    this.#unwatch = this.#c.store.contacts.watch((accountId, contact) => {
      if (contact?.state === CONTACT_STATE.accepted) this.#look([accountId])
    })
    await this.#lookAtAll()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#unwatch?.()
    this.#cancel?.()
    this.#cancel = undefined
    this.#due.clear()
    await this.#running
  }

  async own(): Promise<StoredProfile> {
    return (await this.#c.store.profiles.get(OWN_PROFILE)) ?? NO_PROFILE
  }

  /** What a contact says of itself. */
  async of(accountId: Uint8Array): Promise<StoredProfile> {
    return (await this.#c.store.profiles.get(accountId)) ?? NO_PROFILE
  }

  /** The same without the picture. */
  async lineOf(accountId: Uint8Array): Promise<ProfileLine> {
    return (await this.#c.store.profiles.line(accountId)) ?? NO_PROFILE
  }

  /** Changes the owner's profile and tells every accepted contact. Throws UsageError for what cannot be. */
  async update(change: ProfileChange): Promise<StoredProfile> {
    const profile = await this.#c.journal.commit(async () => {
      const before = await this.own()
      const next = changedProfile(before, change, this.#c.clock.now())
      if (next === before) return { ops: [], facts: [], result: before }
      return {
        ops: this.#c.store.profiles.put(OWN_PROFILE, next),
        facts: [{ type: 'profile:changed', data: { number: next.number } }],
        result: next,
      }
    })
    await this.#lookAtAll()
    return profile
  }

  async #lookAtAll(): Promise<void> {
    const contacts = await this.#c.store.contacts.list()
    this.#look(contacts.filter(({ state }) => state === CONTACT_STATE.accepted).map(({ accountId }) => accountId))
  }

  #look(accountIds: readonly Uint8Array[]): void {
    if (this.#stopped) return
    for (const accountId of accountIds) this.#due.set(toHex(accountId), accountId)
    this.#running ??= this.#tellAll().finally(() => {
      this.#running = undefined
      if (this.#due.size > 0 && this.#cancel === undefined) this.#look([])
    })
  }

  /** One after another: a journal that is kept busy by a picture for a thousand people would be no use to anybody else. */
  async #tellAll(): Promise<void> {
    for (const [key, accountId] of this.#due) {
      this.#due.delete(key)
      try {
        if (await this.#isDue(accountId)) await this.#c.journal.commit(async () => this.#tell(accountId))
      } catch (error) {
        if (this.#stopped) return
        this.#c.log.warn('a contact was not told the profile', { error: nameOf(error) })
        this.#due.set(key, accountId)
        return this.#retry()
      }
    }
  }

  #retry(): void {
    this.#cancel ??= this.#c.clock.after(RETRY_MS, () => {
      this.#cancel = undefined
      this.#look([])
    })
  }

  async #isDue(accountId: Uint8Array): Promise<boolean> {
    const contact = await this.#c.store.contacts.get(accountId)
    const own = await this.#c.store.profiles.line(OWN_PROFILE)
    return own !== undefined && (await this.#untold(contact, own.number)).devices.length > 0
  }

  /** Devices of an accepted contact that were not handed the profile, and whether they have an older one. */
  async #untold(
    contact: Contact | undefined,
    number: number,
  ): Promise<{ readonly devices: readonly Uint8Array[]; readonly isNew: boolean }> {
    if (!isToKnow(contact)) return { devices: [], isNew: false }
    const told = await this.#c.store.profiles.told(contact.accountId)
    const isNew = told?.number !== number || !equal(told.self, this.#c.self())
    const has = (id: Uint8Array): boolean => !isNew && told.devices.some((each) => equal(each, id))
    return { devices: contact.devices.map(({ deviceId }) => deviceId).filter((id) => !has(id)), isNew }
  }

  async #tell(accountId: Uint8Array): Promise<Change<undefined>> {
    const contact = await this.#c.store.contacts.get(accountId)
    const own = await this.own()
    const { devices, isNew } = await this.#untold(contact, own.number)
    if (own.number === 0 || devices.length === 0 || contact === undefined) return NOTHING
    // One that still waits is out of date.
    const dropped = isNew ? this.#c.outbox.dropOps(accountId, [CONTENT_KIND.profile]) : []
    const queued = this.#c.outbox.enqueue(this.#saying(accountId, devices, own))
    const told = { number: own.number, self: this.#c.self(), devices: contact.devices.map(({ deviceId }) => deviceId) }
    return {
      ops: [...dropped, ...queued.ops, ...this.#c.store.profiles.putTold(accountId, told)],
      facts: [],
      result: undefined,
      done: queued.added,
    }
  }

  #saying(contact: Uint8Array, devices: readonly Uint8Array[], own: StoredProfile): Saying {
    return {
      id: this.#c.rng.bytes(16),
      kind: CONTENT_KIND.profile,
      body: encode(profileBodyCodec, own),
      sentAt: this.#c.clock.now(),
      contact,
      devices,
      quiet: true,
    }
  }
}

/** Accepted, with its keys in order; an account that has a successor hears of us as that one. */
function isToKnow(contact: Contact | undefined): contact is Contact {
  if (contact?.state !== CONTACT_STATE.accepted || contact.changed !== undefined) return false
  return contact.pinned?.body.successor === undefined
}
