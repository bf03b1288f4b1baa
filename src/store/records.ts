/** What the local store keeps about conversations, as plain values with their codecs. Times are ms unless said. */
import { lamportOf } from '../protocol/message-order.ts'
import {
  bool,
  constant,
  fixed,
  list,
  mapped,
  oneOf,
  opaque,
  optional,
  struct,
  text,
  u16,
  u32,
  u64,
  u8,
  variant,
} from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import { EMOJI_BYTES_MAX, grantCodec, TEXT_BYTES_MAX } from '../wire/content.ts'
import { letterCodec, letterHeaderCodec, putProofCodec, receiptCodec, rungCodec } from '../wire/letter.ts'
import { accountCardCodec, DEVICES_MAX } from '../wire/card.ts'
import { prekeyCardCodec } from '../wire/prekeys.ts'

/** What stands between two accounts: I asked · they asked · both agreed · I want nothing from them. */
export const CONTACT_STATE = { requested: 1, incoming: 2, accepted: 3, blocked: 4 } as const
/** Where the pinned card came from. */
export const PIN_SOURCE = { network: 1, invite: 2, qr: 3 } as const

/** Whether a contact may learn where we are, as far as we can help it. */
export const CONTACT_DIRECT = { always: 1, never: 2 } as const

/** A contact's device: its newest prekey card and what it granted us. */
export const contactDeviceCodec = struct({
  deviceId: fixed(16),
  prekeys: optional(prekeyCardCodec),
  prekeysAt: u64,
  grant: optional(grantCodec),
  grantSent: u64,
})
export type ContactDevice = Coded<typeof contactDeviceCodec>

const contactHead = {
  accountId: fixed(32),
  name: text(64),
  state: oneOf(1, 2, 3, 4),
  pinned: optional(accountCardCodec),
  pinSource: oneOf(1, 2, 3),
  pinnedAt: u64,
  checkedAt: u64,
  verified: bool,
  changed: optional(accountCardCodec),
  /** Raised whenever the contact's lane is replaced. */
  laneNumber: u32,
  note: text(512),
  favourite: bool,
}
const contactTail = {
  addedAt: u64,
  lastSeenAt: u64,
  token: optional(fixed(16)),
  devices: list(contactDeviceCodec, DEVICES_MAX),
}
const contactBodyCodec = struct({ ...contactHead, direct: oneOf(1, 2), ...contactTail })
/** `pinned` is the account card as first seen or last properly followed; `changed` a card that contradicts it. */
export type Contact = Coded<typeof contactBodyCodec>

/** Written in version 2; who was a contact in version 1 could be met directly. */
export const contactCodec = mapped(
  variant({ 1: struct({ ...contactHead, ...contactTail }), 2: contactBodyCodec }),
  ({ kind, body }): Contact => (kind === 1 ? { ...body, direct: CONTACT_DIRECT.always } : body),
  (body: Contact) => ({ kind: 2, body }) as const,
)

/** Queued · stored at W = 3 or more holders · delivered · read · expired · failed (identity changed, refused) · taken back. */
export const MESSAGE_STATUS = {
  queued: 1,
  stored: 2,
  delivered: 3,
  read: 4,
  expired: 5,
  failed: 6,
  'taken-back': 7,
} as const

/** What is left of a message that is no longer there: its place. */
export const GONE = { no: 0, deleted: 1, expired: 2 } as const

const messageHead = {
  id: fixed(16),
  contact: fixed(32),
  order: u64,
  outgoing: bool,
  contentKind: u8,
  text: text(TEXT_BYTES_MAX),
  replyTo: optional(fixed(16)),
  sentAt: u64,
  committedAt: u64,
  status: oneOf(1, 2, 3, 4, 5, 6, 7),
  /** Outgoing only: how it last went (see OUTBOX_PATH), and how many holders had signed for it. */
  path: oneOf(0, 1, 2),
  receipts: u8,
  /** Incoming only: the user has seen it, and the sender was told. */
  readAt: u64,
}
const messageBodyCodec = struct({
  ...messageHead,
  /** How long it stays once it was read, 0 for ever; and until when, once that is known (else 0). */
  timerSeconds: u32,
  expiresAt: u64,
  gone: oneOf(0, 1, 2),
  /** There are marks of it. */
  marked: bool,
})
/** One message of a conversation. `order` is its causal place (protocol/message-order) and never repeats. */
export type Message = Coded<typeof messageBodyCodec>

const STAYS = { timerSeconds: 0, expiresAt: 0, gone: GONE.no, marked: false } as const
/** Written in version 2; in version 1 every message stayed as it was written. */
export const messageCodec = mapped(
  variant({ 1: struct(messageHead), 2: messageBodyCodec }),
  ({ kind, body }): Message => (kind === 1 ? { ...body, ...STAYS } : body),
  (body: Message) => ({ kind: 2, body }) as const,
)

/** Messages that are pinned in one conversation, at most. */
export const PINS_MAX = 16
/** What the user began to write. */
export const DRAFT_BYTES_MAX = 64 * 1_024

