/** Keeps the policies of our mailboxes in the network: who may write, for every epoch that a letter may be written in. */
import { backoffMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { nameOf, StorageError } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import { DAY_MS } from '../../lib/time.ts'
import type { Devices } from '../../store/devices.ts'
import type { Journal } from '../events/journal.ts'

/** Changes gathered into one publication. */
const GATHER_MS = 50
const REPUBLISH_MS = DAY_MS
const RETRY = { firstMs: 1_000, maxMs: 5 * 60_000, factor: 2 } as const

/** One mailbox and the lanes into it. */
export interface MailboxPlan {
  readonly mailboxSeed: Uint8Array
  readonly laneSeeds: readonly Uint8Array[]
}

export interface PoliciesComponents {
  readonly store: { readonly devices: Devices }
  readonly journal: Journal
  /** The mailboxes as they are to be. */
  readonly plans: () => Promise<readonly MailboxPlan[]>
  /** Signs and puts the policies of a mailbox; true when enough holders took each. */
  readonly publish: (plan: MailboxPlan, number: number, signal: AbortSignal) => Promise<boolean>
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}

export class Policies implements Startable {
  readonly #c: PoliciesComponents
  #abort = new AbortController()
  #cancel: (() => void) | undefined
  #running: Promise<void> | undefined
  #dirty = false
  #attempt = 0
  #waiting: (() => void)[] = []

  constructor(components: PoliciesComponents) {
    this.#c = components
  }

  start(): void {
    this.#abort = new AbortController()
    this.changed()
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    this.#cancel?.()
    await this.#running
  }

  /** The lanes, or the holders, are not what they were: publish soon. */
  changed(): void {
    this.#dirty = true
    this.#attempt = 0
    this.#after(GATHER_MS)
  }

  /** Publishes soon, and resolves when enough holders have it, or after `limitMs`. */
  async publishSoon(limitMs: number): Promise<void> {
    this.changed()
    await new Promise<void>((resolve) => {
      const cancel = this.#c.clock.after(limitMs, resolve)
      this.#waiting.push(() => {
        cancel()
        resolve()
      })
    })
  }

  /** Tries now what waits for a retry. */
  hurry(): void {
    if (this.#attempt > 0) this.changed()
  }

  #after(delayMs: number): void {
    if (this.#abort.signal.aborted || this.#running !== undefined) return
    this.#cancel?.()
    this.#cancel = this.#c.clock.after(delayMs, () => {
      this.#running = this.#round().finally(() => {
        this.#running = undefined
        this.#plan()
      })
    })
  }

  #plan(): void {
    if (this.#dirty) this.#after(this.#attempt === 0 ? GATHER_MS : backoffMs(RETRY, this.#attempt - 1, this.#c.rng))
    else this.#after(REPUBLISH_MS)
  }

  async #round(): Promise<void> {
    this.#dirty = false
    const waiting = this.#waiting.splice(0)
    try {
      const number = await this.#nextNumber()
      const plans = await this.#c.plans()
      const done = await Promise.all(plans.map(async (plan) => this.#c.publish(plan, number, this.#abort.signal)))
      if (done.every(Boolean)) {
        this.#attempt = 0
        for (const resolve of waiting) resolve()
        return
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#c.log.warn('policies were not published', { error: nameOf(error) })
    }
    this.#waiting.push(...waiting)
    this.#attempt++
    this.#dirty = true
  }

  /** A number is on disk before anyone sees it. */
  async #nextNumber(): Promise<number> {
    return this.#c.journal.commit(async () => {
      const device = await this.#c.store.devices.own()
      if (device === undefined) throw new StorageError('the device is not in the store')
      const policyNumber = device.policyNumber + 1
      return { ops: this.#c.store.devices.put({ ...device, policyNumber }), facts: [], result: policyNumber }
    })
  }
}
