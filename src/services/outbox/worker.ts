/** Empties the outbox's lanes: seal, try the direct stream, and what is not acknowledged in time goes to holders. */
import { toHex } from '../../lib/bytes.ts'
import { backoffMs } from '../../lib/backoff.ts'
import { IdentityChangedError, nameOf, NotFoundError, VerificationError } from '../../lib/errors.ts'
import { CONTENT_KIND } from '../../wire/content.ts'
import { DIRECT_FRAME } from '../../wire/direct.ts'
import type { DirectFrame } from '../../wire/direct.ts'
import type { StoreOp } from '../../store/database.ts'
import { CONTACT_STATE } from '../../store/records.ts'
import type { Contact, OutboxItem } from '../../store/records.ts'
import {
  DIRECT_BUDGET_MS,
  DIRECT_PAUSE_MS,
  DIRECT_WINDOW,
  PUT_BACKOFF,
  SEALED_AHEAD_MAX,
  UNREADY_MS,
} from './limits.ts'
import { Looks } from './looks.ts'
import { Putter } from './putter.ts'
import { isStored } from './queue.ts'
import type { Entry, Lane } from './queue.ts'
import { traced } from './trace.ts'
import { within } from './work.ts'
import type { Target, Work, WorkerComponents } from './work.ts'

/** Why an item cannot go now. */
class Unready {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

export class OutboxWorker {
  readonly #c: WorkerComponents
  readonly #putter: Putter
  readonly #looks: Looks

  constructor(components: WorkerComponents) {
    this.#c = components
    this.#putter = new Putter(components)
    this.#looks = new Looks({
      components,
      putAgain: async (work) => this.#putAgain(work),
      afresh: (work, item) => this.#putter.afresh(work, item),
    })
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
      if (entry !== undefined && isStored(entry) && this.#c.clock.now() < lane.directFrom) {
        this.#look(lane, entry)
        continue
      }
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
      if (isStored(entry)) await this.#lookIfDue(lane, entry)
      else await this.#putter.put({ entry, envelopeId: toHex(envelopeId) }, target)
    })
    return true
  }

  /** A stored item whose device cannot be reached now. */
  #look(lane: Lane, entry: Entry): void {
    entry.busy = true
    this.#inBackground(entry, async () => this.#lookIfDue(lane, entry))
  }

  /** Its turn may have come early, for the sake of a direct attempt. */
  async #lookIfDue(lane: Lane, entry: Entry): Promise<void> {
    if (entry.lookAt <= this.#c.clock.now()) await this.#looks.at(lane, entry)
    else entry.nextAt = entry.lookAt
  }

  /** Too few have its letter. */
  async #putAgain(work: Work): Promise<void> {
    try {
      const target = await this.#target(work.entry)
      if (target instanceof Unready) await this.#postpone(work.entry, target.reason)
      else await this.#putter.put(work, target)
    } catch (error) {
      this.#failed(work.entry, error)
    }
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
    const change = (item: OutboxItem): OutboxItem => ({
      ...traced(item, this.#c.clock.now(), reason),
      nextAt: entry.nextAt,
    })
    await this.#c.outbox.update({ entry, change })
    return false
  }

  /** Encrypts once; a sealed item keeps its bytes. */
  async #seal(entry: Entry, target: Target): Promise<OutboxItem | Unready | undefined> {
    let ops: readonly StoreOp[] = []
    try {
      const known = await this.#c.outbox.peek(entry)
      if (known?.sealed !== undefined) return known
      await this.#c.sessions.prepare?.(target.contact, target.device)
      const item = await this.#c.outbox.update({
        entry,
        change: async (before) => {
          if (before.sealed !== undefined) return before
          const sealing = await this.#c.sessions.seal(target.contact, target.device, before.content)
          ops = sealing.ops
          return { ...before, sealed: sealing.sealed }
        },
        extra: async () => ({ ops, facts: [] }),
      })
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
      await within(this.#c, DIRECT_BUDGET_MS, async (signal) => {
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
}
