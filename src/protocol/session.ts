/**
 * The session of two devices: PQXDH, then R1h, as pure functions. State is plain data; a result is the new state, the
 * output, and the secrets of the old state that the new one no longer has. Protocol for the caller:
 *
 * 1. write the new state to disk (with the plaintext, or the envelope) in one batch;
 * 2. only then acknowledge, send, or delete a prekey;
 * 3. wipe `consumed`.
 *
 * When anything throws, the state that went in is untouched and remains the state.
 */
import { equal, wipe } from '../lib/bytes.ts'
import { DecryptError, IdentityChangedError, UsageError, VerificationError } from '../lib/errors.ts'
import { SUITE } from '../wire/card.ts'
import { splitPrefix } from '../wire/envelope.ts'
import type { PrekeyCard } from '../wire/prekeys.ts'
import type { Party, SessionKeys, SessionState, SessionStatus } from '../wire/session-state.ts'
import { agreeAsInitiator, agreeAsResponder, initialReplayId, openInitial } from './pqxdh.ts'
import type { Agreement, LocalDevice, OpenedInitial, PrekeyBundle, PrekeySecrets, SessionContext } from './pqxdh.ts'
import { findPlace, openMessage, sealMessage } from './ratchet.ts'
import type { MessageRef, Place } from './ratchet.ts'
import { INITIALIZING_MS_MAX, KEPT_MS_MAX } from './session-limits.ts'
import { tidy } from './skipped-keys.ts'
import { present } from './turn.ts'

export type { MessageRef } from './ratchet.ts'

export interface Initiated {
  readonly state: SessionState
}

/**
 * Begins a session with a device that may be away. `verify` is asked before any Diffie-Hellman: whether the card is what
 * its account and its device signed, is of today, and the one-time pair is of its pool. Throws
 * {@link VerificationError} where it says no.
 */
export function initiate(
  ctx: SessionContext,
  device: LocalDevice,
  bundle: PrekeyBundle,
  verify: (bundle: PrekeyBundle) => boolean,
): Initiated {
  if (!verify(bundle)) throw new VerificationError('the prekeys are not signed by the device')
  if (isOneself(device, bundle.card)) throw new UsageError('a device has no session with itself')
  const { agreement, prefix, ephemeral } = agreeAsInitiator(ctx, device, bundle)
  const keys: SessionKeys = {
    ...emptyKeys(agreement),
    ratchetPeer: bundle.card.body.signedPrekey.key,
    confirmSeed: device.kemPrekeySeed.slice(),
    nextSending: agreement.initiatorHeader,
    nextReceiving: agreement.responderHeader,
  }
  const initial = { ephemeral, hash: ctx.crypto.sha256(prefix), prefix }
  const oneTime = bundle.oneTime !== undefined
  const local = partyOf(device.prekeyCard)
  const base = { id: agreement.sessionId, local, peer: partyOf(bundle.card), oneTime, initial, keys }
  return { state: { ...fresh(ctx.now), ...base, role: 'initiator', status: 'initializing' } }
}

export interface Accepted {
  readonly state: SessionState
  /** Of the first message. */
  readonly plaintext: Uint8Array
  readonly ref: MessageRef
  /** The sender's verified card. */
  readonly peer: PrekeyCard
  /** To be remembered for as long as the prekeys live; an initial message with a known one is a replay. */
  readonly replayId: Uint8Array
  /** The one-time pair to delete, in the batch that commits the state and not before. */
  readonly oneTimeId: number | undefined
  readonly consumed: readonly Uint8Array[]
}

/**
 * Answers an initial message whose first stage {@link openInitial} has opened. `verify` is asked about the sender's card
 * before its identity key is used. Throws {@link DecryptError}, and then nothing has happened: no prekey is spent.
 */
export function acceptOpened(
  ctx: SessionContext,
  device: LocalDevice,
  secrets: PrekeySecrets,
  opened: OpenedInitial,
  envelope: Uint8Array,
  verify: (card: PrekeyCard) => boolean,
): Accepted {
  if (isOneself(device, opened.sender) || !verify(opened.sender)) throw new DecryptError('authentication')
  const agreement = agreeAsResponder(ctx, device, secrets, opened)
  const prefix = splitPrefix(envelope)
  if (prefix === undefined) throw new DecryptError('no-session')
  const keys: SessionKeys = {
    ...emptyKeys(agreement),
    ratchetSecret: secrets.signedPrekey.slice(),
    confirmPeer: opened.sender.body.kemPrekey.key,
    nextSending: agreement.responderHeader,
    nextReceiving: agreement.initiatorHeader,
  }
  const hash = ctx.crypto.sha256(prefix.head, prefix.sealedSender)
  const state: SessionState = {
    ...fresh(ctx.now),
    id: agreement.sessionId,
    role: 'responder',
    status: 'active',
    local: partyOf(device.prekeyCard),
    peer: partyOf(opened.sender),
    oneTime: opened.ids.oneTimeId !== undefined,
    initial: { ephemeral: prefix.ephemeral.slice(), hash, prefix: undefined },
    keys,
  }
  const { state: next, plaintext, ref, consumed } = decryptSession(ctx, state, envelope)
  const replayId = initialReplayId(ctx.crypto, prefix)
  return { state: next, plaintext, ref, peer: opened.sender, replayId, oneTimeId: opened.ids.oneTimeId, consumed }
}

