/**
 * The inbox: from an envelope to a committed message, exactly once (architecture: "a message in"). Session state, message,
 * seen id and event are one batch; only after it is on disk does anyone hear of it: the acknowledgement on the direct
 * stream, the tombstone at the holders. Before the batch a crash loses nothing, after it nothing repeats.
 */
import type { CryptoProvider } from '../../crypto/provider.ts'
import { concat, equal } from '../../lib/bytes.ts'
import type { Clock } from '../../lib/clock.ts'
import { DecryptError } from '../../lib/errors.ts'
import type { DecryptReason, UnlistedDevice } from '../../lib/errors.ts'
import { DAY_MS } from '../../lib/time.ts'
import { tryDecode } from '../../wire/codec.ts'
import { CONTENT_KIND, contentBody, contentCodec } from '../../wire/content.ts'
import type { Content, ContentBody } from '../../wire/content.ts'
import type { StoreOp } from '../../store/database.ts'
import { CONTACT_STATE } from '../../store/records.ts'
import type { Contact } from '../../store/records.ts'
import type { Parts } from '../../store/parts.ts'
import type { Change, Journal } from '../events/journal.ts'
import type { Handled, Handler, InboxSessions, Incoming, Opened } from './ports.ts'

/** How an envelope reached us. */
export type Source = { readonly kind: 'direct' } | { readonly kind: 'letter' }

/**
 * What became of an envelope. `preimage` acknowledges it, or deletes its letter, to whoever sent it; there is none where the
 * content could not be read.
 */
export type Accepted =
  | {
      readonly kind: 'committed'
      readonly envelopeId: Uint8Array
      /** Whose envelope it was. */
      readonly accountId: Uint8Array
      readonly preimage: Uint8Array | undefined
      readonly silent: boolean
    }
  | {
      readonly kind: 'refused'
      readonly reason: DecryptReason
      /** See {@link DecryptError}. */
      readonly unlisted?: UnlistedDevice
    }

export interface SeenStore {
  /** The note kept with an envelope that was committed. */
  get(id: Uint8Array): Promise<Uint8Array | undefined>
  put(id: Uint8Array, expiresAt: number, note: Uint8Array): readonly StoreOp[]
}

/** Tells senders what arrived. */
export interface ReceiptsDue {
  deliveredOps(contact: Uint8Array, messageId: Uint8Array): readonly StoreOp[]
  wake(): void
}

export interface InboxComponents {
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly journal: Journal
  readonly sessions: InboxSessions
  readonly contacts: { get(accountId: Uint8Array): Promise<Contact | undefined> }
  readonly seen: SeenStore
  readonly parts: Pick<Parts, 'add'>
  readonly receipts: ReceiptsDue
  readonly handlers: Readonly<Record<number, Handler>>
  /** The device began a new session because it lost the last one. */
  readonly onReplaced: (accountId: Uint8Array, deviceId: Uint8Array) => Promise<readonly StoreOp[]>
}

/** An envelope id is remembered for as long as its letter can come back: 30 days, and a day for clocks. */
const SEEN_MS = 31 * DAY_MS
const NO_ID = new Uint8Array(16)
/** What handling a content came to; `complete` unless it is unreadable, or a part of something larger that waits. */
interface Taken extends Handled {
  readonly complete: boolean
}

const NOTHING: Taken = { ops: [], facts: [], complete: false }
const whole = (handled: Handled): Taken => ({ ...handled, complete: true })

/** Counters of what was refused, by cause. */
export type RefusedCounts = Readonly<Record<DecryptReason, number>>

