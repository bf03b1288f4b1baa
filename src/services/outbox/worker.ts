/** Empties the outbox's lanes: seal, try the direct stream, and what is not acknowledged in time goes to holders. */
import type { CryptoProvider } from '../../crypto/provider.ts'
import { toHex } from '../../lib/bytes.ts'
import { withDeadline } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { backoffMs } from '../../lib/backoff.ts'
import { IdentityChangedError, nameOf, NotFoundError, VerificationError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import { CONTENT_KIND } from '../../wire/content.ts'
import { DIRECT_FRAME } from '../../wire/direct.ts'
import type { DirectFrame } from '../../wire/direct.ts'
import type { Letter, Receipt } from '../../wire/letter.ts'
import { letterId } from '../../protocol/mailbox-rules.ts'
import type { StoreOp } from '../../store/database.ts'
import { CONTACT_STATE, OUTBOX_PATH } from '../../store/records.ts'
import type { Contact, ContactDevice, OutboxItem } from '../../store/records.ts'
import type { DirectNetwork } from '../ports.ts'
import { destination, isGood, letterFor, proofFor, withoutLane } from './letters.ts'
import type { Destination } from './letters.ts'
import {
  DIRECT_BUDGET_MS,
  DIRECT_PAUSE_MS,
  DIRECT_WINDOW,
  PUT_BACKOFF,
  PUT_BUDGET_MS,
  PUTS_AT_ONCE,
  RECHECK_MS,
  SEALED_AHEAD_MAX,
  STAMP_BUDGET_MS,
  UNREADY_MS,
  W,
} from './limits.ts'
import type { Outbox } from './outbox.ts'
import type { OutboxContacts, OutboxMail, OutboxMessages, OutboxSessions, PutOutcome } from './ports.ts'
import type { Entry, Lane } from './queue.ts'
import { Slots } from './slots.ts'
import { traced } from './trace.ts'

export interface WorkerComponents {
  readonly outbox: Outbox
  readonly contacts: OutboxContacts
  readonly sessions: OutboxSessions
  readonly messages: OutboxMessages
  readonly direct: DirectNetwork
  readonly mail: OutboxMail
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  readonly profile: { readonly epochMs: number }
}

interface Target {
  readonly contact: Contact
  readonly device: ContactDevice
}

/** An item, and the envelope (id in hex) that is being sent for it. */
interface Work {
  readonly entry: Entry
  readonly envelopeId: string
}

/** Why an item cannot go now. */
class Unready {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

export class OutboxWorker {
  readonly #c: WorkerComponents
  readonly #puts = new Slots(PUTS_AT_ONCE)

  constructor(components: WorkerComponents) {
    this.#c = components
  }

  /**
   * Takes the lane's due items; returns when none is left. Several are sealed at once, so that one sync of the disk serves
   * them, and each is written after the one before it. Direct waits and puts go on beside it.
   */
  async run(lane: Lane): Promise<void> {
    const ahead = new Set<Promise<void>>()
    let before: Promise<void> = Promise.resolve()
    for (;;) {
      const entry = this.#nextDue(lane)
      if (entry === undefined && ahead.size === 0) return
      if (entry !== undefined) {
        entry.busy = true
        const step = this.#step(lane, entry, before)
        before = step
        const noted = step.finally(() => ahead.delete(noted)).then(() => {})
        ahead.add(noted)
      }
      if (entry === undefined || ahead.size >= SEALED_AHEAD_MAX) await Promise.race(ahead)
    }
  }

  /** One item, from sealing to the write; never rejects. */
  async #step(lane: Lane, entry: Entry, before: Promise<void>): Promise<void> {
    let handedOver = false
    try {
      handedOver = await this.#dispatch(lane, entry, before)
    } catch (error) {
      this.#failed(entry, error)
    } finally {
      if (!handedOver) entry.busy = false
    }
  }

  #nextDue(lane: Lane): Entry | undefined {
    if (lane.unacknowledged >= DIRECT_WINDOW) return undefined
    const now = this.#c.clock.now()
    for (const entry of lane.entries.values()) if (!entry.busy && entry.nextAt <= now) return entry
    return undefined
  }

  /** True where somebody else now ends the item's being busy. */
  async #dispatch(lane: Lane, entry: Entry, before: Promise<void>): Promise<boolean> {
    if (entry.expiresAt <= this.#c.clock.now()) {
      await this.#c.outbox.end(entry, 'expired')
      return false
    }
    const target = await this.#target(entry)
    if (target instanceof Unready) return this.#postpone(entry, target.reason)
    const item = await this.#seal(entry, target)
    if (item instanceof Unready) return this.#postpone(entry, item.reason)
    if (item?.sealed === undefined) return false
    const { envelope, envelopeId } = item.sealed
    await before
    const written = await this.#writeDirect(lane, target, envelope)
    this.#inBackground(entry, async () => {
      if (written && (await this.#acknowledged(lane, entry))) return
      await this.#put({ entry, envelopeId: toHex(envelopeId) }, target)
    })
    return true
  }

  #inBackground(entry: Entry, job: () => Promise<void>): void {
    const work = job()
      .catch((error: unknown) => {
        this.#failed(entry, error)
      })
      .finally(() => {
        entry.busy = false
        this.#c.outbox.wake()
      })
    this.#c.outbox.track(work)
  }

  #failed(entry: Entry, error: unknown): void {
    if (this.#c.outbox.signal.aborted) return
    this.#c.log.warn('an outbox item failed', { error: nameOf(error) })
    entry.nextAt = this.#c.clock.now() + backoffMs(PUT_BACKOFF, 3, this.#c.rng)
  }

  /** Changes the item, unless it was settled, or encrypted anew, since the work on this envelope began. */
  async #note(
    work: Work,
    change: (item: OutboxItem) => OutboxItem | undefined,
    extra?: Parameters<Outbox['update']>[2],
  ): Promise<OutboxItem | undefined> {
    const same = (item: OutboxItem): boolean =>
      item.sealed !== undefined && toHex(item.sealed.envelopeId) === work.envelopeId
    return this.#c.outbox.update(work.entry, (item) => (same(item) ? change(item) : undefined), extra)
  }

  async #within<T>(limitMs: number, job: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, outbox } = this.#c
    return withDeadline(clock, limitMs, async (signal) => job(AbortSignal.any([signal, outbox.signal])))
  }

  async #target(entry: Entry): Promise<Target | Unready> {
    const contact = await this.#c.contacts.get(entry.contact)
    if (contact === undefined || contact.state === CONTACT_STATE.blocked) return new Unready('contact-closed')
    if (contact.changed !== undefined) return new Unready('identity-changed')
    const device = contact.devices.find(({ deviceId }) => toHex(deviceId) === toHex(entry.deviceId))
    if (device === undefined) return this.#otherDevice(entry, contact)
    const waits = contact.state === CONTACT_STATE.requested && entry.contentKind !== CONTENT_KIND.contactRequest
    if (waits && device.grant === undefined) return new Unready('waiting-for-acceptance')
    return { contact, device }
  }

  /** The account has dropped the device: what waits for it is for those that it has now. */
  async #otherDevice(entry: Entry, contact: Contact): Promise<Unready> {
    const devices = contact.devices.map(({ deviceId }) => deviceId)
    if (devices.length > 0) await this.#c.outbox.readdress(entry.contact, entry.deviceId, devices)
    return new Unready('device-unknown')
  }

  async #postpone(entry: Entry, reason: string): Promise<false> {
    entry.nextAt = this.#c.clock.now() + UNREADY_MS
    await this.#c.outbox.update(entry, (item) => ({
      ...traced(item, this.#c.clock.now(), reason),
      nextAt: entry.nextAt,
    }))
    return false
  }

  /** Encrypts once; a sealed item keeps its bytes. */
  async #seal(entry: Entry, target: Target): Promise<OutboxItem | Unready | undefined> {
    let ops: readonly StoreOp[] = []
    try {
      const item = await this.#c.outbox.update(
        entry,
        async (before) => {
          if (before.sealed !== undefined) return before
          const sealing = await this.#c.sessions.seal(target.contact, target.device, before.content)
          ops = sealing.ops
          return { ...before, sealed: sealing.sealed }
        },
        async () => ({ ops, facts: [] }),
      )
      if (item?.sealed !== undefined) this.#c.outbox.queue.setEnvelope(entry, toHex(item.sealed.envelopeId))
      return item
    } catch (error) {
      // None, or none that is in force: the directory looks for newer ones.
      if (error instanceof NotFoundError || error instanceof VerificationError) return new Unready('no-prekeys')
      if (error instanceof IdentityChangedError) return new Unready('identity-changed')
      throw error
    }
  }

  /** Whether the envelope was written to a direct stream. That alone proves nothing. */
  async #writeDirect(lane: Lane, { device }: Target, envelope: Uint8Array): Promise<boolean> {
    const { grant } = device
    if (grant === undefined || grant.peerId === '') return false
    const now = this.#c.clock.now()
    if (now < lane.directFrom && !this.#c.direct.connected(grant.peerId)) return false
    try {
      const peer = { id: grant.peerId, addresses: grant.multiaddrs }
      const frame: DirectFrame = { kind: DIRECT_FRAME.envelope, body: { envelope } }
      await this.#within(DIRECT_BUDGET_MS, async (signal) => {
        await this.#c.direct.send(peer, frame, signal)
      })
      return true
    } catch {
      lane.directFrom = this.#c.clock.now() + DIRECT_PAUSE_MS
      return false
    }
  }

  /** Waits for the acknowledgement of an envelope that was written; false when the budget is over. */
  async #acknowledged(lane: Lane, entry: Entry): Promise<boolean> {
    if (!this.#c.outbox.queue.has(entry)) return true
    lane.unacknowledged++
    let cancel: (() => void) | undefined
    const done = await new Promise<boolean>((resolve) => {
      entry.acknowledged = () => {
        resolve(true)
      }
      cancel = this.#c.clock.after(DIRECT_BUDGET_MS, () => {
        resolve(false)
      })
    })
    cancel?.()
    entry.acknowledged = undefined
    lane.unacknowledged--
    if (!done) lane.directFrom = this.#c.clock.now() + DIRECT_PAUSE_MS
    return done
  }

  async #put(work: Work, target: Target): Promise<void> {
    await this.#puts.run(async () => {
      this.#c.outbox.signal.throwIfAborted()
      const to = destination(this.#c.crypto, target.contact, target.device, this.#c.clock.now(), this.#c.profile)
      if (to === undefined) {
        await this.#postpone(work.entry, 'no-address')
        return
      }
      const letter = await this.#letter(work, to)
      if (letter === undefined) return
      const first = await this.#putOnce(work, target, to, letter)
      if (first.receipts.length >= W || (first.refused !== 'lane' && first.refused !== 'stamp')) {
        await this.#afterPut(work, first)
        return
      }
      const stamped = await this.#stamp(withoutLane(letter, this.#c.clock.now(), this.#c.profile))
      if (!(await this.#keepLetter(work, stamped, 'lane-refused'))) return
      await this.#afterPut(work, await this.#putOnce(work, target, to, stamped))
    })
  }

  /** The letter kept from the last time while it is good for the same box, else a new one. */
  async #letter(work: Work, to: Destination): Promise<Letter | undefined> {
    let current: OutboxItem | undefined
    await this.#note(work, (item) => {
      current = item
      return undefined
    })
    if (current === undefined) return undefined
    if (current.letter !== undefined && isGood(current.letter, to, this.#c.clock.now())) return current.letter
    const plain = letterFor(this.#c.crypto, current, to, this.#c.clock.now(), this.#c.profile)
    const letter = to.laneSeed === undefined ? await this.#stamped(work, plain) : plain
    return (await this.#keepLetter(work, letter, 'letter')) ? letter : undefined
  }

  async #stamped(work: Work, letter: Letter): Promise<Letter> {
    await this.#note(work, (item) => traced(item, this.#c.clock.now(), 'stamping'))
    return this.#stamp(letter)
  }

  async #stamp(letter: Letter): Promise<Letter> {
    return this.#within(STAMP_BUDGET_MS, async (signal) => this.#c.mail.stamp(letter, signal))
  }

  /** False where the letter is not wanted any more. */
  async #keepLetter(work: Work, letter: Letter, event: string): Promise<boolean> {
    const id = letterId(this.#c.crypto, letter)
    const kept = await this.#note(work, (item) => {
      work.entry.receipts = 0
      return { ...traced(item, this.#c.clock.now(), event), letter, letterId: id, receipts: [] }
    })
    return kept !== undefined
  }

  async #putOnce(work: Work, { device }: Target, to: Destination, letter: Letter): Promise<PutOutcome> {
    const receipts: Receipt[] = []
    const exclude = device.grant === undefined ? [] : [device.grant.peerId]
    const onReceipt = (receipt: Receipt): void => {
      receipts.push(receipt)
      if (receipts.length === W) void this.#stored(work, [...receipts]).catch(() => {})
    }
    const proof = proofFor(this.#c.crypto, letter, to)
    return this.#within(PUT_BUDGET_MS, async (signal) =>
      this.#c.mail.put(letter, proof, { exclude, onReceipt, signal }),
    )
  }

  async #afterPut(work: Work, outcome: PutOutcome): Promise<void> {
    const { entry } = work
    this.#c.outbox.signal.throwIfAborted()
    if (outcome.receipts.length >= W && entry.contentKind === CONTENT_KIND.receipt) {
      // Nobody answers a receipt. If all copies are lost, the sender asks again and is told again.
      await this.#c.outbox.end(entry, undefined)
      return
    }
    if (outcome.receipts.length > 0) await this.#stored(work, outcome.receipts)
    const now = this.#c.clock.now()
    const gone = outcome.refused === 'gone'
    const enough = gone || outcome.receipts.length >= W
    await this.#note(work, (item) => {
      const recheck = RECHECK_MS[Math.min(item.attempts, RECHECK_MS.length - 1)] ?? RECHECK_MS[0]
      const wait = enough ? recheck : backoffMs(PUT_BACKOFF, item.attempts, this.#c.rng)
      entry.nextAt = Math.min(now + wait, entry.expiresAt)
      const step = outcome.refused === 'none' ? item : traced(item, now, 'put-failed', outcome.refused)
      const next = { ...step, attempts: Math.min(item.attempts + 1, 65_535), nextAt: entry.nextAt }
      // Somebody has deleted it who knew how, yet no receipt came: the next letter is another one, which is answered anew.
      return gone ? { ...next, letter: undefined, letterId: undefined } : next
    })
  }

  async #stored(work: Work, receipts: readonly Receipt[]): Promise<void> {
    const { entry } = work
    await this.#note(
      work,
      (item) => {
        const known = new Set(item.receipts.map(({ holder }) => holder))
        const fresh = receipts.filter(({ holder }) => !known.has(holder))
        if (fresh.length === 0 && item.path === OUTBOX_PATH.mailbox) return undefined
        const merged = [...item.receipts, ...fresh].slice(0, 20)
        // From here on the count is that of the looks at a stored letter.
        const attempts = item.receipts.length < W && merged.length >= W ? 0 : item.attempts
        const step = traced(item, this.#c.clock.now(), 'stored', `${merged.length} receipts`)
        entry.receipts = merged.length
        return { ...step, receipts: merged, path: OUTBOX_PATH.mailbox, attempts }
      },
      async (item) => {
        // A message is stored once each of its parts is.
        const parts = this.#c.outbox.queue.ofMessage(entry.messageId, entry.contact, entry.deviceId)
        const least = Math.min(...parts.map((part) => part.receipts))
        if (entry.quiet || least < W) return { ops: [], facts: [] }
        const way = { path: item.path, receipts: least }
        return this.#c.messages.advanceOps(item.contact, [item.messageId], 'stored', way)
      },
    )
  }
}