/** {@link openInitial} and {@link acceptOpened} in one. */
export function accept(
  ctx: SessionContext,
  device: LocalDevice,
  secrets: PrekeySecrets,
  envelope: Uint8Array,
  verify: (card: PrekeyCard) => boolean,
): Accepted {
  const opened = openInitial(ctx, device, secrets, envelope)
  try {
    return acceptOpened(ctx, device, secrets, opened, envelope, verify)
  } finally {
    wipe(...present(...Object.values(opened.stageOne)))
  }
}

export interface Encrypted {
  readonly state: SessionState
  /** Exactly one of the size classes. */
  readonly envelope: Uint8Array
  readonly ref: MessageRef
  readonly consumed: readonly Uint8Array[]
}

/**
 * Seals a content. Throws {@link IdentityChangedError} in a suspended session, {@link UsageError} in one that ended,
 * `LimitError` above `PLAINTEXT_BYTES_MAX`, and {@link VerificationError} where the peer sent a key that is none
 * (only a new session mends that).
 */
export function encryptSession(ctx: SessionContext, state: SessionState, plaintext: Uint8Array): Encrypted {
  if (state.status === 'suspended') throw new IdentityChangedError('the identity of the peer changed')
  const { keys, envelope, ref, consumed } = sealMessage(ctx, state, keysOf(state), plaintext)
  return { state: { ...state, keys, sent: state.sent + 1, sentAt: ctx.now }, envelope, ref, consumed }
}

export interface Decrypted {
  readonly state: SessionState
  readonly plaintext: Uint8Array
  readonly ref: MessageRef
  readonly consumed: readonly Uint8Array[]
}

/** Whether the envelope is of this session: a look at its tag, at most one HMAC a chain. Not a proof. */
export function matchesSession(ctx: SessionContext, state: SessionState, envelope: Uint8Array): boolean {
  return findPlace(ctx.crypto, state, envelope) !== undefined
}

/** Opens an envelope. Throws {@link DecryptError}: `no-session`, `state`, `stale`, `duplicate`, `gap`, `authentication`. */
export function decryptSession(ctx: SessionContext, state: SessionState, envelope: Uint8Array): Decrypted {
  const place = findPlace(ctx.crypto, state, envelope)
  if (place === undefined) throw new DecryptError(state.keys === undefined ? 'state' : 'no-session')
  return decryptAt(ctx, state, envelope, place)
}

/** {@link decryptSession} for one who has found the place already. */
export function decryptAt(ctx: SessionContext, state: SessionState, envelope: Uint8Array, place: Place): Decrypted {
  if (state.keys === undefined || state.status === 'suspended') throw new DecryptError('state')
  const opened = openMessage(ctx, state, state.keys, envelope, place)
  const next: SessionState = {
    ...state,
    status: 'active',
    keys: opened.keys,
    received: state.received + 1,
    receivedAt: ctx.now,
    confirmed: state.confirmed || (opened.turned && provesPeer(state)),
    initial: state.initial.prefix === undefined ? state.initial : { ...state.initial, prefix: undefined },
  }
  return { state: next, plaintext: opened.plaintext, ref: opened.ref, consumed: opened.consumed }
}

/** The first answer proves the responder, the first message after our confirmation the initiator. */
function provesPeer(state: SessionState): boolean {
  return state.role === 'initiator' || state.keys?.confirmPeer === undefined
}

/**
 * The peer is known to have our chain `chain` ({@link MessageRef}), by its own receipt for a message of it: headers are
 * short from now on and the initial prefix is dropped. Does nothing for a chain that is over.
 */
export function acknowledgeChain(state: SessionState, chain: number): SessionState {
  const { keys } = state
  if (keys?.sending === undefined || keys.sending.turn !== chain || keys.sending.opening === undefined) return state
  const sending = { ...keys.sending, opening: undefined }
  return { ...state, keys: { ...keys, sending }, initial: { ...state.initial, prefix: undefined } }
}

export interface Ended {
  readonly state: SessionState
  readonly consumed: readonly Uint8Array[]
}

/** The peer's identity changed: nothing is sent or read until {@link resumeSession} or {@link closeSession}. */
export function suspendSession(state: SessionState): SessionState {
  return { ...state, status: transition(state.status, 'suspended') }
}

/** The user has looked at the new identity and stays. */
export function resumeSession(state: SessionState): SessionState {
  if (state.status !== 'suspended') throw new UsageError('only a suspended session can be resumed')
  return { ...state, status: state.received > 0 ? 'active' : 'initializing' }
}

/** Ends the session for good: no key stays. */
export function closeSession(state: SessionState): Ended {
  return end(state, 'closed')
}

/** True for a session that nobody answered in 30 days: its prekeys are gone on the other side. */
export function hasExpired(state: SessionState, now: number): boolean {
  return state.status === 'initializing' && now - state.createdAt > INITIALIZING_MS_MAX
}

