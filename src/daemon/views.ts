/** From what the store keeps to what the local API shows. Pure. */
import type { IdentityView, KeyView, PrekeysView } from '../api/application/account.ts'
import type { EventView } from '../api/application/events.ts'
import type { ConversationView, MessageState, MessageView, WhyView } from '../api/application/messages.ts'
import type { MailboxView } from '../api/application/network.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { encodeAccountId } from '../protocol/account-id.ts'
import { accountIdOfCard } from '../protocol/card-rules.ts'
import { shown } from '../protocol/message-marks.ts'
import { POOL_SIZE } from '../protocol/prekey-pool.ts'
import { REPLICAS } from '../protocol/replicas.ts'
import type { PoolStatus } from '../services/account/pool-status.ts'
import type { OwnAccount } from '../store/accounts.ts'
import { GONE, OUTBOX_PATH } from '../store/records.ts'
import type { Conversation, Message, OutboxItem, StoredEvent, StoredMarks } from '../store/records.ts'
import { SUITE } from '../wire/card.ts'
import type { AccountCard } from '../wire/card.ts'
import { CONTENT_KIND } from '../wire/content.ts'
import { equal, fromHex, toHex } from '../lib/bytes.ts'
import { authorOf, shownMessage, statusName } from '../services/conversations/gone.ts'

const nameIn = <T extends string>(table: Readonly<Record<T, number>>, code: number, fallback: T): T =>
  (Object.entries(table) as [T, number][]).find(([, value]) => value === code)?.[0] ?? fallback

export const iso = (ms: number): string => new Date(ms).toISOString()
/** A time that somebody else's clock said: the furthest that can be written where it is beyond that. */
const saidAt = (ms: number): string => iso(Math.min(ms, TIME_MAX_MS))
const TIME_MAX_MS = 253_402_300_799_999
export const isoOrNull = (ms: number): string | null => (ms === 0 ? null : iso(ms))

export function identityView(own: OwnAccount, deviceId: Uint8Array): IdentityView {
  return {
    accountId: encodeAccountId(own.accountId),
    deviceId: toHex(deviceId),
    cardNumber: own.number,
    devices: own.card.body.devices.map(({ body }) => ({
      deviceId: toHex(body.deviceId),
      expiresAt: iso(body.expiresAt * 1_000),
      self: equal(body.deviceId, deviceId),
    })),
  }
}

const pathName = ({ path }: Pick<OutboxItem, 'path'>): MessageView['path'] =>
  nameIn<MessageView['path']>(OUTBOX_PATH, path, 'none')

/** Holders that keep the message, by their receipts or, where they were asked since, by what they showed: of its part that fewest keep. */
function storedCount(items: readonly OutboxItem[]): number {
  const counts = items.map(({ receipts, proved }) => proved?.holders ?? receipts.length)
  return counts.length === 0 ? 0 : Math.min(...counts, REPLICAS)
}

export function messageView(message: Message, marks: StoredMarks): MessageView {
  const path = pathName(message)
  const { edit, reactions } = shown(marks, authorOf(message))
  return {
    id: toHex(message.id),
    contact: encodeAccountId(message.contact),
    outgoing: message.outgoing,
    kind: message.contentKind === CONTENT_KIND.text ? 'text' : 'unsupported',
    text: shownMessage(message, marks).text,
    replyTo: message.replyTo === undefined ? null : toHex(message.replyTo),
    sentAt: saidAt(message.sentAt),
    committedAt: iso(message.committedAt),
    status: statusName(message),
    stored: path === 'mailbox' ? Math.min(message.receipts, REPLICAS) : 0,
    storedOf: path === 'mailbox' ? REPLICAS : 0,
    path,
    editedAt: edit === undefined ? null : saidAt(edit.at),
    gone: nameIn<MessageView['gone']>(GONE, message.gone, 'no'),
    reactions: SIDES.flatMap((side) => {
      const reaction = reactions[side]
      return reaction === undefined ? [] : [{ own: side === 'own', emoji: reaction.emoji, at: saidAt(reaction.at) }]
    }),
    starred: marks.starred > 0,
    pinned: marks.pinned,
    timerSeconds: message.timerSeconds === 0 ? null : message.timerSeconds,
    expiresAt: isoOrNull(message.expiresAt),
    cursor: String(message.order),
  }
}
const SIDES = ['own', 'theirs'] as const

export function conversationView(conversation: Conversation, name: string, last: MessageView | null): ConversationView {
  const { contact, unread, muted, pinned, markedUnread, timerSeconds, draft, pins } = conversation
  return {
    contact: encodeAccountId(contact),
    name,
    lastMessage: last,
    unread,
    muted,
    pinned,
    markedUnread,
    timerSeconds: timerSeconds === 0 ? null : timerSeconds,
    draft,
    pins: pins.map((id) => toHex(id)),
  }
}

