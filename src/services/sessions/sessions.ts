/**
 * The sessions of this device: one book for each device of a contact, in memory while unlocked and sealed on disk. Every
 * method that changes a book runs inside a journal change and returns the ops that make it true; the book in memory is
 * then ahead of the disk by exactly that change. The journal says what becomes of it: kept, undone, or read anew. Secrets
 * that a change used up are wiped once it is kept, since an undone one needs them again.
 */
import type { CryptoProvider } from '../../crypto/provider.ts'
import { equal, toHex, wipe } from '../../lib/bytes.ts'
import type { Clock } from '../../lib/clock.ts'
import { DecryptError, IdentityChangedError, NotFoundError } from '../../lib/errors.ts'
import type { Rng } from '../../lib/rng.ts'
import { DAY_MS, HOUR_MS } from '../../lib/time.ts'
import { encode, tryDecode } from '../../wire/codec.ts'
import { DEVICES_MAX } from '../../wire/card.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'
import { sessionBookCodec } from '../../wire/session-state.ts'
import type { BookEntry, Party, SessionBook, SessionState } from '../../wire/session-state.ts'
import { verifyPrekeyCard } from '../../protocol/card-rules.ts'
import { initialPrekeyIds } from '../../protocol/pqxdh.ts'
import type { LocalDevice, SessionContext } from '../../protocol/pqxdh.ts'
import { accept, describeSession, initiate } from '../../protocol/session.ts'
import type { SessionSummary } from '../../protocol/session.ts'
import {
  bookAcknowledge,
  bookAdd,
  bookClose,
  bookDecrypt,
  bookEncrypt,
  bookExpire,
  bookFind,
  bookResume,
  bookSuspend,
  isSuspended,
  needsSession,
  newBook,
  sendingSession,
} from '../../protocol/session-book.ts'
import type { BookEncrypted } from '../../protocol/session-book.ts'
import type { SessionLimits } from '../../protocol/session-limits.ts'
import { PREKEY_RETENTION_MS, PREKEY_ROTATION_MS } from '../../protocol/prekey-rules.ts'
import type { StoreOp } from '../../store/database.ts'
import type { Prekeys } from '../../store/prekeys.ts'
import type { Sessions as SessionRecords } from '../../store/sessions.ts'
import type { Follower } from '../events/journal.ts'
import type { Bundles } from './bundles.ts'
import { prekeySecrets, usedOps } from './own-prekeys.ts'

/** A replayed set-up message is known for as long as the prekeys that it used can be, and two days for clocks. */
const SEEN_INITIAL_MS = PREKEY_ROTATION_MS + PREKEY_RETENTION_MS + 2 * DAY_MS
/** A first message may have waited in a mailbox for 30 days: its sender's card was in force when it was written. */
const LATE_CARD_S = 30 * 86_400

export interface SessionsComponents {
  readonly crypto: CryptoProvider
  readonly rng: Rng
  readonly clock: Clock
  readonly store: { readonly sessions: SessionRecords; readonly prekeys: Prekeys }
  /** Oneself as of now: the newest own card, and the seed behind its KEM prekey. */
  readonly local: () => LocalDevice
  /**
   * Whether a device is heard: its account's pinned list has it (with the very keys of `card`, where it brings one), and the
   * identity is not in question.
   */
  readonly allows: (accountId: Uint8Array, deviceId: Uint8Array, card?: PrekeyCard) => Promise<boolean>
  /** Prekeys that were fetched for sessions to come. Without it each begins with the card that is known. */
  readonly bundles?: Pick<Bundles, 'prepare' | 'use'>
  /** A first message was opened: a prekey of ours was used. */
  readonly onUse?: () => void
  /** A first message names a one-time prekey that another one has used up. */
  readonly onReuse?: (oneTimeId: number) => void
  readonly limits?: SessionLimits
}

/** A device as one encrypts for it. */
export interface Recipient {
  readonly deviceId: Uint8Array
  readonly prekeys: PrekeyCard | undefined
}

export interface SealedContent {
  readonly ops: readonly StoreOp[]
  readonly sealed: {
    readonly envelope: Uint8Array
    readonly envelopeId: Uint8Array
    readonly sessionId: Uint8Array
    readonly chain: number
    readonly initial: boolean
  }
}

export interface OpenedContent {
  readonly accountId: Uint8Array
  readonly deviceId: Uint8Array
  readonly content: Uint8Array
  readonly ops: readonly StoreOp[]
  readonly prekeys: PrekeyCard | undefined
  readonly replaced: boolean
}

/** For this long a session that we began is not begun again: its answer may be under way. */
const ANSWER_MS = HOUR_MS

/**
 * Whether our session waits for its answer. Not where the device has acknowledged it and still writes in another one: it
 * will never answer in this one, whatever it writes.
 */
