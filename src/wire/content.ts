/** What a message says, inside the encryption. A kind that this version does not know is kept and shown as unsupported. */
import {
  constant,
  encode,
  fixed,
  list,
  oneOf,
  opaque,
  optional,
  struct,
  text,
  tryDecode,
  u16,
  u32,
  u64,
  u8,
} from './codec.ts'
import type { Codec, Coded } from './codec.ts'
import { PEER_ADDRESSES_MAX } from './peer.ts'

/** Plaintext that one envelope carries at most, so that it fits the largest size class with every header there is. */
export const CONTENT_BYTES_MAX = 48 * 1_024
/** Text of one message: larger things are files. */
export const TEXT_BYTES_MAX = 1_048_576
/** Weekly mailbox addresses handed to a contact: a year and a week. */
export const GRANT_ADDRESSES = 53
/** Bytes of a body in one part; larger bodies travel in several. */
export const PART_BYTES_MAX = 40 * 1_024
export const PARTS_MAX = 32
/** A reaction: one emoji with all of its joined parts. */
export const EMOJI_BYTES_MAX = 32
/** Messages that one deletion names. */
export const DELETE_TARGETS_MAX = 64
/** What a person calls itself, says of itself, and its picture (types: 1 PNG, 2 JPEG, 3 WebP). */
export const PROFILE_NAME_BYTES_MAX = 64
export const PROFILE_BIO_BYTES_MAX = 512
export const AVATAR_BYTES_MAX = 24 * 1_024

/**
 * `id` names the message on both sides; `preimage` deletes the letter it came in; `sentAt` is the writer's clock in ms
 * and for display only. Extensions that are not known are ignored.
 */
export const contentCodec = struct({
  version: constant(1),
  id: fixed(16),
  preimage: fixed(16),
  sentAt: u64,
  kind: u8,
  body: opaque(CONTENT_BYTES_MAX),
  extensions: list(struct({ type: u16, data: opaque(1_024) }), 16),
})
export type Content = Coded<typeof contentCodec>

/** What a device lets a contact know: where to write to it for the next year, with which lane, and where to dial it. */
export const grantCodec = struct({
  firstEpoch: u32,
  addresses: list(fixed(32), GRANT_ADDRESSES),
  laneSeed: fixed(32),
  peerId: text(128),
  multiaddrs: list(text(255), PEER_ADDRESSES_MAX),
})
export type Grant = Coded<typeof grantCodec>

export const textBodyCodec = struct({ text: text(TEXT_BYTES_MAX), replyTo: optional(fixed(16)) })
export const receiptBodyCodec = struct({ delivered: list(fixed(16), 256), read: list(fixed(16), 256) })
export const contactRequestBodyCodec = struct({ grant: grantCodec, note: text(512), token: optional(fixed(16)) })
export const contactAcceptBodyCodec = struct({ grant: grantCodec })
export const grantBodyCodec = struct({ grant: grantCodec })
/** A body too large for one envelope: `whole` names the message, `kind` is that of the body the parts add up to. */
export const partBodyCodec = struct({
  whole: fixed(16),
  kind: u8,
  index: u16,
  count: u16,
  bytes: opaque(PART_BYTES_MAX, 1),
})

