/** What crosses several rooms of an unlocked account: whose lanes stand open, whose messages are whose, and mending a pair. */
import type { Base } from './base.ts'
import { equal, fromHex, toHex } from '../lib/bytes.ts'
import { withDeadline } from '../lib/clock.ts'
import { NotFoundError, SottoError, VerificationError } from '../lib/errors.ts'
import type { DecryptReason } from '../lib/errors.ts'
import { accountId as accountIdOf } from '../protocol/account-id.ts'
import { tokenLaneSeed } from '../protocol/mailbox-rules.ts'
import type { OwnCards } from '../services/account/cards.ts'
import type { UnlockedAccount } from '../services/account/ports.ts'
import type { Contacts } from '../services/contacts/contacts.ts'
import { openLanes } from '../services/contacts/lanes.ts'
import type { MailboxPlan, Policies } from '../services/contacts/policies.ts'
import type { Directory } from '../services/directory/directory.ts'
import type { Journal } from '../services/events/journal.ts'
import type { Mailbox } from '../services/mailbox/mailbox.ts'
import type { Outbox } from '../services/outbox/outbox.ts'
import type { Sessions } from '../services/sessions/sessions.ts'
import type { StoreOp } from '../store/database.ts'
import { CONTACT_STATE } from '../store/records.ts'
import type { Contact, ContactDevice } from '../store/records.ts'
import type { Store } from '../store/store.ts'
import { CARD_KIND } from '../wire/holder.ts'

/** Invite tokens open a lane into the intro box for as long as they are kept. */
export const TOKEN_PREFIX = 'invite:'
export const NO_CHANGE = { ops: [], facts: [], result: undefined } as const

const PUBLISH_MS = 30_000

interface PublishedRooms {
  readonly store: Store
  readonly cards: OwnCards
  readonly policies: Policies
  readonly mailbox: Mailbox
  readonly recovery: { holdsCard(): Promise<boolean> }
}

interface MendedRooms {
  readonly store: Store
  readonly journal: Journal
  readonly contacts: Contacts
  readonly directory: Directory
  readonly outbox: Outbox
  readonly sessions: Sessions
}

/** Looks at a contact's account in the network. A silent network and a suspended contact are no errors here. */
export async function refresh(directory: Directory, accountId: Uint8Array): Promise<void> {
  try {
    await directory.resolve(accountId, { refresh: true })
  } catch (error) {
    if (!(error instanceof SottoError)) throw error
  }
}

/** Our mailbox with a lane for each contact, and the intro box with one for each invite token that is out. */
export async function mailboxPlans(
  base: Base,
  store: Store,
  account: UnlockedAccount,
): Promise<readonly MailboxPlan[]> {
  const tokens = [...(await store.settings.all())].flatMap(([name, value]) =>
    name.startsWith(TOKEN_PREFIX) && Number(value) > base.clock.now() ? [fromHex(name.slice(TOKEN_PREFIX.length))] : [],
  )
  return [
    {
      mailboxSeed: account.mailboxSeed,
      laneSeeds: openLanes(base.crypto, account.mailboxSeed, await store.contacts.list()),
    },
    {
      mailboxSeed: account.introSeed,
      laneSeeds: tokens.filter((token) => token !== undefined).map((token) => tokenLaneSeed(base.crypto, token)),
    },
  ]
}

/** A contact's envelopes cannot be taken in: its account may have moved on, or a session was lost on this side (E2-40, 41). */
export async function mend(rooms: MendedRooms, { accountId }: Contact, reason: DecryptReason): Promise<void> {
  await refresh(rooms.directory, accountId)
  if (reason === 'state') return
  const before = await rooms.store.contacts.get(accountId)
  const wanted = before?.state === CONTACT_STATE.accepted ? before.devices : []
  await Promise.all(wanted.map(async (device) => rooms.sessions.prepare({ accountId }, device, { again: true })))
  await rooms.journal.commit(async () => {
    const contact = await rooms.store.contacts.get(accountId)
    if (contact?.state !== CONTACT_STATE.accepted || contact.changed !== undefined) return NO_CHANGE
    const begun = contact.devices.flatMap((device) => restarted(rooms.sessions, contact, device))
    if (begun.length === 0) return NO_CHANGE
    const resealed = await Promise.all(begun.map(async ({ deviceId }) => rooms.outbox.resealOps(accountId, deviceId)))
    const granted = rooms.contacts.grantOps(contact)
    return {
      ops: [...begun.flatMap(({ ops }) => ops), ...resealed.flat(), ...granted.ops],
      facts: [{ type: 'session:restarted', data: { contact: toHex(accountId) } }],
      result: undefined,
      done: granted.added,
    }
  })
}