const conversationHead = {
  contact: fixed(32),
  lastOrder: u64,
  lastMessage: optional(fixed(16)),
  lastAt: u64,
  unread: u32,
  muted: bool,
  pinned: bool,
}
const stampFields = { lamport: u64, operation: fixed(16) }
const conversationBodyCodec = struct({
  ...conversationHead,
  /** No unread message has a lower order. */
  unreadFrom: u64,
  /** The highest number seen (protocol/message-order). */
  lamport: u64,
  /** The highest that the contact said, and when. */
  heard: optional(struct({ lamport: u64, sentAt: u64 })),
  /** How long new messages stay once they were read, 0 for ever; and which operation said so. */
  timerSeconds: u32,
  timerStamp: optional(struct(stampFields)),
  draft: text(DRAFT_BYTES_MAX),
  markedUnread: bool,
  /** Pinned messages, newest pin first. */
  pins: list(fixed(16), PINS_MAX),
})
/** A conversation's counters and what was chosen for it, keyed by the contact's account id. */
export type Conversation = Coded<typeof conversationBodyCodec>

/** Written in version 2; version 1 had the counters alone, and counted messages as they came. */
export const conversationCodec = mapped(
  variant({ 1: struct(conversationHead), 2: conversationBodyCodec }),
  ({ kind, body }): Conversation =>
    kind === 1 ? { ...body, ...NOTHING_CHOSEN, lamport: lamportOf(body.lastOrder) } : body,
  (body: Conversation) => ({ kind: 2, body }) as const,
)
const NOTHING_CHOSEN = {
  unreadFrom: 0,
  heard: undefined,
  timerSeconds: 0,
  timerStamp: undefined,
  draft: '',
  markedUnread: false,
  pins: [],
} as const

const sideMarksCodec = struct({
  edit: optional(struct({ ...stampFields, text: text(TEXT_BYTES_MAX), at: u64 })),
  reaction: optional(struct({ ...stampFields, emoji: text(EMOJI_BYTES_MAX), at: u64 })),
  deleted: bool,
})
/** What was done to a message (protocol/message-marks); `starred` is its place among the starred ones, 0 where it is none. */
export const marksCodec = struct({
  version: constant(1),
  own: sideMarksCodec,
  theirs: sideMarksCodec,
  starred: u64,
  pinned: bool,
})
export type StoredMarks = Omit<Coded<typeof marksCodec>, 'version'>

/** A letter that was put before another took its place: what it takes to delete it. `rungs` has a bit for each rung it was put at. */
const formerLetterCodec = struct({ header: letterHeaderCodec, digest: fixed(32), proof: putProofCodec, rungs: u8 })
/** Former letters that are remembered; the oldest goes first. */
export const FORMER_LETTERS_MAX = 8

/** Where the fallback ladder stands for a letter, and what speaks against its zone (services/outbox). */
const ladderCodec = struct({
  rung: rungCodec,
  /** Looks in a row that found fewer than W. */
  audits: u8,
  /** Puts in a row that gathered fewer than W receipts, and when (ms) the first of them was. */
  shorts: u8,
  shortSince: u64,
  /** Stamps that were made dearer for a full box. */
  restamps: u8,
})

/** A step of an outbox item's life, for `msg why`. Code first, what it was about second; no secrets. */
export const traceCodec = struct({ at: u64, event: text(40), detail: text(120) })

/**
 * One envelope for one device until that device's own receipt: the plain content first, then, once encrypted, the bytes
 * that are sent again and again. `sealed` is undefined while no session could be made yet.
 */
export const outboxItemCodec = struct({
  version: u8,
  /** Orders the queue and names the item. */
  sequence: u64,
  messageId: fixed(16),
  contact: fixed(32),
  deviceId: fixed(16),
  /** The encoded Content. */
  content: opaque(65_536),
  preimage: fixed(16),
  /** Whether the user is to see a status for it: receipts and grants are quiet. */
  quiet: bool,
  sealed: optional(
    struct({
      envelope: opaque(65_536),
      envelopeId: fixed(32),
      sessionId: fixed(32),
      chain: u32,
      initial: bool,
    }),
  ),
  /** The letter last put, and its id, when the mailbox path was taken. */
  letter: optional(letterCodec),
  letterId: optional(fixed(32)),
  /** What goes with the letter. */
  proof: optional(putProofCodec),
  /** Rungs that the letter was put at, a bit for each. */
  rungs: u8,
  former: list(formerLetterCodec, FORMER_LETTERS_MAX),
  ladder: ladderCodec,
  receipts: list(receiptCodec, 20),
  /** How many holders showed at the last look that they have it, and when (ms); none since the last put. */
  proved: optional(struct({ at: u64, holders: u8 })),
  path: oneOf(0, 1, 2),
  attempts: u16,
  nextAt: u64,
  createdAt: u64,
  expiresAt: u64,
  trace: list(traceCodec, 24),
})
export type OutboxItem = Coded<typeof outboxItemCodec>
export const OUTBOX_PATH = { none: 0, direct: 1, mailbox: 2 } as const

/** Something that happened, numbered without gaps from 1. `data` is JSON for the local API. */
export const eventCodec = struct({ version: u8, number: u64, at: u64, type: text(64), data: text(65_535) })
export type StoredEvent = Coded<typeof eventCodec>