const isAwaited = ({ role, status, initial, createdAt }: SessionState, now: number): boolean =>
  role === 'initiator' && status === 'initializing' && initial.prefix !== undefined && now - createdAt < ANSWER_MS

const bookKey = (accountId: Uint8Array, deviceId: Uint8Array): string => `${toHex(accountId)}/${toHex(deviceId)}`

export class Sessions implements Follower {
  readonly #c: SessionsComponents
  #books = new Map<string, SessionBook>()
  /** Books as they were before the change at hand. */
  readonly #before = new Map<string, SessionBook | undefined>()
  readonly #spent: Uint8Array[] = []
  /** Ids (hex) of sessions that were begun to mend a pair: they send although the other side was not heard in them yet. */
  readonly #mending = new Set<string>()

  constructor(components: SessionsComponents) {
    this.#c = components
  }

  /** Reads every book from the disk; what memory had is dropped. */
  async reload(): Promise<void> {
    const books = new Map<string, SessionBook>()
    for await (const stored of this.#c.store.sessions.list()) {
      // A book that is damaged is none: the pair begins anew (E2-41).
      const book = tryDecode(sessionBookCodec, stored.book)
      if (book !== undefined) books.set(bookKey(stored.contact, stored.deviceId), book)
    }
    this.#before.clear()
    this.#spent.length = 0
    this.#books = books
  }