/** First messages that a device may be unable to read are sealed again, without a one-time prekey (PK-06). */
export async function resealHanging(rooms: Omit<MendedRooms, 'contacts' | 'directory'>): Promise<void> {
  for (const { accountId, deviceId } of rooms.sessions.hanging()) {
    await rooms.journal.commit(async () => {
      const contact = await rooms.store.contacts.get(accountId)
      const device = contact?.devices.find((each) => equal(each.deviceId, deviceId))
      const open = contact !== undefined && contact.changed === undefined && contact.state !== CONTACT_STATE.blocked
      if (!open || device === undefined || rooms.outbox.queue.lane(accountId, deviceId).entries.size === 0)
        return NO_CHANGE
      const begun = restarted(rooms.sessions, contact, device, { lastResort: true })
      const resealed = begun.length === 0 ? [] : await rooms.outbox.resealOps(accountId, deviceId)
      return { ...NO_CHANGE, ops: [...begun.flatMap(({ ops }) => ops), ...resealed] }
    })
  }
}

/** What begins anew with a device; nothing where it has no prekeys in force. */
function restarted(
  sessions: Sessions,
  contact: Contact,
  device: ContactDevice,
  options: { readonly lastResort?: boolean } = {},
): readonly { readonly deviceId: Uint8Array; readonly ops: readonly StoreOp[] }[] {
  try {
    const ops = sessions.restart(contact, device, options)
    return ops === undefined ? [] : [{ deviceId: device.deviceId, ops }]
  } catch (error) {
    if (error instanceof NotFoundError || error instanceof VerificationError) return []
    throw error
  }
}

/** A message that was written to an account stands there when its successor answers for it: the device is the same. */
export async function standsUnder(
  base: Base,
  store: Store,
  id: Uint8Array,
  { accountId }: Contact,
): Promise<Uint8Array> {
  const message = await store.messages.get(id)
  if (message === undefined || equal(message.contact, accountId)) return accountId
  const successor = (await store.contacts.get(message.contact))?.pinned?.body.successor
  const follows = successor !== undefined && equal(accountIdOf(base.crypto, successor.account), accountId)
  return follows ? message.contact : accountId
}

/** An invite's token serves once: its lane is gone with the next policy. */
export async function spendToken(store: Store, token: Uint8Array): Promise<readonly StoreOp[]> {
  const name = TOKEN_PREFIX + toHex(token)
  return (await store.settings.get(name)) === undefined ? [] : store.settings.delete(name)
}

/** Ops that forget the tokens of invites that are over. */
export async function expiredTokens(store: Store, now: number): Promise<readonly StoreOp[]> {
  const settings = [...(await store.settings.all())]
  return settings
    .filter(([name, until]) => name.startsWith(TOKEN_PREFIX) && Number(until) <= now)
    .flatMap(([name]) => store.settings.delete(name))
}

/** Publishes both cards and the policies now. How many holders signed for the account card. */
export async function publishNow(base: Base, rooms: PublishedRooms): Promise<number> {
  const own = await rooms.store.accounts.own()
  if (own === undefined || (await rooms.recovery.holdsCard())) return 0
  rooms.policies.changed()
  return withDeadline(base.clock, PUBLISH_MS, async (signal) => {
    const prekeys = await rooms.mailbox.cards.publish(
      { kind: CARD_KIND.prekeys, body: rooms.cards.current().card },
      signal,
    )
    const account = await rooms.mailbox.cards.publish({ kind: CARD_KIND.account, body: own.card }, signal)
    return Math.min(prekeys.receipts.length, account.receipts.length)
  })
}
