/**
 * Where envelopes come in: frames of direct streams and letters of the own mailboxes. Each is offered to the inbox, and
 * what it says decides what its sender, or its holders, are told. Nothing is said before it is on disk.
 */
import { toHex } from '../../lib/bytes.ts'
import { sleep, withDeadline } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import { nameOf } from '../../lib/errors.ts'
import type { DecryptReason, UnlistedDevice } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { RateLimiter } from '../../lib/rate-limiter.ts'
import { DAY_MS, HOUR_MS } from '../../lib/time.ts'
import { DIRECT_FRAME } from '../../wire/direct.ts'
import type { DirectAck, DirectFrame } from '../../wire/direct.ts'
import type { Letter } from '../../wire/letter.ts'
import { CONTACT_STATE } from '../../store/records.ts'
import type { Contact } from '../../store/records.ts'
import type { DirectNetwork } from '../ports.ts'
import type { Accepted, Inbox } from './inbox.ts'

/** Envelopes of one peer on direct streams: a burst of a large message, and what two people never reach after it. */
const DIRECT_RATE = { perSecond: 2_000, burst: 4_000 }
/** What fails to decrypt costs a key agreement each: strangers get few of them. */
const FAILED_RATE = { perSecond: 0.2, burst: 20 }
/** The same for all peers together that no contact named as its own. */
const STRANGERS_RATE = { perSecond: 2, burst: 100 }
const STRANGERS = 'strangers'
/** A contact whose envelopes we cannot read is sent a fresh session this often at most (E2-40). */
export const MEND_MS = 10 * 60_000
/** Frames of direct streams whose changes wait for the disk. */
const FRAMES_UNDER_WAY_MAX = 64
const ACK_BUDGET_MS = 5_000
/** A letter of a contact's device that its list does not have stays in its box for this long. */
const UNLISTED_KEPT_MS = HOUR_MS

export interface IntakeComponents {
  readonly inbox: Inbox
  readonly direct: DirectNetwork
  readonly onAcks: (acks: readonly DirectAck[]) => Promise<void>
  /** What is true now, of peers that said anything. */
  readonly live: {
    heard(peerId: string): void
    onBeat(peerId: string): void
    onEnvelope(peerId: string, envelope: Uint8Array): Promise<void>
  }
  readonly contacts: {
    all(): Promise<readonly Contact[]>
    get(accountId: Uint8Array): Promise<Contact | undefined>
  }
  /** Which contact's lane a letter came on, by the lane id of its epoch; undefined for strangers. */
  readonly contactOfLane: (letter: Letter) => Promise<Contact | undefined>
  /** Mends what is wrong with a contact whose envelopes we cannot take in: a session that is lost, an account that moved on. */
  readonly mend: (contact: Contact, reason: DecryptReason) => Promise<void>
  readonly clock: Clock
  readonly log: Logger
}

/** What to do with a letter: delete it everywhere, look again later, or never look again. */
export type LetterVerdict =
  | { readonly kind: 'commit'; readonly preimage: Uint8Array }
  | { readonly kind: 'keep' }
  | { readonly kind: 'junk' }

export class Intake {
  readonly #c: IntakeComponents
  readonly #rate: RateLimiter
  readonly #failures: RateLimiter
  readonly #strangers: RateLimiter
  readonly #underWay = new Set<Promise<void>>()
  readonly #mended: ExpiringMap<string, true>
  /** When a device (hex of account and device) that its account's list does not have was first met, ms. */
  readonly #unlisted: ExpiringMap<string, number>
  /** Devices for which the newest list was asked for lately: a lost one must not keep the one that took its place from being looked for. */
  readonly #asked: ExpiringMap<string, true>

  constructor(components: IntakeComponents) {
    this.#c = components
    this.#rate = new RateLimiter(DIRECT_RATE, components.clock)
    this.#failures = new RateLimiter(FAILED_RATE, components.clock)
    this.#strangers = new RateLimiter(STRANGERS_RATE, components.clock, 1)
    this.#mended = new ExpiringMap(components.clock, MEND_MS, 4_096)
    this.#unlisted = new ExpiringMap(components.clock, DAY_MS, 4_096)
    this.#asked = new ExpiringMap(components.clock, MEND_MS, 4_096)
  }

  /** A frame on a direct stream, of whomever. */
  async onFrame(peerId: string, frame: DirectFrame): Promise<void> {
    if (!this.#rate.take(peerId)) {
      // Not dropped: who writes faster than that waits.
      await sleep(this.#c.clock, this.#rate.retryAfterMs(peerId))
      this.#rate.take(peerId)
    }
    this.#c.live.heard(peerId)
    const begun = await this.#onFrame(peerId, frame)
    // Changes are made in the order in which they are begun; the next frame is looked at while the disk syncs this one.
    if (begun !== undefined && this.#underWay.size >= FRAMES_UNDER_WAY_MAX) await begun.done
  }

  async #onFrame(peerId: string, frame: DirectFrame): Promise<{ readonly done: Promise<void> } | undefined> {
    switch (frame.kind) {
      case DIRECT_FRAME.envelope:
        return this.#onEnvelope(peerId, frame.body.envelope)
      case DIRECT_FRAME.acks:
        return this.#begin(this.#c.onAcks(frame.body.acks))
      case DIRECT_FRAME.live:
        return this.#begin(this.#c.live.onEnvelope(peerId, frame.body.envelope))
      case DIRECT_FRAME.beat:
        this.#c.live.onBeat(peerId)
        return undefined
    }
  }

  #begin(work: Promise<void>): { readonly done: Promise<void> } {
    const done = work
      .catch((error: unknown) => {
        this.#c.log.warn('a frame could not be taken in', { error: nameOf(error) })
      })
      .finally(() => {
        this.#underWay.delete(done)
      })
    this.#underWay.add(done)
    return { done }
  }