  keep(): void {
    wipe(...this.#spent.splice(0))
    this.#before.clear()
  }

  undo(): void {
    for (const [key, book] of this.#before) {
      if (book === undefined) this.#books.delete(key)
      else this.#books.set(key, book)
    }
    this.#before.clear()
    this.#spent.length = 0
  }

  /** Forgets everything that is in memory. */
  clear(): void {
    for (const book of this.#books.values()) wipe(...bookClose(book).consumed)
    this.#books = new Map()
  }

  /**
   * Fetches a one-time prekey for the session that a message to this device begins with; `undefined` where it begins with none
   * (there is a session, or a bundle). Resolves in 1.5 s at most, outside of any change, and never rejects.
   */
  prepare(
    contact: { readonly accountId: Uint8Array },
    device: Recipient,
    options: { readonly again?: boolean } = {},
  ): Promise<void> | undefined {
    if (device.prekeys === undefined) return undefined
    const { book } = bookExpire(this.#book(contact.accountId, device.deviceId), this.#c.clock.now())
    if (options.again !== true && !needsSession(this.#own(book))) return undefined
    return this.#c.bundles?.prepare(contact.accountId, device.deviceId)
  }

  /**
   * Devices that have not shown themselves for a day in the session that we began with a one-time prekey: a holder may have given
   * that to somebody else as well, and then they cannot read it (PK-06). {@link restart} with the last resort settles it.
   */
  hanging(): readonly Party[] {
    const since = this.#c.clock.now() - DAY_MS
    return [...this.#books.values()]
      .filter((book) => {
        const state = sendingSession(this.#own(book))
        return state !== undefined && state.oneTime && state.initial.prefix !== undefined && state.createdAt <= since
      })
      .map(({ peer }) => peer)
  }

  /** See `OutboxSessions.seal`. */
  async seal(
    contact: { readonly accountId: Uint8Array },
    device: Recipient,
    content: Uint8Array,
  ): Promise<SealedContent> {
    const ctx = this.#context()
    const expired = bookExpire(this.#book(contact.accountId, device.deviceId), ctx.now)
    const begun = needsSession(this.#own(expired.book)) ? this.#begin(ctx, expired.book, device) : expired.book
    const { book, envelope, ref, consumed } = this.#encrypt(ctx, begun, content)
    const ops = this.#move(book, ...expired.consumed, ...consumed)
    return {
      ops,
      sealed: {
        envelope,
        envelopeId: this.#c.crypto.sha256(envelope),
        sessionId: ref.sessionId,
        chain: ref.chain,
        initial: begun !== expired.book,
      },
    }
  }

  /**
   * Begins anew with a device whose envelopes cannot be read, or that cannot read ours (E2-40). What there was goes on
   * receiving: should the reason have been garbage that somebody made up, nothing is lost by it.
   * `undefined` where a session that we began is still unanswered. `lastResort`: without a one-time prekey.
   */
  restart(
    contact: { readonly accountId: Uint8Array },
    device: Recipient,
    options: { readonly lastResort?: boolean } = {},
  ): readonly StoreOp[] | undefined {
    const ctx = this.#context()
    const newest = this.#book(contact.accountId, device.deviceId).entries[0]?.state
    if (newest !== undefined && isAwaited(newest, ctx.now)) return undefined
    const before = this.#book(contact.accountId, device.deviceId)
    const book = this.#begin(ctx, before, device, options.lastResort)
    for (const { state } of book.entries.slice(0, 1)) this.#mending.add(toHex(state.id))
    return this.#move(book)
  }

  /** See `InboxSessions.open`. */
  async open(envelope: Uint8Array): Promise<OpenedContent> {
    const ctx = this.#context()
    for (const book of this.#books.values()) {
      const opened = await this.#openIn(ctx, book, envelope)
      if (opened !== undefined) return opened
    }
    return this.#openInitial(ctx, envelope)
  }

  /** The same in the sessions with one device, which begin none; `undefined` where it is of none of them. */
  async openLive(peer: Party, envelope: Uint8Array): Promise<OpenedContent | undefined> {
    const book = this.#books.get(bookKey(peer.accountId, peer.deviceId))
    return book === undefined ? undefined : this.#openIn(this.#context(), book, envelope)
  }

  /** Encrypts what is written once, if at all: only in a session that the device has read, otherwise `undefined`. */
  async sealLive(
    contact: { readonly accountId: Uint8Array },
    device: Recipient,
    content: Uint8Array,
  ): Promise<SealedContent | undefined> {
    const { book } = bookExpire(this.#book(contact.accountId, device.deviceId), this.#c.clock.now())
    const state = isSuspended(book) ? undefined : sendingSession(this.#own(book))
    if (state === undefined || state.initial.prefix !== undefined) return undefined
    return this.seal(contact, device, content)
  }

  /** See `OutboxSessions.acknowledge`. */
  async acknowledge(
    contact: Uint8Array,
    deviceId: Uint8Array,
    sealed: { readonly sessionId: Uint8Array; readonly chain: number },
  ): Promise<readonly StoreOp[]> {
    const before = this.#books.get(bookKey(contact, deviceId))
    if (before === undefined) return []
    const after = bookAcknowledge(before, { sessionId: sealed.sessionId, chain: sealed.chain, n: 0 })
    return after.entries.every(({ state }, i) => state === before.entries[i]?.state) ? [] : this.#move(after)
  }

  /** Suspends or resumes every session with an account, as its identity is in question or no longer. */
  async setSuspended(contact: Uint8Array, suspended: boolean): Promise<readonly StoreOp[]> {
    return [...this.#books.values()]
      .filter((book) => equal(book.peer.accountId, contact))
      .flatMap((book) => this.#move(suspended ? bookSuspend(book) : bookResume(book)))
  }

  /** Ends every session with an account, or with these devices of it: no key of them stays. */
  async close(contact: Uint8Array, devices?: readonly Uint8Array[]): Promise<readonly StoreOp[]> {
    const books = [...this.#books.values()].filter(
      ({ peer }) => equal(peer.accountId, contact) && (devices?.some((id) => equal(id, peer.deviceId)) ?? true),
    )
    return books.flatMap((book) => {
      this.#move({ ...book, entries: [] }, ...bookClose(book).consumed)
      this.#books.delete(bookKey(book.peer.accountId, book.peer.deviceId))
      return this.#c.store.sessions.delete(book.peer.accountId, book.peer.deviceId)
    })
  }

  /** Lets go of what is over in every book: sessions nobody answered, late keys of thirty days. */
  tidy(): readonly StoreOp[] {
    const { now } = this.#context()
    return [...this.#books.values()].flatMap((book) => {
      const expired = bookExpire(book, now)
      return expired.consumed.length === 0 ? [] : this.#move(expired.book, ...expired.consumed)
    })
  }

  /** Counters of each session with an account; never keys. */
  describe(contact: Uint8Array): readonly SessionSummary[] {
    return [...this.#books.values()]
      .filter((book) => equal(book.peer.accountId, contact))
      .flatMap((book) => book.entries.map(({ state }) => describeSession(state)))
  }

  async #openIn(ctx: SessionContext, book: SessionBook, envelope: Uint8Array): Promise<OpenedContent | undefined> {
    const place = bookFind(ctx, book, envelope)
    if (place === undefined) return undefined
    const { accountId, deviceId } = book.peer
    if (!(await this.#c.allows(accountId, deviceId))) throw new DecryptError('state')
    const opened = bookDecrypt(ctx, book, envelope, place)
    const ops = this.#move(opened.book, ...opened.consumed)
    return { ...book.peer, content: opened.plaintext, ops, prekeys: undefined, replaced: false }
  }

  async #openInitial(ctx: SessionContext, envelope: Uint8Array): Promise<OpenedContent> {
    const local = this.#c.local()
    const ids = initialPrekeyIds(this.#c.crypto, local, envelope)
    if (ids === undefined) throw new DecryptError('no-session')
    const { secrets, oneTime } = await prekeySecrets(this.#c, ids, envelope)
    const accepted = accept(ctx, local, secrets, envelope, (card) => this.#verify(card, LATE_CARD_S))
    if (await this.#c.store.sessions.seenInitials.has(accepted.replayId)) throw new DecryptError('duplicate')
    const peer = accepted.state.peer
    if (!(await this.#c.allows(peer.accountId, peer.deviceId, accepted.peer))) {
      // Its account key signed for the device: it may be on a newer list than the one that we know.
      const { accountId, deviceId } = peer
      throw new DecryptError('state', { unlisted: { accountId, deviceId } })
    }
    if (!this.#hasRoom(peer.accountId, peer.deviceId)) throw new DecryptError('state')
    const before = this.#book(peer.accountId, peer.deviceId)
    const { book, consumed } = bookAdd(before, accepted.state)
    const ops = [
      ...this.#move(book, ...accepted.consumed, ...consumed),
      ...this.#c.store.sessions.seenInitials.put(accepted.replayId, ctx.now + SEEN_INITIAL_MS),
      // Only now, with the batch that commits what it decrypted, is the one-time pair spent (E2-05).
      ...(await usedOps(this.#c.store.prekeys, ids.kemPrekeyId, oneTime, ctx.now)),
    ]
    this.#c.onUse?.()
    const replaced = before.entries.some(({ state }) => state.received > 0)
    return { ...peer, content: accepted.plaintext, ops, prekeys: accepted.peer, replaced }
  }

  #begin(ctx: SessionContext, book: SessionBook, device: Recipient, lastResort = false): SessionBook {
    if (device.prekeys === undefined) throw new NotFoundError('the device has no prekeys yet')
    const taken = lastResort ? undefined : this.#c.bundles?.use(device.prekeys)
    const bundle = { card: taken?.card ?? device.prekeys, oneTime: taken?.oneTime?.prekey }
    const { state } = initiate(ctx, this.#c.local(), bundle, ({ card }) => this.#verify(card))
    const added = bookAdd(book, state)
    this.#spent.push(...added.consumed)
    return added.book
  }

  /** Seals in the session that sends; while a mended one waits for its answer, in that. */
  #encrypt(ctx: SessionContext, book: SessionBook, content: Uint8Array): BookEncrypted {
    if (isSuspended(book)) throw new IdentityChangedError('the identity of the peer changed')
    const [newest] = book.entries
    const mends = newest !== undefined && newest.state.received === 0 && this.#mending.has(toHex(newest.state.id))
    const sealed = bookEncrypt(ctx, mends ? { ...book, entries: [newest] } : this.#own(book), content)
    const after = (entry: BookEntry): BookEntry =>
      sealed.book.entries.find(({ state }) => equal(state.id, entry.state.id)) ?? entry
    return { ...sealed, book: { ...book, entries: book.entries.map(after) } }
  }

  /** Without the sessions of an account that this device had before: they only receive, for a session binds both accounts. */
  #own(book: SessionBook): SessionBook {
    const { accountId } = this.#c.local().prekeyCard.body.certificate.body
    return { ...book, entries: book.entries.filter(({ state }) => equal(state.local.accountId, accountId)) }
  }

  #verify(card: PrekeyCard, lateSeconds = 0): boolean {
    return verifyPrekeyCard(this.#c.crypto, card, Math.floor(this.#c.clock.now() / 1_000), lateSeconds)
  }

  /** An account has no more devices than its card can list; one that makes up more gets no state here. */
  #hasRoom(accountId: Uint8Array, deviceId: Uint8Array): boolean {
    if (this.#books.has(bookKey(accountId, deviceId))) return true
    return [...this.#books.values()].filter(({ peer }) => equal(peer.accountId, accountId)).length < DEVICES_MAX
  }

  #book(accountId: Uint8Array, deviceId: Uint8Array): SessionBook {
    return this.#books.get(bookKey(accountId, deviceId)) ?? newBook({ accountId, deviceId })
  }

  /** The book as it is from this change on, and the secrets that it does without. */
  #move(book: SessionBook, ...consumed: readonly Uint8Array[]): readonly StoreOp[] {
    const key = bookKey(book.peer.accountId, book.peer.deviceId)
    if (!this.#before.has(key)) this.#before.set(key, this.#books.get(key))
    this.#spent.push(...consumed)
    this.#books.set(key, book)
    return this.#c.store.sessions.put(book.peer.accountId, book.peer.deviceId, encode(sessionBookCodec, book))
  }

  #context(): SessionContext {
    const { crypto, rng, clock, limits } = this.#c
    return { crypto, rng, now: clock.now(), ...(limits === undefined ? {} : { limits }) }
  }
}
