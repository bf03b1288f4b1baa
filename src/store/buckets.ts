/**
 * Every key space of both databases, numbered in one table. The number is the first byte of a key. A number is never
 * used again for something else, also when its bucket is gone: old homes may still hold such records.
 */
import { concat } from '../lib/bytes.ts'

/** 0–63: the sealed database of the account. 64–127: the database of the holder, in the clear. */
export const BUCKET = {
  format: 0,
  settings: 1,
  accounts: 2,
  devices: 3,
  contacts: 4,
  conversations: 5,
  messages: 6,
  messageIds: 7,
  sessions: 8,
  seenInitials: 9,
  seen: 10,
  signedPrekeys: 11,
  kemPrekeys: 12,
  oneTimePrekeys: 13,
  outbox: 14,
  events: 17,
  parts: 18,
  partsIndex: 19,
  receiptsDue: 20,
  burials: 21,
  history: 22,
  prekeyUses: 23,
  prekeyPool: 24,
  marks: 25,
  marksWaiting: 26,
  expiries: 27,
  starred: 28,
  operations: 29,
  removed: 30,
  consumers: 32,
  searchPlaces: 40,
  searchRecent: 41,
  searchSegments: 42,
  searchWords: 43,
  searchState: 44,
  searchBuild: 45,
  searchGone: 46,
  profiles: 48,
  avatars: 49,
  profilesTold: 50,
  recovery: 52,
  recoveredContacts: 53,

  held: 64,
  heldByAddress: 65,
  heldByExpiry: 66,
  tombstones: 67,
  tombstonesByExpiry: 68,
  cards: 69,
  cardNumbers: 70,
  cardsByExpiry: 71,
  graves: 72,
  slices: 73,
  slicePrekeys: 74,
  slicesByExpiry: 75,
  sightings: 76,
  liars: 77,
} as const
/** The first of the holder's. */
export const HELD_BUCKETS = 64
export type BucketName = keyof typeof BUCKET

/** The parts one after another behind the bucket's number: a key. */
export function bucketKey(bucket: BucketName, ...parts: readonly Uint8Array[]): Uint8Array {
  return concat(Uint8Array.of(BUCKET[bucket]), ...parts)
}

/** Keys from `gte` up to but not including `lt`. */
export interface KeyRange {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
}

/** Every key of the bucket that begins with `prefix` (all of them without one). */
export function bucketRange(bucket: BucketName, ...prefix: readonly Uint8Array[]): KeyRange {
  const gte = bucketKey(bucket, ...prefix)
  return { gte, lt: successor(gte) }
}

/** The first key after all keys that begin with `prefix`, whose first byte is below 255. */
export function successor(prefix: Uint8Array): Uint8Array {
  let length = prefix.length
  while (prefix[length - 1] === 255) length--
  const next = prefix.slice(0, length)
  next[length - 1] = (next[length - 1] ?? 0) + 1
  return next
}