/** One reaction of the sender to `target`; an empty one takes it back. */
export const reactionBodyCodec = struct({ target: fixed(16), emoji: text(EMOJI_BYTES_MAX) })
/** `target` is a message of the sender's, and says `text` from now on. */
export const editBodyCodec = struct({ target: fixed(16), text: text(TEXT_BYTES_MAX) })
/** Messages of the sender's that are to be gone on both sides, for ever. */
export const deleteBodyCodec = struct({ targets: list(fixed(16), DELETE_TARGETS_MAX, 1) })
/** Who the sender says to be; a lower `number` never takes the place of a higher. */
export const profileBodyCodec = struct({
  number: u32,
  name: text(PROFILE_NAME_BYTES_MAX),
  bio: text(PROFILE_BIO_BYTES_MAX),
  avatar: optional(struct({ type: oneOf(1, 2, 3), data: opaque(AVATAR_BYTES_MAX, 1) })),
})
export type ProfileBody = Coded<typeof profileBodyCodec>
/** How long messages of this conversation stay once they were read, for both sides; 0 for ever. */
export const timerBodyCodec = struct({ seconds: u32 })
/** What is so at this moment: each 0 nothing said · 1 no · 2 yes. Only ever on a direct stream, never kept. */
export const liveBodyCodec = struct({ typing: oneOf(0, 1, 2), presence: oneOf(0, 1, 2) })
export type LiveBody = Coded<typeof liveBodyCodec>
export const LIVE = { unsaid: 0, no: 1, yes: 2 } as const

export const CONTENT_KIND = {
  text: 1,
  receipt: 2,
  contactRequest: 3,
  contactAccept: 4,
  grant: 5,
  part: 6,
  reaction: 7,
  edit: 8,
  delete: 9,
  profile: 10,
  timer: 11,
  live: 12,
} as const

/** Extensions that this version reads: where the content stands in the conversation, and how long a text stays. */
export const EXTENSION = { lamport: 1, timer: 2 } as const
const extensionCodecs = { lamport: struct({ lamport: u64 }), timer: struct({ seconds: u32 }) }

/** `lamport`: the causal clock of the conversation (protocol/message-order). `timerSeconds`: 0 stays for ever. */
export interface Extensions {
  readonly lamport?: number
  readonly timerSeconds?: number
}

/** What goes into a content; a timer of 0 takes no place. */
export function contentExtensions({ lamport, timerSeconds = 0 }: Extensions): Content['extensions'] {
  const made: { type: number; data: Uint8Array }[] = []
  if (lamport !== undefined) made.push({ type: EXTENSION.lamport, data: encode(extensionCodecs.lamport, { lamport }) })
  if (timerSeconds > 0) {
    made.push({ type: EXTENSION.timer, data: encode(extensionCodecs.timer, { seconds: timerSeconds }) })
  }
  return made
}

/** What a content's extensions say; the first of a type counts, and one that does not decode is as one that is unknown. */
export function readExtensions(extensions: Content['extensions']): Extensions {
  const dataOf = (type: number): Uint8Array | undefined => extensions.find((each) => each.type === type)?.data
  const lamport = tryDecode(extensionCodecs.lamport, dataOf(EXTENSION.lamport) ?? NO_BYTES)?.lamport
  const timerSeconds = tryDecode(extensionCodecs.timer, dataOf(EXTENSION.timer) ?? NO_BYTES)?.seconds
  return { ...(lamport === undefined ? {} : { lamport }), ...(timerSeconds === undefined ? {} : { timerSeconds }) }
}
const NO_BYTES = new Uint8Array(0)

const bodies = {
  1: textBodyCodec,
  2: receiptBodyCodec,
  3: contactRequestBodyCodec,
  4: contactAcceptBodyCodec,
  5: grantBodyCodec,
  6: partBodyCodec,
  7: reactionBodyCodec,
  8: editBodyCodec,
  9: deleteBodyCodec,
  10: profileBodyCodec,
  11: timerBodyCodec,
  12: liveBodyCodec,
} as const
type Bodies = typeof bodies

export type ContentBody =
  | { readonly [K in keyof Bodies]: { readonly kind: K; readonly body: Coded<Bodies[K]> } }[keyof Bodies]
  | { readonly kind: 'unsupported' }

/** The body of a kind that this version knows; `unsupported` for any other; `undefined` where the bytes are wrong. */
export function contentBody(kind: number, bytes: Uint8Array): ContentBody | undefined {
  const codec = (bodies as Record<number, Codec<unknown>>)[kind]
  if (codec === undefined) return { kind: 'unsupported' }
  const body = tryDecode(codec, bytes)
  return body === undefined ? undefined : ({ kind, body } as ContentBody)
}
