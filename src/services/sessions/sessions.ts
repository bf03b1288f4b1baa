/**
 * The sessions of this device: one book for each device of a contact, in memory while unlocked and sealed on disk. Every
 * method that changes a book runs inside a journal change and returns the ops that make it true; the book in memory is
 * then ahead of the disk by exactly that change. When a batch fails, {@link Sessions.reload} goes back to the disk.
 */
import type { CryptoProvider } from '../../crypto/provider.ts'
import { equal, toHex, wipe } from '../../lib/bytes.ts'
import type { Clock } from '../../lib/clock.ts'
import { DecryptError, NotFoundError } from '../../lib/errors.ts'
import type { Rng } from '../../lib/rng.ts'
import { decode, encode } from '../../wire/codec.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'
import { sessionBookCodec } from '../../wire/session-state.ts'
import type { SessionBook } from '../../wire/session-state.ts'
import { verifyPrekeyCard } from '../../protocol/card-rules.ts'
import { initialPrekeyIds } from '../../protocol/pqxdh.ts'
import type { LocalDevice, PrekeySecrets, SessionContext } from '../../protocol/pqxdh.ts'
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
  needsSession,
  newBook,
} from '../../protocol/session-book.ts'
import type { SessionLimits } from '../../protocol/session-limits.ts'
import type { StoreOp } from '../../store/database.ts'
import type { Prekeys } from '../../store/prekeys.ts'
import type { Sessions as SessionRecords } from '../../store/sessions.ts'

/** A replayed set-up message is known for as long as its prekeys live (protocol §2: 30 days and 30 of mail). */
const SEEN_INITIAL_MS = 61 * 24 * 3_600_000

export interface SessionsComponents {
  readonly crypto: CryptoProvider
  readonly rng: Rng
  readonly clock: Clock
  readonly store: { readonly sessions: SessionRecords; readonly prekeys: Prekeys }
  /** Oneself as of now: the newest own card, and the seed behind its KEM prekey. */
  readonly local: () => LocalDevice
  /** Whether a device that begins a session may: it is not one that its account's pinned list leaves out. */
  readonly allows: (accountId: Uint8Array, deviceId: Uint8Array) => Promise<boolean>
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

const bookKey = (accountId: Uint8Array, deviceId: Uint8Array): string => `${toHex(accountId)}/${toHex(deviceId)}`

export class Sessions {
  readonly #c: SessionsComponents
  #books = new Map<string, SessionBook>()

  constructor(components: SessionsComponents) {
    this.#c = components
  }

  /** Reads every book from the disk; what memory had is dropped. */
  async reload(): Promise<void> {
    const books = new Map<string, SessionBook>()
    for await (const stored of this.#c.store.sessions.list()) {
      books.set(bookKey(stored.contact, stored.deviceId), decode(sessionBookCodec, stored.book))
    }
    this.#books = books
  }

