/**
 * The sessions of one pair of devices: one that sends, and up to four that only receive (README, "Book"). Two devices
 * that begin at the same moment end up in the same session without a word about it.
 */
import { equal } from '../lib/bytes.ts'
import { DecryptError, IdentityChangedError, UsageError } from '../lib/errors.ts'
import type { BookEntry, Party, SessionBook, SessionState } from '../wire/session-state.ts'
import type { SessionContext } from './pqxdh.ts'
import { findPlace } from './ratchet.ts'
import type { MessageRef, Place } from './ratchet.ts'
import {
  acknowledgeChain,
  closeSession,
  decryptAt,
  encryptSession,
  hasExpired,
  isOutlived,
  resumeSession,
  secretsOf,
  suspendSession,
  tidySession,
} from './session.ts'
import { ARCHIVED_SESSIONS_MAX } from './session-limits.ts'

/** A message of a session of the book. */
export interface BookRef extends MessageRef {
  readonly sessionId: Uint8Array
}

export interface BookChanged {
  readonly book: SessionBook
  readonly consumed: readonly Uint8Array[]
}

export function newBook(peer: Party): SessionBook {
  return { version: 1, peer, entries: [] }
}

/** Takes a session in, as the newest. The oldest archived one goes when there are too many. */
export function bookAdd(book: SessionBook, state: SessionState): BookChanged {
  if (!equal(book.peer.accountId, state.peer.accountId) || !equal(book.peer.deviceId, state.peer.deviceId)) {
    throw new UsageError('the session is with another device')
  }
  if (book.entries.some((entry) => equal(entry.state.id, state.id))) throw new UsageError('the session is known')
  const entry: BookEntry = { state, rival: state.role === 'responder' ? unanswered(book)?.state.id : undefined }
  return trim({ ...book, entries: [entry, ...book.entries] })
}

/** Our own session that was under way when the peer's came in. */
function unanswered(book: SessionBook): BookEntry | undefined {
  return book.entries.find(({ state }) => state.role === 'initiator' && state.status === 'initializing')
}

/**
 * The session that sends: the newest in which the peer was heard, or the newest of our own where none was. Where both
 * sides had begun at once and both sessions are alive, the lower id, which is the same on both sides.
 */
export function sendingSession(book: SessionBook): SessionState | undefined {
  const open = book.entries.filter(({ state }) => state.keys !== undefined)
  const heard = open.filter(({ state }) => state.received > 0)
  const newest = heard[0]
  if (newest === undefined) return open[0]?.state
  const rival = newest.rival && heard.find(({ state }) => equal(state.id, newest.rival ?? state.id))
  return rival !== undefined && lower(rival.state.id, newest.state.id) ? rival.state : newest.state
}

function lower(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) < 0
}

/** Whether a message to this device has to begin a session first. */
export function needsSession(book: SessionBook): boolean {
  return sendingSession(book) === undefined
}

export interface BookEncrypted extends BookChanged {
  readonly envelope: Uint8Array
  readonly ref: BookRef
}

/** Seals in the session that sends. Throws {@link IdentityChangedError} while any is suspended. */
export function bookEncrypt(ctx: SessionContext, book: SessionBook, plaintext: Uint8Array): BookEncrypted {
  if (isSuspended(book)) throw new IdentityChangedError('the identity of the peer changed')
  const sending = sendingSession(book)
  if (sending === undefined) throw new UsageError('there is no session with this device: begin one')
  const { state, envelope, ref, consumed } = encryptSession(ctx, sending, plaintext)
  return { book: replace(book, state), envelope, ref: { ...ref, sessionId: state.id }, consumed }
}

/** Where an envelope belongs in a book. */
export interface BookPlace {
  readonly state: SessionState
  readonly place: Place
}

/** The session that an envelope is of, by its tag; `undefined` where it is of none. Costs an HMAC for each chain. */
export function bookFind(ctx: SessionContext, book: SessionBook, envelope: Uint8Array): BookPlace | undefined {
  for (const { state } of book.entries) {
    const place = findPlace(ctx.crypto, state, envelope)
    if (place !== undefined) return { state, place }
  }
  return undefined
}

