/** What stands in a backup, one entry after another, in the encodings of the store's own records. */
import { concat, u32be } from '../lib/bytes.ts'
import { CodecError } from '../lib/errors.ts'
import { accountCardCodec } from '../wire/card.ts'
import { constant, decode, encode, fixed, opaque, optional, struct, text, u32, u64, variant } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import { profileBodyCodec } from '../wire/content.ts'
import { contactCodec, conversationCodec, marksCodec, messageCodec } from './records.ts'

/** First of all: whose it is, and of when (ms). */
const headCodec = struct({ version: constant(1), accountId: fixed(32), createdAt: u64 })
/** The account's keys, its card, and the highest number that a card of it had. */
const accountCodec = struct({ ed25519: fixed(32), mldsa65: fixed(32), card: accountCardCodec, number: u32 })
const settingCodec = struct({ name: text(64), value: text(4_096) })
const profileCodec = struct({ accountId: optional(fixed(32)), profile: profileBodyCodec })
const messageEntryCodec = struct({ message: messageCodec, marks: optional(marksCodec) })
/** Last of all: how many entries were before it. */
const endCodec = struct({ entries: u32 })

/** Numbers are never reused. A backup is refused where one is unknown: a newer program wrote it. */
export const backupEntryCodec = variant({
  1: headCodec,
  2: accountCodec,
  3: settingCodec,
  4: profileCodec,
  5: contactCodec,
  6: messageEntryCodec,
  7: conversationCodec,
  8: endCodec,
})
export type BackupEntry = Coded<typeof backupEntryCodec>
export const BACKUP_ENTRY = {
  head: 1,
  account: 2,
  setting: 3,
  profile: 4,
  contact: 5,
  message: 6,
  conversation: 7,
  end: 8,
} as const
export type BackupHead = Coded<typeof headCodec>

/** A message with its text and an edit of either side: the largest there is. */
const ENTRY_BYTES_MAX = 4 * 1_024 * 1_024
const lengthPrefixed = opaque(ENTRY_BYTES_MAX)

/** An entry behind its length. */
export function encodeEntry(entry: BackupEntry): Uint8Array {
  return encode(lengthPrefixed, encode(backupEntryCodec, entry))
}

/** The entries in bytes that come in pieces of any size. Throws CodecError. */
export async function* decodeEntries(source: AsyncIterable<Uint8Array>): AsyncGenerator<BackupEntry> {
  let ready: Uint8Array = new Uint8Array(0)
  for await (const bytes of source) {
    ready = concat(ready, bytes)
    let at = 0
    for (let end = endOf(ready, at); end !== undefined; end = endOf(ready, at)) {
      yield decode(backupEntryCodec, ready.subarray(at + LENGTH_BYTES, end))
      at = end
    }
    ready = ready.slice(at)
  }
  if (ready.length > 0) throw new CodecError('the backup ends within an entry')
}

const LENGTH_BYTES = u32be(0).length

/** Where the entry at `at` ends; `undefined` where it has not come whole. */
function endOf(bytes: Uint8Array, at: number): number | undefined {
  if (bytes.length - at < LENGTH_BYTES) return undefined
  const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0)
  if (length > ENTRY_BYTES_MAX) throw new CodecError('length out of bounds')
  const end = at + LENGTH_BYTES + length
  return bytes.length < end ? undefined : end
}