export function whyView(message: Message, items: readonly OutboxItem[]): WhyView {
  const status = statusName(message)
  return {
    id: toHex(message.id),
    status,
    devices: items.map((item) => ({
      deviceId: toHex(item.deviceId),
      path: pathName(item),
      attempts: item.attempts,
      nextAttemptAt: isDone(item) ? null : iso(item.nextAt),
      expiresAt: iso(item.expiresAt),
      holders: item.receipts.map(({ holder, at }) => ({ peerId: holder, at: iso(at * 1_000) })),
      proved: item.proved === undefined ? null : { holders: item.proved.holders, at: iso(item.proved.at) },
      steps: item.trace.map(({ at, event, detail }) => ({ at: iso(at), event, detail })),
    })),
    summary: message.outgoing ? summaryOf(status, items) : 'This message came in; it is on this device.',
  }
}

/** An item whose story has ended: what was sent is no longer kept with it. */
const isDone = (item: OutboxItem): boolean => item.content.length === 0

/** What the outbox notes when an item cannot go, in words. */
const REASONS: Readonly<Record<string, string>> = {
  'waiting-for-acceptance': 'It waits until the contact accepts your request.',
  'contact-closed': 'The contact is blocked or gone.',
  'identity-changed': 'The contact’s keys changed; compare the safety number and verify the contact.',
  'no-prekeys': 'The contact’s device has published no prekeys yet.',
  'no-address': 'No mailbox of the contact is known for this week.',
  'put-failed': 'Holders could not be reached or refused; it is tried again.',
  stamping: 'A stamp is being computed.',
}

function summaryOf(status: MessageState, items: readonly OutboxItem[]): string {
  const waiting = items.filter((item) => !isDone(item))
  const last = waiting[0]?.trace.at(-1)?.event ?? ''
  const next = waiting[0] === undefined ? '' : ` Next look at ${iso(waiting[0].nextAt)}.`
  switch (status) {
    case 'queued':
      return `Nothing is proved yet.${REASONS[last] === undefined ? '' : ` ${REASONS[last]}`}${next}`
    case 'stored':
      return `${storedSentence(waiting)} The recipient has not shown itself.${next}`
    case 'delivered':
      return 'The recipient’s device has shown that it has it.'
    case 'read':
      return 'The recipient has read it.'
    case 'expired':
      return 'No device of the recipient came for it within 30 days. It is no longer tried.'
    case 'failed':
      return 'It was given up; see the steps.'
    case 'taken-back':
      return 'It was taken back before a device of the recipient had shown that it has it.'
  }
}

function storedSentence(items: readonly OutboxItem[]): string {
  const looks = items.map(({ proved }) => proved?.at).filter((at) => at !== undefined)
  const count = `${storedCount(items)} of ${REPLICAS} holders`
  return looks.length === 0
    ? `${count} signed that they keep it.`
    : `${count} showed at ${iso(Math.min(...looks))} that they have it.`
}

export function keyView(crypto: CryptoProvider, card: AccountCard): KeyView {
  const { body } = card
  return {
    accountId: encodeAccountId(accountIdOfCard(crypto, card)),
    suite: SUITE,
    number: body.number,
    expiresAt: iso(body.expiresAt * 1_000),
    devices: body.devices.map(({ body: device }) => ({
      deviceId: toHex(device.deviceId),
      expiresAt: iso(device.expiresAt * 1_000),
    })),
    sizes: { ed25519: body.account.ed25519.length, mldsa65: body.account.mldsa65.length, x25519: 32, kem: 1_568 },
    successor: body.successor === undefined ? null : 'named',
  }
}

export function prekeysView(status: PoolStatus): PrekeysView {
  const { number, total, used, lastResortUses } = status
  return {
    number,
    total,
    target: POOL_SIZE,
    slices: status.slices.map(({ holder, left, placed }) => ({ holder: holder === '' ? null : holder, left, placed })),
    createdAt: isoOrNull(status.createdAt),
    lastRotatedAt: isoOrNull(status.lastRotatedAt),
    used,
    lastResortUses,
  }
}

export function mailboxView(
  lastSweep: { readonly at: number; readonly complete: boolean; readonly answers: number } | undefined,
  pending: { readonly letters: number; readonly holders: ReadonlyMap<string, number> },
  conversations: readonly Conversation[],
): MailboxView {
  return {
    waiting: pending.letters,
    unread: conversations.reduce((sum, { unread }) => sum + unread, 0),
    lastSweepAt: isoOrNull(lastSweep?.at ?? 0),
    complete: lastSweep?.complete ?? false,
    answers: lastSweep?.answers ?? 0,
    holders: [...pending.holders].map(([peerId, waiting]) => ({ peerId, waiting })),
  }
}

/** Facts speak of accounts in hexadecimal; watchers know them by their text. */
export function eventView(event: StoredEvent): EventView {
  const data = JSON.parse(event.data) as Record<string, unknown>
  const shown = { ...data }
  for (const name of ['contact', 'successor']) {
    const id = typeof data[name] === 'string' ? fromHex(data[name]) : undefined
    if (id?.length === 32) shown[name] = encodeAccountId(id)
  }
  return { number: event.number, at: iso(event.at), type: event.type, data: shown }
}