export interface BookDecrypted extends BookChanged {
  readonly plaintext: Uint8Array
  readonly ref: BookRef
}

/** Opens an envelope in the session that it is of. Throws {@link DecryptError}; the book is untouched then. */
export function bookDecrypt(
  ctx: SessionContext,
  book: SessionBook,
  envelope: Uint8Array,
  found: BookPlace | undefined = bookFind(ctx, book, envelope),
): BookDecrypted {
  if (found === undefined) throw new DecryptError('no-session')
  const { state, plaintext, ref, consumed } = decryptAt(ctx, found.state, envelope, found.place)
  return { book: replace(book, state), plaintext, ref: { ...ref, sessionId: state.id }, consumed }
}

/** The peer's own receipt for a message of ours has come: see {@link acknowledgeChain}. */
export function bookAcknowledge(book: SessionBook, ref: BookRef): SessionBook {
  const entry = book.entries.find(({ state }) => equal(state.id, ref.sessionId))
  return entry === undefined ? book : replace(book, acknowledgeChain(entry.state, ref.chain))
}

/** True while the peer's identity is in question. */
export function isSuspended(book: SessionBook): boolean {
  return book.entries.some(({ state }) => state.status === 'suspended')
}

/** Suspends every session; does nothing where they are already. */
export function bookSuspend(book: SessionBook): SessionBook {
  return mapStates(book, (state) => (state.status === 'suspended' ? state : suspendSession(state)))
}

/** Resumes every suspended session. */
export function bookResume(book: SessionBook): SessionBook {
  return mapStates(book, (state) => (state.status === 'suspended' ? resumeSession(state) : state))
}

/** Ends every session. What is left has no keys and no entries. */
export function bookClose(book: SessionBook): BookChanged {
  const ended = book.entries.map(({ state }) => closeSession(state))
  return { book: { ...book, entries: [] }, consumed: ended.flatMap(({ consumed }) => consumed) }
}

/**
 * Lets go of sessions that nobody answered in time, of archived ones that no letter can be under way for, and of stored
 * keys whose time is over. Nothing else does where nothing arrives: call it now and then.
 */
export function bookExpire(book: SessionBook, now: number): BookChanged {
  const sending = sendingSession(book)
  const over = (state: SessionState): boolean => hasExpired(state, now) || (state !== sending && isOutlived(state, now))
  const kept = keepEntries(book, ({ state }) => !over(state))
  const tidied = kept.book.entries.map((entry) => ({ entry, ...tidySession(entry.state, now) }))
  const consumed = tidied.flatMap((each) => each.consumed)
  if (consumed.length === 0) return kept
  const entries = tidied.map(({ entry, state }) => ({ ...entry, state }))
  return { book: { ...kept.book, entries }, consumed: [...kept.consumed, ...consumed] }
}

function trim(book: SessionBook): BookChanged {
  const sending = sendingSession(book)
  const archived = book.entries.filter(({ state }) => state !== sending)
  const surplus = new Set(archived.slice(ARCHIVED_SESSIONS_MAX))
  return keepEntries(book, (entry) => !surplus.has(entry))
}

function keepEntries(book: SessionBook, keep: (entry: BookEntry) => boolean): BookChanged {
  const gone = book.entries.filter((entry) => !keep(entry))
  const entries = gone.length === 0 ? book.entries : book.entries.filter(keep)
  return { book: { ...book, entries }, consumed: gone.flatMap(({ state }) => secretsOf(state)) }
}

function replace(book: SessionBook, next: SessionState): SessionBook {
  return mapStates(book, (state) => (equal(state.id, next.id) ? next : state))
}

function mapStates(book: SessionBook, change: (state: SessionState) => SessionState): SessionBook {
  return { ...book, entries: book.entries.map((entry) => ({ ...entry, state: change(entry.state) })) }
}
