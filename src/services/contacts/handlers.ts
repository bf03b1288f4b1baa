/** What contacts say about being contacts: requests, answers, new grants. Pure apart from reads. */
import { toHex } from '../../lib/bytes.ts'
import type { Clock } from '../../lib/clock.ts'
import { CONTENT_KIND } from '../../wire/content.ts'
import type { Grant } from '../../wire/content.ts'
import type { Contacts as ContactRecords } from '../../store/contacts.ts'
import type { StoreOp } from '../../store/database.ts'
import { CONTACT_DIRECT, CONTACT_STATE, PIN_SOURCE } from '../../store/records.ts'
import type { Contact } from '../../store/records.ts'
import type { Handled, Handler, Incoming } from '../inbox/ports.ts'
import { withDevice } from './devices.ts'

/** Requests that wait for the user's answer; more are not kept until some are answered. */
export const PENDING_REQUESTS_MAX = 100

export interface ContactHandlerComponents {
  readonly store: { readonly contacts: ContactRecords }
  readonly clock: Clock
  /** Ops that drop our own request from the outbox, and what makes waiting messages go. */
  readonly outbox: {
    dropOps(contact: Uint8Array, kinds?: readonly number[]): readonly StoreOp[]
    hurry(contact: Uint8Array): void
  }
  readonly onLanesChanged: () => void
  /** Says to a contact that we agree, inside the change at hand; the contact as it is then. */
  readonly answer: (contact: Contact) => { ops: readonly StoreOp[]; added: () => void; contact: Contact }
  /** Ops that make an invite's token worthless. */
  readonly spend: (token: Uint8Array) => Promise<readonly StoreOp[]>
}

const NOTHING: Handled = { ops: [], facts: [] }

export function contactHandlers(c: ContactHandlerComponents): Readonly<Record<number, Handler>> {
  return {
    [CONTENT_KIND.contactRequest]: async (incoming) => onRequest(c, incoming),
    [CONTENT_KIND.contactAccept]: async (incoming) => onAccept(c, incoming),
    [CONTENT_KIND.grant]: async (incoming) => onGrant(c, incoming),
  }
}

async function onRequest(c: ContactHandlerComponents, incoming: Incoming): Promise<Handled> {
  const { contact, body } = incoming
  if (body.kind !== CONTENT_KIND.contactRequest) return NOTHING
  const { grant, note, token } = body.body
  if (contact === undefined) return onStranger(c, incoming, { grant, note, token })
  const updated = withGrant(c, contact, incoming, grant)
  if (contact.state === CONTACT_STATE.incoming) {
    return { ops: c.store.contacts.put({ ...updated, note }), facts: [] }
  }
  // Both asked: that is an agreement, also where our own request never arrives. Who asks after one has lost us: we agree.
  const answer = c.answer(updated)
  const agreed: Handled =
    contact.state === CONTACT_STATE.requested
      ? becameAccepted(c, answer.contact)
      : { ops: c.store.contacts.put(answer.contact), facts: [] }
  const done = (): void => {
    answer.added()
    agreed.done?.()
  }
  return { ops: [...agreed.ops, ...answer.ops], facts: agreed.facts, done }
}

async function onStranger(
  c: ContactHandlerComponents,
  incoming: Incoming,
  { grant, note, token }: { grant: Grant; note: string; token: Uint8Array | undefined },
): Promise<Handled> {
  const pending = (await c.store.contacts.list()).filter(({ state }) => state === CONTACT_STATE.incoming)
  if (pending.length >= PENDING_REQUESTS_MAX) return NOTHING
  const now = c.clock.now()
  const contact: Contact = {
    accountId: incoming.accountId,
    name: '',
    state: CONTACT_STATE.incoming,
    pinned: undefined,
    pinSource: PIN_SOURCE.network,
    pinnedAt: 0,
    checkedAt: 0,
    verified: false,
    changed: undefined,
    laneNumber: 0,
    note,
    favourite: false,
    direct: CONTACT_DIRECT.always,
    addedAt: now,
    lastSeenAt: now,
    token: undefined,
    devices: withDevice([], incoming.deviceId, { grant, prekeys: incoming.prekeys }, now),
  }
  const spent = token === undefined ? [] : await c.spend(token)
  return {
    ops: [...c.store.contacts.put(contact), ...spent],
    facts: [fact('contact:requested', contact)],
    ...(spent.length === 0 ? {} : { done: c.onLanesChanged }),
  }
}

function onAccept(c: ContactHandlerComponents, incoming: Incoming): Handled {
  const { contact, body } = incoming
  if (body.kind !== CONTENT_KIND.contactAccept || contact === undefined) return NOTHING
  const updated = withGrant(c, contact, incoming, body.body.grant)
  // An answer nobody asked for opens nothing (DNA accepted any message that said "accepted").
  if (contact.state === CONTACT_STATE.requested) {
    // Our request named only the next weeks' mailboxes; now the year's.
    const answer = c.answer(updated)
    const agreed = becameAccepted(c, answer.contact)
    const done = (): void => {
      answer.added()
      agreed.done?.()
    }
    return { ops: [...agreed.ops, ...answer.ops], facts: agreed.facts, done }
  }
  const done = (): void => {
    c.outbox.hurry(contact.accountId)
  }
  return contact.state === CONTACT_STATE.accepted ? { ops: c.store.contacts.put(updated), facts: [], done } : NOTHING
}

function onGrant(c: ContactHandlerComponents, incoming: Incoming): Handled {
  const { contact, body } = incoming
  if (body.kind !== CONTENT_KIND.grant || contact === undefined) return NOTHING
  if (contact.state !== CONTACT_STATE.accepted && contact.state !== CONTACT_STATE.requested) return NOTHING
  const updated = withGrant(c, contact, incoming, body.body.grant)
  const hurry = (): void => {
    c.outbox.hurry(contact.accountId)
  }
  return { ops: c.store.contacts.put(updated), facts: [], done: hurry }
}

function becameAccepted(c: ContactHandlerComponents, contact: Contact): Handled {
  const accepted: Contact = { ...contact, state: CONTACT_STATE.accepted }
  return {
    ops: [...c.store.contacts.put(accepted), ...c.outbox.dropOps(contact.accountId, [CONTENT_KIND.contactRequest])],
    facts: [fact('contact:accepted', accepted)],
    done: () => {
      c.outbox.hurry(contact.accountId)
      c.onLanesChanged()
    },
  }
}

function withGrant(c: ContactHandlerComponents, contact: Contact, incoming: Incoming, grant: Grant): Contact {
  const now = c.clock.now()
  const devices = withDevice(contact.devices, incoming.deviceId, { grant, prekeys: incoming.prekeys }, now)
  return { ...contact, devices, lastSeenAt: now }
}

function fact(type: string, contact: Contact): { type: string; data: Record<string, unknown> } {
  return { type, data: { contact: toHex(contact.accountId), note: contact.note } }
}
