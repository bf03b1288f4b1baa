/**
 * What an owner keeps in the network for the day on which only the 24 words are left (protocol §7). Outside: numbered records that
 * nobody can tie to an account or to one another. Inside, sealed and padded: contacts, settings, profile.
 */
import { bool, constant, fixed, list, oneOf, opaque, optional, struct, text, u16, u32, u64, u8 } from './codec.ts'
import type { Coded } from './codec.ts'
import { SUITE } from './card.ts'
import { SIZE_CLASSES_BYTES } from './padding.ts'

/** Records that one account may spread its recovery over; the first one says how many there are. */
export const RECOVERY_CHUNKS_MAX = 64
/** The authentication tag of XChaCha20-Poly1305. */
export const RECOVERY_TAG_BYTES = 16
/** The largest plaintext of a chunk, padded. */
export const RECOVERY_CHUNK_BYTES_MAX = Math.max(...SIZE_CLASSES_BYTES)

/**
 * The address is SHA-256("sotto recovery" ‖ writer). The highest number wins; `expiry` in hours since the Unix epoch, at most 90 days
 * ahead. `sealed` is one of the five size classes and the tag.
 */
export const recoveryHeadCodec = struct({
  version: constant(1),
  suite: constant(SUITE),
  writer: fixed(1_312),
  number: u32,
  expiry: u32,
})
export const recoveryBodyCodec = struct({
  version: constant(1),
  suite: constant(SUITE),
  writer: fixed(1_312),
  number: u32,
  expiry: u32,
  nonce: fixed(24),
  sealed: opaque(RECOVERY_CHUNK_BYTES_MAX + RECOVERY_TAG_BYTES),
})
export const RECOVERY_LABEL = 'sotto recovery record v1'

/** ML-DSA-44 by the writer. 3,796 bytes and the sealed part. */
export const recoveryRecordCodec = struct({ body: recoveryBodyCodec, signature: fixed(2_420) })
export type RecoveryRecord = Coded<typeof recoveryRecordCodec>

// --- inside

/** One thing that is recovered. Types that a program does not know are passed over. */
export const recoveryEntryCodec = struct({ type: u8, body: opaque(32_768) })
export type RecoveryEntry = Coded<typeof recoveryEntryCodec>
export const RECOVERY_ENTRY = { contact: 1, setting: 2, profile: 3 } as const

/**
 * One chunk: whole in itself, so that chunks of two snapshots together still make sense. `number` is that of the snapshot, the same in
 * all of its chunks; `cardNumber` the number of the account card that the device `deviceId` had then.
 */
export const recoveryChunkCodec = struct({
  version: constant(1),
  number: u32,
  index: u16,
  count: u16,
  deviceId: fixed(16),
  cardNumber: u32,
  entries: list(recoveryEntryCodec, 4_096),
})
export type RecoveryChunk = Coded<typeof recoveryChunkCodec>

/** The account card that a contact was pinned with: its number, and the SHA-256 of its body. */
export const recoveredPinCodec = struct({ number: u32, hash: fixed(32) })

/** States, sources and `direct` are those of the contact records of the store. `suspended`: its keys were in question. */
export const recoveredContactCodec = struct({
  version: constant(1),
  accountId: fixed(32),
  name: text(64),
  state: oneOf(1, 2, 3, 4),
  note: text(512),
  pin: optional(recoveredPinCodec),
  pinSource: oneOf(1, 2, 3),
  verified: bool,
  suspended: bool,
  favourite: bool,
  direct: oneOf(1, 2),
  addedAt: u64,
  muted: bool,
  pinned: bool,
  /** Of the conversation's disappearing messages, seconds; 0: off. */
  timer: u32,
  /** No message of the conversation has had a higher causal number: the next one stands behind all of them. */
  lamport: u64,
})
export type RecoveredContact = Coded<typeof recoveredContactCodec>

/** A setting as the store has it. */
export const recoveredSettingCodec = struct({ name: text(64), value: text(4_096) })
export type RecoveredSetting = Coded<typeof recoveredSettingCodec>