  /** Forgets everything that is in memory. */
  clear(): void {
    for (const book of this.#books.values()) wipe(...bookClose(book).consumed)
    this.#books = new Map()
  }

  /** See `OutboxSessions.seal`. */
  async seal(
    contact: { readonly accountId: Uint8Array },
    device: Recipient,
    content: Uint8Array,
  ): Promise<SealedContent> {
    const ctx = this.#context()
    const expired = bookExpire(this.#book(contact.accountId, device.deviceId), ctx.now)
    const begun = needsSession(expired.book) ? this.#begin(ctx, expired.book, device) : expired.book
    const { book, envelope, ref, consumed } = bookEncrypt(ctx, begun, content)
    const ops = this.#keep(book)
    wipe(...expired.consumed, ...consumed)
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

  /** Ends what there is with a device and begins anew; the next seal makes the first message of it (E2-40). */
  restart(contact: { readonly accountId: Uint8Array }, device: Recipient): readonly StoreOp[] {
    const closed = bookClose(this.#book(contact.accountId, device.deviceId))
    const book = this.#begin(this.#context(), closed.book, device)
    const ops = this.#keep(book)
    wipe(...closed.consumed)
    return ops
  }

  /** See `InboxSessions.open`. */
  async open(envelope: Uint8Array): Promise<OpenedContent> {
    const ctx = this.#context()
    for (const book of this.#books.values()) {
      const place = bookFind(ctx, book, envelope)
      if (place === undefined) continue
      const opened = bookDecrypt(ctx, book, envelope, place)
      const ops = this.#keep(opened.book)
      wipe(...opened.consumed)
      return { ...book.peer, content: opened.plaintext, ops, prekeys: undefined, replaced: false }
    }
    return this.#openInitial(ctx, envelope)
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
    return after.entries.every(({ state }, i) => state === before.entries[i]?.state) ? [] : this.#keep(after)
  }

  /** Suspends or resumes every session with an account, as its identity is in question or no longer. */
  async setSuspended(contact: Uint8Array, suspended: boolean): Promise<readonly StoreOp[]> {
    return [...this.#books.values()]
      .filter((book) => equal(book.peer.accountId, contact))
      .flatMap((book) => this.#keep(suspended ? bookSuspend(book) : bookResume(book)))
  }

  /** Ends every session with an account: no key of them stays. */
  async close(contact: Uint8Array): Promise<readonly StoreOp[]> {
    const books = [...this.#books.values()].filter((book) => equal(book.peer.accountId, contact))
    return books.flatMap((book) => {
      wipe(...bookClose(book).consumed)
      this.#books.delete(bookKey(book.peer.accountId, book.peer.deviceId))
      return this.#c.store.sessions.delete(book.peer.accountId, book.peer.deviceId)
    })
  }

  /** Counters of each session with an account; never keys. */
  describe(contact: Uint8Array): readonly SessionSummary[] {
    return [...this.#books.values()]
      .filter((book) => equal(book.peer.accountId, contact))
      .flatMap((book) => book.entries.map(({ state }) => describeSession(state)))
  }

  async #openInitial(ctx: SessionContext, envelope: Uint8Array): Promise<OpenedContent> {
    const local = this.#c.local()
    const ids = initialPrekeyIds(this.#c.crypto, local, envelope)
    if (ids === undefined) throw new DecryptError('no-session')
    const secrets = await this.#secrets(ids.signedPrekeyId, ids.kemPrekeyId, ids.oneTimeId)
    const accepted = accept(ctx, local, secrets, envelope, (card) => this.#verify(card))
    if (await this.#c.store.sessions.seenInitials.has(accepted.replayId)) throw new DecryptError('duplicate')
    const peer = accepted.state.peer
    if (!(await this.#c.allows(peer.accountId, peer.deviceId))) throw new DecryptError('state')
    const before = this.#book(peer.accountId, peer.deviceId)
    const { book, consumed } = bookAdd(before, accepted.state)
    const ops = [
      ...this.#keep(book),
      ...this.#c.store.sessions.seenInitials.put(accepted.replayId, ctx.now + SEEN_INITIAL_MS),
      // Only now, with the batch that commits what it decrypted, is the one-time pair spent (E2-05).
      ...(accepted.oneTimeId === undefined ? [] : this.#c.store.prekeys.oneTime.delete(accepted.oneTimeId)),
    ]
    wipe(...accepted.consumed, ...consumed)
    const replaced = before.entries.some(({ state }) => state.received > 0)
    return { ...peer, content: accepted.plaintext, ops, prekeys: accepted.peer, replaced }
  }

  async #secrets(signedId: number, kemId: number, oneTimeId: number | undefined): Promise<PrekeySecrets> {
    const { prekeys } = this.#c.store
    const signed = await prekeys.signed.get(signedId)
    if (signed === undefined) throw new DecryptError('stale')
    const kem = await prekeys.kem.get(kemId)
    const oneTime = oneTimeId === undefined ? undefined : await prekeys.oneTime.get(oneTimeId)
    if (oneTimeId !== undefined && oneTime === undefined) throw new DecryptError('stale')
    return {
      signedPrekey: signed.secret,
      kemPrekeySeed: kem?.seed,
      oneTime: oneTime && { secret: oneTime.secret, kemSeed: oneTime.kemSeed },
    }
  }

  #begin(ctx: SessionContext, book: SessionBook, device: Recipient): SessionBook {
    if (device.prekeys === undefined) throw new NotFoundError('the device has no prekeys yet')
    const { state } = initiate(ctx, this.#c.local(), { card: device.prekeys }, ({ card }) => this.#verify(card))
    return bookAdd(book, state).book
  }

  #verify(card: PrekeyCard): boolean {
    return verifyPrekeyCard(this.#c.crypto, card, Math.floor(this.#c.clock.now() / 1_000))
  }

  #book(accountId: Uint8Array, deviceId: Uint8Array): SessionBook {
    return this.#books.get(bookKey(accountId, deviceId)) ?? newBook({ accountId, deviceId })
  }

  #keep(book: SessionBook): readonly StoreOp[] {
    this.#books.set(bookKey(book.peer.accountId, book.peer.deviceId), book)
    return this.#c.store.sessions.put(book.peer.accountId, book.peer.deviceId, encode(sessionBookCodec, book))
  }

  #context(): SessionContext {
    const { crypto, rng, clock, limits } = this.#c
    return { crypto, rng, now: clock.now(), ...(limits === undefined ? {} : { limits }) }
  }
}
