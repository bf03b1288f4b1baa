/** Empties the outbox's lanes: seal, try the direct stream, and what is not acknowledged in time goes to holders. */
import type { CryptoProvider } from '../../crypto/provider.ts'
import { toHex } from '../../lib/bytes.ts'
import { withDeadline } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { backoffMs } from '../../lib/backoff.ts'
import { IdentityChangedError, nameOf, NotFoundError } from '../../lib/errors.ts'
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
import { destination, letterFor, proofFor, withoutLane } from './letters.ts'
import type { Destination } from './letters.ts'
import {
  DIRECT_BUDGET_MS,
  DIRECT_PAUSE_MS,
  DIRECT_WINDOW,
  PUT_BACKOFF,
  PUT_BUDGET_MS,
  PUTS_AT_ONCE,
  RECHECK_MS,
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

  /** Takes the lane's due items in their order; returns when none is left. Direct waits and puts go on beside it. */
  async run(lane: Lane): Promise<void> {
    for (;;) {
      const entry = this.#nextDue(lane)
      if (entry === undefined) return
      entry.busy = true
      let handedOver = false
      try {
        handedOver = await this.#dispatch(lane, entry)
      } catch (error) {
        this.#c.log.warn('an outbox item failed', { error: nameOf(error) })
        entry.nextAt = this.#c.clock.now() + backoffMs(PUT_BACKOFF, 2, this.#c.rng)
      } finally {
        if (!handedOver) entry.busy = false
      }
    }
  }

  #nextDue(lane: Lane): Entry | undefined {
    if (lane.unacknowledged >= DIRECT_WINDOW) return undefined
    const now = this.#c.clock.now()
    for (const entry of lane.entries.values()) if (!entry.busy && entry.nextAt <= now) return entry
    return undefined
  }

  /** True where somebody else now ends the item's being busy. */
  async #dispatch(lane: Lane, entry: Entry): Promise<boolean> {
    if (entry.expiresAt <= this.#c.clock.now()) {
      await this.#c.outbox.end(entry, 'expired')
      return false
    }
    const target = await this.#target(entry)
    if (target instanceof Unready) return this.#postpone(entry, target.reason)
    const item = await this.#seal(entry, target)
    if (item instanceof Unready) return this.#postpone(entry, item.reason)
    if (item?.sealed === undefined) return false
    const written = await this.#writeDirect(lane, target, item.sealed.envelope)
    this.#inBackground(entry, async () => {
      if (written && (await this.#acknowledged(lane, entry))) return
      await this.#put(entry, target)
    })
    return true
  }

  #inBackground(entry: Entry, job: () => Promise<void>): void {
    job()
      .catch((error: unknown) => {
        this.#c.log.warn('an outbox item failed', { error: nameOf(error) })
        entry.nextAt = this.#c.clock.now() + backoffMs(PUT_BACKOFF, 3, this.#c.rng)
      })
      .finally(() => {
        entry.busy = false
        this.#c.outbox.wake()
      })
  }

  async #target(entry: Entry): Promise<Target | Unready> {
    const contact = await this.#c.contacts.get(entry.contact)
    if (contact === undefined || contact.state === CONTACT_STATE.blocked) return new Unready('contact-closed')
    if (contact.changed !== undefined) return new Unready('identity-changed')
    const device = contact.devices.find(({ deviceId }) => toHex(deviceId) === toHex(entry.deviceId))
    if (device === undefined) return new Unready('device-unknown')
    const waits = contact.state === CONTACT_STATE.requested && entry.contentKind !== CONTENT_KIND.contactRequest
    if (waits && device.grant === undefined) return new Unready('waiting-for-acceptance')
    return { contact, device }
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
      if (error instanceof NotFoundError) return new Unready('no-prekeys')
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
      await withDeadline(this.#c.clock, DIRECT_BUDGET_MS, async (signal) => {
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
    if (done) this.#c.outbox.wake()
    return done
  }

  async #put(entry: Entry, target: Target): Promise<void> {
    await this.#puts.run(async () => {
      const to = destination(this.#c.crypto, target.contact, target.device, this.#c.clock.now(), this.#c.profile)
      if (to === undefined) {
        await this.#postpone(entry, 'no-address')
        return
      }
      const letter = await this.#letter(entry, to)
      if (letter === undefined) return
      const first = await this.#putOnce(entry, target, to, letter)
      if (first.receipts.length >= W || (first.refused !== 'lane' && first.refused !== 'stamp')) {
        await this.#afterPut(entry, first)
        return
      }
      const stamped = await this.#stamp(withoutLane(letter))
      await this.#keepLetter(entry, stamped, 'lane-refused')
      await this.#afterPut(entry, await this.#putOnce(entry, target, to, stamped))
    })
  }

  /** The letter kept from the last time while it is good for the same box, else a new one. */
  async #letter(entry: Entry, to: Destination): Promise<Letter | undefined> {
    let current: OutboxItem | undefined
    await this.#c.outbox.update(entry, (item) => {
      current = item
      return undefined
    })
    if (current?.sealed === undefined) return undefined
    if (current.letter !== undefined && toHex(current.letter.address) === toHex(to.address)) return current.letter
    const plain = letterFor(this.#c.crypto, current, to, this.#c.clock.now(), this.#c.profile)
    const letter = to.laneSeed === undefined ? await this.#stamped(entry, plain) : plain
    await this.#keepLetter(entry, letter, 'letter')
    return letter
  }

  async #stamped(entry: Entry, letter: Letter): Promise<Letter> {
    await this.#c.outbox.update(entry, (item) => traced(item, this.#c.clock.now(), 'stamping'))
    return this.#stamp(letter)
  }

  async #stamp(letter: Letter): Promise<Letter> {
    return withDeadline(this.#c.clock, STAMP_BUDGET_MS, async (signal) => this.#c.mail.stamp(letter, signal))
  }

  async #keepLetter(entry: Entry, letter: Letter, event: string): Promise<void> {
    const id = letterId(this.#c.crypto, letter)
    await this.#c.outbox.update(entry, (item) => ({
      ...traced(item, this.#c.clock.now(), event),
      letter,
      letterId: id,
      receipts: [],
    }))
  }

  async #putOnce(entry: Entry, { device }: Target, to: Destination, letter: Letter): Promise<PutOutcome> {
    const receipts: Receipt[] = []
    const exclude = device.grant === undefined ? [] : [device.grant.peerId]
    const onReceipt = (receipt: Receipt): void => {
      receipts.push(receipt)
      if (receipts.length === W) void this.#stored(entry, [...receipts]).catch(() => {})
    }
    const proof = proofFor(this.#c.crypto, letter, to)
    return withDeadline(this.#c.clock, PUT_BUDGET_MS, async (signal) =>
      this.#c.mail.put(letter, proof, { exclude, onReceipt, signal }),
    )
  }

  async #afterPut(entry: Entry, outcome: PutOutcome): Promise<void> {
    if (outcome.receipts.length >= W && entry.contentKind === CONTENT_KIND.receipt) {
      // Nobody answers a receipt. If all copies are lost, the sender asks again and is told again.
      await this.#c.outbox.end(entry, undefined)
      return
    }
    if (outcome.receipts.length > 0) await this.#stored(entry, outcome.receipts)
    const now = this.#c.clock.now()
    await this.#c.outbox.update(entry, (item) => {
      const enough = outcome.receipts.length >= W || outcome.refused === 'gone'
      const recheck = RECHECK_MS[Math.min(item.attempts, RECHECK_MS.length - 1)] ?? RECHECK_MS[0]
      const wait = enough ? recheck : backoffMs(PUT_BACKOFF, item.attempts, this.#c.rng)
      entry.nextAt = Math.min(now + wait, entry.expiresAt)
      const step = enough ? item : traced(item, now, 'put-failed', outcome.refused)
      // The count starts again when a letter is stored: it then counts the rechecks.
      const attempts = enough && item.receipts.length < W ? 0 : Math.min(item.attempts + 1, 65_535)
      return { ...step, attempts, nextAt: entry.nextAt }
    })
  }

  async #stored(entry: Entry, receipts: readonly Receipt[]): Promise<void> {
    await this.#c.outbox.update(
      entry,
      (item) => {
        const known = new Set(item.receipts.map(({ holder }) => holder))
        const merged = [...item.receipts, ...receipts.filter(({ holder }) => !known.has(holder))].slice(0, 20)
        const step = traced(item, this.#c.clock.now(), 'stored', `${merged.length} receipts`)
        return { ...step, receipts: merged, path: OUTBOX_PATH.mailbox }
      },
      async (item) => {
        if (entry.quiet || item.receipts.length < W) return { ops: [], facts: [] }
        const way = { path: item.path, receipts: item.receipts.length }
        return this.#c.messages.advanceOps(item.contact, [item.messageId], 'stored', way)
      },
    )
  }
}