  /** A letter out of one of our mailboxes. */
  async onLetter(letter: Letter): Promise<LetterVerdict> {
    const accepted = await this.#c.inbox.accept(letter.ciphertext, { kind: 'letter' })
    if (accepted.kind === 'committed') return verdictOf(accepted)
    const contact = await this.#c.contactOfLane(letter)
    if (contact === undefined && accepted.unlisted !== undefined) return this.#onUnlisted(letter, accepted.unlisted)
    if (contact === undefined || accepted.reason === 'duplicate') return { kind: 'junk' }
    await this.#mend(contact, accepted.reason)
    return { kind: 'keep' }
  }

  /**
   * From a device that a contact's account vouches for, and that its list as we know it does not have: the list may have gone on
   * (a contact that lost its device and came back by its words). After an hour it is as any stranger's.
   */
  async #onUnlisted(letter: Letter, { accountId, deviceId }: UnlistedDevice): Promise<LetterVerdict> {
    const contact = await this.#c.contacts.get(accountId)
    const isOpen = contact?.state === CONTACT_STATE.accepted || contact?.state === CONTACT_STATE.requested
    if (contact === undefined || !isOpen) return { kind: 'junk' }
    const key = toHex(accountId) + toHex(deviceId)
    if (this.#asked.get(key) === undefined) {
      this.#asked.set(key, true)
      await this.#c.mend(contact, 'state')
    }
    const again = await this.#c.inbox.accept(letter.ciphertext, { kind: 'letter' })
    if (again.kind === 'committed') return verdictOf(again)
    const now = this.#c.clock.now()
    const since = this.#unlisted.get(key) ?? now
    if (since === now) this.#unlisted.set(key, now)
    return { kind: now - since < UNLISTED_KEPT_MS ? 'keep' : 'junk' }
  }

  /** Resolves when the envelope is in line; what becomes of it then goes on. */
  async #onEnvelope(peerId: string, envelope: Uint8Array): Promise<{ readonly done: Promise<void> } | undefined> {
    if (this.#failures.retryAfterMs(peerId) > 0) return undefined
    const known = await this.#contactOfPeer(peerId)
    // Peer ids cost nothing, so all strangers together have one budget for what does not decrypt.
    if (known === undefined && this.#strangers.retryAfterMs(STRANGERS) > 0) return undefined
    const begun = this.#begin(this.#take(peerId, known, envelope))
    // Whoever may be sending garbage is taken one at a time, so that each failure counts before the next try.
    const clean = this.#failures.retryAfterMs(peerId, FAILED_RATE.burst) === 0
    if (known === undefined || !clean) await begun.done
    return begun
  }

  async #take(peerId: string, known: Contact | undefined, envelope: Uint8Array): Promise<void> {
    const accepted = await this.#c.inbox.accept(envelope, { kind: 'direct' })
    if (accepted.kind === 'committed') {
      const { envelopeId: id, accountId, preimage, silent } = accepted
      if (silent || preimage === undefined) return
      // Only to a peer that the sender named as its own: who carries a captured envelope about learns nothing here.
      if (await this.#isPeerOf(accountId, peerId)) this.#acknowledge(peerId, { id, preimage })
      return
    }
    if (known === undefined) this.#strangers.take(STRANGERS)
    this.#failures.take(peerId)
    if (known !== undefined && accepted.reason !== 'duplicate') await this.#mend(known, accepted.reason)
  }

  async #isPeerOf(accountId: Uint8Array, peerId: string): Promise<boolean> {
    const contact = await this.#c.contacts.get(accountId)
    return contact?.devices.some(({ grant }) => grant?.peerId === peerId) ?? false
  }

  #acknowledge(peerId: string, ack: DirectAck): void {
    const frame: DirectFrame = { kind: DIRECT_FRAME.acks, body: { acks: [ack] } }
    withDeadline(this.#c.clock, ACK_BUDGET_MS, async (signal) => {
      await this.#c.direct.send({ id: peerId, addresses: [] }, frame, signal)
    }).catch((error: unknown) => {
      this.#c.log.debug('an acknowledgement was not sent', { error: nameOf(error) })
    })
  }

  async #mend(contact: Contact, reason: DecryptReason): Promise<void> {
    const key = toHex(contact.accountId)
    const isOpen = contact.state === CONTACT_STATE.accepted || contact.state === CONTACT_STATE.requested
    if (!isOpen || this.#mended.get(key) !== undefined) return
    this.#mended.set(key, true)
    await this.#c.mend(contact, reason)
  }

  async #contactOfPeer(peerId: string): Promise<Contact | undefined> {
    const contacts = await this.#c.contacts.all()
    return contacts.find(({ devices }) => devices.some(({ grant }) => grant?.peerId === peerId))
  }
}

/** What was taken in is deleted by its preimage; one that nobody could make sense of has none. */
function verdictOf({ preimage }: Extract<Accepted, { readonly kind: 'committed' }>): LetterVerdict {
  return preimage === undefined ? { kind: 'junk' } : { kind: 'commit', preimage }
}