/** Ends a session whose time is over. */
export function expireSession(state: SessionState): Ended {
  return end(state, 'expired')
}

/** When the session was last of use, ms. */
export function lastUsedAt(state: SessionState): number {
  return Math.max(state.createdAt, state.sentAt, state.receivedAt)
}

/** True for an archived session that no letter can be under way for any more. */
export function isOutlived(state: SessionState, now: number): boolean {
  return now - lastUsedAt(state) > KEPT_MS_MAX
}

/** Lets go of stored keys and old chains whose time is over, as every message that is read does too. */
export function tidySession(state: SessionState, now: number): Ended {
  if (state.keys === undefined) return { state, consumed: [] }
  const { keys, consumed } = tidy(state.keys, now)
  return consumed.length === 0 ? { state, consumed } : { state: { ...state, keys }, consumed }
}

/** What may be shown of a session: counters, never keys. */
export interface SessionSummary {
  readonly role: SessionState['role']
  readonly status: SessionStatus
  readonly oneTime: boolean
  readonly confirmed: boolean
  readonly createdAt: number
  readonly sentAt: number
  readonly receivedAt: number
  readonly sent: number
  readonly received: number
  readonly turns: number
  readonly skippedKeys: number
}

export function describeSession(state: SessionState): SessionSummary {
  const { role, status, oneTime, confirmed, createdAt, sentAt, receivedAt, sent, received, keys } = state
  const chains = keys === undefined ? [] : [...keys.old, ...(keys.receiving ? [keys.receiving] : [])]
  const skippedKeys = chains.reduce((sum, chain) => sum + chain.skipped.length, 0)
  const turns = keys?.turns ?? 0
  return { role, status, oneTime, confirmed, createdAt, sentAt, receivedAt, sent, received, turns, skippedKeys }
}

/** Every secret that a state holds, for wiping and for tests that look for them elsewhere. */
export function secretsOf(state: SessionState): readonly Uint8Array[] {
  const { keys } = state
  if (keys === undefined) return []
  const { sending, receiving } = keys
  return present(
    keys.root,
    keys.ratchetSecret,
    keys.kemSeed,
    keys.confirmSeed,
    ...headerSecrets(keys.nextSending, keys.nextReceiving, sending?.header, receiving?.header),
    sending?.chainKey,
    receiving?.chainKey,
    ...(receiving?.skipped.map((skipped) => skipped.key) ?? []),
    ...keys.old.flatMap((chain) => [chain.tagKey, chain.headerKey, ...chain.skipped.map((skipped) => skipped.key)]),
  )
}

function headerSecrets(...pairs: readonly (SessionKeys['nextSending'] | undefined)[]): (Uint8Array | undefined)[] {
  return pairs.flatMap((pair) => [pair?.key, pair?.tagKey])
}

const TRANSITIONS: Readonly<Record<SessionStatus, readonly SessionStatus[]>> = {
  initializing: ['active', 'suspended', 'closed', 'expired'],
  active: ['suspended', 'closed', 'expired'],
  suspended: ['initializing', 'active', 'closed', 'expired'],
  closed: [],
  expired: [],
}

function transition(from: SessionStatus, to: SessionStatus): SessionStatus {
  if (!TRANSITIONS[from].includes(to)) throw new UsageError(`a session that is ${from} cannot become ${to}`)
  return to
}

function end(state: SessionState, status: 'closed' | 'expired'): Ended {
  const initial = { ...state.initial, prefix: undefined }
  return {
    state: { ...state, status: transition(state.status, status), initial, keys: undefined },
    consumed: secretsOf(state),
  }
}

function keysOf(state: SessionState): SessionKeys {
  if (state.keys === undefined) throw new UsageError(`the session is ${state.status}: begin a new one`)
  return state.keys
}

function partyOf(card: PrekeyCard): Party {
  const { accountId, deviceId } = card.body.certificate.body
  return { accountId, deviceId }
}

function isOneself(device: LocalDevice, card: PrekeyCard): boolean {
  const [own, other] = [partyOf(device.prekeyCard), partyOf(card)]
  return equal(own.accountId, other.accountId) && equal(own.deviceId, other.deviceId)
}

function fresh(
  now: number,
): Pick<SessionState, 'version' | 'suite' | 'confirmed' | 'createdAt' | 'sentAt' | 'receivedAt' | 'sent' | 'received'> {
  return { version: 1, suite: SUITE, confirmed: false, createdAt: now, sentAt: 0, receivedAt: 0, sent: 0, received: 0 }
}

/** Keys before the first turn; the caller adds what its side has. */
function emptyKeys(agreement: Agreement): Omit<SessionKeys, 'nextSending' | 'nextReceiving'> {
  return {
    root: agreement.root,
    ratchetSecret: undefined,
    ratchetPeer: undefined,
    kemSeed: undefined,
    kemPeer: undefined,
    confirmSeed: undefined,
    confirmPeer: undefined,
    turns: 0,
    previous: 0,
    sending: undefined,
    receiving: undefined,
    old: [],
  }
}
