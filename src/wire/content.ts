/** What a message says, inside the encryption. A kind that this version does not know is kept and shown as unsupported. */
import { constant, fixed, list, opaque, optional, struct, text, tryDecode, u16, u32, u64, u8 } from './codec.ts'
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

export const CONTENT_KIND = { text: 1, receipt: 2, contactRequest: 3, contactAccept: 4, grant: 5, part: 6 } as const

const bodies = {
  1: textBodyCodec,
  2: receiptBodyCodec,
  3: contactRequestBodyCodec,
  4: contactAcceptBodyCodec,
  5: grantBodyCodec,
  6: partBodyCodec,
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
