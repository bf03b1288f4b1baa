/**
 * What a session remembers, as plain data with one encoding: every state survives encode → decode. Secret throughout:
 * the store seals it, nothing else writes it down, and no log ever sees it.
 */
import { SUITE } from './card.ts'
import { bool, constant, fixed, list, mapped, oneOf, opaque, optional, struct, u32, u64 } from './codec.ts'
import type { Codec, Coded } from './codec.ts'
import { INITIAL_PREFIX_BYTES, KEM_1024_KEY_BYTES, KEM_768_KEY_BYTES, TURN_BYTES, X25519_BYTES } from './envelope.ts'

/** Keys that a decoder takes at most in one list: the cap on a session's stored keys. */
const SKIPPED_MAX = 2_000
const OLD_MAX = 5
const SESSIONS_MAX = 5

/** Names on the outside, numbers on the wire: the index in the list. */
function named<const N extends string>(...names: readonly N[]): Codec<N> {
  return mapped(
    oneOf(...names.keys()),
    (index) => names[index] as N,
    (name) => names.indexOf(name),
  )
}

/** Seals and finds the headers of one chain. */
export const headerKeysCodec = struct({ key: fixed(32), tagKey: fixed(16) })
export type HeaderKeys = Coded<typeof headerKeysCodec>

/** The key of a message that has not arrived. `at` is when it was stored, ms. */
export const skippedKeyCodec = struct({ n: u32, key: fixed(32), at: u64 })
export type SkippedKey = Coded<typeof skippedKeyCodec>

/**
 * The chain that we send in. `turn` counts our chains, `next` is the number of the next message, `previous` the length
 * of our chain before. `opening` is what a full header shows; gone once the peer is known to have the chain.
 */
export const sendingChainCodec = struct({
  turn: u32,
  header: headerKeysCodec,
  chainKey: fixed(32),
  next: u32,
  previous: u32,
  opening: optional(opaque(TURN_BYTES.confirming)),
})
export type SendingChain = Coded<typeof sendingChainCodec>

/** The peer's newest chain. `skipped` ascends in n and in time. */
export const receivingChainCodec = struct({
  turn: u32,
  header: headerKeysCodec,
  chainKey: fixed(32),
  next: u32,
  skipped: list(skippedKeyCodec, SKIPPED_MAX),
})
export type ReceivingChain = Coded<typeof receivingChainCodec>

/** A chain of the peer that a newer one replaced. Without a missing message it keeps only what knows a duplicate. */
export const oldChainCodec = struct({
  turn: u32,
  tagKey: fixed(16),
  headerKey: optional(fixed(32)),
  skipped: list(skippedKeyCodec, SKIPPED_MAX),
  closedAt: u64,
})
export type OldChain = Coded<typeof oldChainCodec>

/** All the secrets of a session (protocol §3, R1h). What a side does not have at the moment is absent. */
export const sessionKeysCodec = struct({
  root: fixed(32),
  /** Ours: X25519 secret of our newest chain, until the peer answered it. */
  ratchetSecret: optional(fixed(X25519_BYTES)),
  /** The peer's newest ratchet key, until we answered it. */
  ratchetPeer: optional(fixed(X25519_BYTES)),
  /** Initiator: seed of the ML-KEM-768 key of our newest chain, until it was answered. */
  kemSeed: optional(fixed(64)),
  /** Responder: the peer's newest ML-KEM-768 key, until we answered it. */
  kemPeer: optional(fixed(KEM_768_KEY_BYTES)),
  /** Initiator: seed of the ML-KEM-1024 prekey in our card, until the first answer. */
  confirmSeed: optional(fixed(64)),
  /** Responder: the ML-KEM-1024 prekey in the peer's card, until our first answer. */
  confirmPeer: optional(fixed(KEM_1024_KEY_BYTES)),
  nextSending: headerKeysCodec,
  nextReceiving: headerKeysCodec,
  /** Turns taken, and messages in the chain before the next one. */
  turns: u32,
  previous: u32,
  /** Absent when the next message opens a new chain. */
  sending: optional(sendingChainCodec),
  receiving: optional(receivingChainCodec),
  /** Newest first. */
  old: list(oldChainCodec, OLD_MAX),
})
export type SessionKeys = Coded<typeof sessionKeysCodec>

/** The initial message: its prefix while we still send it (initiator), and the SHA-256 of the prefix. */
export const initialCodec = struct({
  ephemeral: fixed(X25519_BYTES),
  hash: fixed(32),
  prefix: optional(fixed(INITIAL_PREFIX_BYTES)),
})

export const partyCodec = struct({ accountId: fixed(32), deviceId: fixed(16) })
export type Party = Coded<typeof partyCodec>

/** initializing: we began, nothing heard · suspended: the identity changed · closed and expired: no keys any more. */
export const SESSION_STATUSES = ['initializing', 'active', 'suspended', 'closed', 'expired'] as const
export type SessionStatus = (typeof SESSION_STATUSES)[number]
export type SessionRole = 'initiator' | 'responder'

/**
 * One session of two devices. Times in ms. `oneTime` is false where the last-resort prekey served; `confirmed` says
 * that the peer has also proved itself against a quantum attacker (README, "Confirmation").
 */
export const sessionStateCodec = struct({
  version: constant(1),
  suite: constant(SUITE),
  id: fixed(32),
  role: named('initiator', 'responder'),
  status: named(...SESSION_STATUSES),
  local: partyCodec,
  peer: partyCodec,
  oneTime: bool,
  confirmed: bool,
  createdAt: u64,
  sentAt: u64,
  receivedAt: u64,
  sent: u32,
  received: u32,
  initial: initialCodec,
  keys: optional(sessionKeysCodec),
})
export type SessionState = Coded<typeof sessionStateCodec>

/** A session in its book. `rival` is the id of our own unanswered session when this one came in: both began at once. */
export const bookEntryCodec = struct({ state: sessionStateCodec, rival: optional(fixed(32)) })
export type BookEntry = Coded<typeof bookEntryCodec>

/** The sessions of one pair of devices, newest first. */
export const sessionBookCodec = struct({
  version: constant(1),
  peer: partyCodec,
  entries: list(bookEntryCodec, SESSIONS_MAX),
})
export type SessionBook = Coded<typeof sessionBookCodec>