export class Inbox {
  readonly #c: InboxComponents
  readonly #refused: Record<DecryptReason, number> = {
    authentication: 0,
    duplicate: 0,
    gap: 0,
    'no-session': 0,
    stale: 0,
    state: 0,
  }

  constructor(components: InboxComponents) {
    this.#c = components
  }

  get refused(): RefusedCounts {
    return { ...this.#refused }
  }

  /** Takes an envelope in. Throws only what the disk throws: then nothing happened and it may be offered again. */
  async accept(envelope: Uint8Array, source: Source): Promise<Accepted> {
    const envelopeId = this.#c.crypto.sha256(envelope)
    try {
      return await this.#c.journal.commit(async () => this.#change(envelope, envelopeId, source))
    } catch (error) {
      if (!(error instanceof DecryptError)) throw error
      this.#refused[error.reason]++
      const { reason, unlisted } = error
      return { kind: 'refused', reason, ...(unlisted === undefined ? {} : { unlisted }) }
    }
  }

  async #change(envelope: Uint8Array, envelopeId: Uint8Array, source: Source): Promise<Change<Accepted>> {
    const note = await this.#c.seen.get(envelopeId)
    if (note !== undefined) return this.#again(envelopeId, note, source)
    return this.#take(await this.#c.sessions.open(envelope), envelopeId, source)
  }

  async #take(opened: Opened, envelopeId: Uint8Array, source: Source): Promise<Change<Accepted>> {
    const contact = await this.#c.contacts.get(opened.accountId)
    const content = tryDecode(contentCodec, opened.content)
    // A stranger may only ask, and only by a letter, which costs a stamp: an answer on a direct stream would tell whoever
    // tries it at every peer which one this account is. Anything else is left unread: it may be a contact under a new account.
    const asks = content?.kind === CONTENT_KIND.contactRequest && source.kind === 'letter'
    if (contact === undefined && !asks) throw new DecryptError('state')
    const silent = contact?.state === CONTACT_STATE.blocked
    const handled = content === undefined || silent ? NOTHING : await this.#handle(opened, contact, content)
    // A request that is not kept leaves nothing behind: no session, no spent prekey.
    if (contact === undefined && handled.ops.length === 0) throw new DecryptError('state')
    const replaced = opened.replaced && !silent ? await this.#c.onReplaced(opened.accountId, opened.deviceId) : []
    const due =
      content !== undefined && !silent && handled.complete ? this.#receipt(contact, content, source) : undefined
    const preimage = content?.preimage ?? NO_ID
    const seen = this.#c.seen.put(
      envelopeId,
      this.#c.clock.now() + SEEN_MS,
      concat(preimage, due?.messageId ?? NO_ID, due?.contact ?? opened.accountId),
    )
    return {
      ops: [...opened.ops, ...handled.ops, ...replaced, ...(due?.ops ?? []), ...seen],
      facts: handled.facts,
      result: {
        kind: 'committed',
        envelopeId,
        accountId: opened.accountId,
        preimage: content?.preimage,
        silent: silent || content === undefined,
      },
      done: () => {
        handled.done?.()
        if (due !== undefined) this.#c.receipts.wake()
      },
    }
  }

  /** Committed before: acknowledge again, and tell the sender again where it learnt nothing from its letter. */
  #again(envelopeId: Uint8Array, note: Uint8Array, source: Source): Change<Accepted> {
    const known = note.subarray(0, 16)
    const preimage = equal(known, NO_ID) ? undefined : known
    const messageId = note.subarray(16, 32)
    const contact = note.subarray(32, 64)
    const tell = source.kind === 'letter' && !equal(messageId, NO_ID)
    return {
      ops: tell ? this.#c.receipts.deliveredOps(contact, messageId) : [],
      facts: [],
      result: { kind: 'committed', envelopeId, accountId: contact, preimage, silent: false },
      done: () => {
        if (tell) this.#c.receipts.wake()
      },
    }
  }

  /** Only what came by letter from a contact needs a receipt: on the direct stream the acknowledgement is one. */
  #receipt(
    contact: Contact | undefined,
    content: Content,
    source: Source,
  ): { messageId: Uint8Array; contact: Uint8Array; ops: readonly StoreOp[] } | undefined {
    const open = contact?.state === CONTACT_STATE.accepted || contact?.state === CONTACT_STATE.requested
    if (contact === undefined || !open || content.kind === CONTENT_KIND.receipt) return undefined
    const ops = source.kind === 'letter' ? this.#c.receipts.deliveredOps(contact.accountId, content.id) : []
    return { messageId: content.id, contact: contact.accountId, ops }
  }

  async #handle(opened: Opened, contact: Contact | undefined, content: Content): Promise<Taken> {
    const body = contentBody(content.kind, content.body)
    // What is true for a moment has no business in anything that is kept or acknowledged (PR-04).
    if (body === undefined || body.kind === CONTENT_KIND.live) return NOTHING
    if (body.kind !== CONTENT_KIND.part) return whole(await this.#dispatch(opened, contact, content, body))
    if (contact?.state !== CONTACT_STATE.accepted && contact?.state !== CONTACT_STATE.requested) return NOTHING
    const part = await this.#c.parts.add(opened.accountId, body.body, this.#c.clock.now())
    if (part.state === 'refused') return NOTHING
    if (part.state === 'kept') return { ...NOTHING, ops: part.ops }
    const joined = contentBody(part.kind, part.body)
    if (joined === undefined || joined.kind === CONTENT_KIND.part) return { ...NOTHING, ops: part.ops }
    const inner = { ...content, id: body.body.whole, kind: part.kind }
    const handled = await this.#dispatch(opened, contact, inner, joined)
    return whole({ ...handled, ops: [...part.ops, ...handled.ops] })
  }

  async #dispatch(
    opened: Opened,
    contact: Contact | undefined,
    content: Incoming['content'],
    body: ContentBody,
  ): Promise<Handled> {
    const handler = this.#c.handlers[content.kind] ?? this.#c.handlers[0]
    if (handler === undefined) return NOTHING
    const { accountId, deviceId, prekeys } = opened
    return handler({ contact, accountId, deviceId, prekeys, content, body })
  }
}
