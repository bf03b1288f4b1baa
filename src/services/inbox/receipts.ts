/** Tells senders what arrived and what was read: kept in the batch of what it is about, sent a moment later in one go. */
import { runsOf } from '../../lib/bounded.ts'
import { toHex } from '../../lib/bytes.ts'
import type { Clock } from '../../lib/clock.ts'
import { nameOf } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { Logger } from '../../lib/log.ts'
import type { Rng } from '../../lib/rng.ts'
import { encode } from '../../wire/codec.ts'
import { CONTENT_KIND, receiptBodyCodec } from '../../wire/content.ts'
import type { StoreOp } from '../../store/database.ts'
import type { ReceiptDue, ReceiptsDue } from '../../store/receipts-due.ts'
import { CONTACT_STATE } from '../../store/records.ts'
import type { Contact } from '../../store/records.ts'
import type { Journal } from '../events/journal.ts'
import type { Saying } from '../outbox/compose.ts'
import type { Enqueued } from '../outbox/outbox.ts'

/** Receipts gathered before they go: one envelope for a burst of messages. */
const GATHER_MS = 100
/** Until what could not be written is tried again. */
const RETRY_MS = 10_000
/** Message ids in one receipt. */
const IDS_MAX = 256
const DELIVERED = 1
const READ = 2

export interface ReceiptsComponents {
  readonly store: { readonly receiptsDue: ReceiptsDue }
  readonly journal: Journal
  readonly contacts: { get(accountId: Uint8Array): Promise<Contact | undefined> }
  readonly outbox: { enqueue(saying: Saying): Enqueued }
  /** Whether contacts may know what the user has read. */
  readonly tellsRead: () => boolean
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}

export class Receipts implements Startable {
  readonly #c: ReceiptsComponents
  #cancel: (() => void) | undefined
  #stopped = true

  constructor(components: ReceiptsComponents) {
    this.#c = components
  }

  start(): void {
    this.#stopped = false
    this.wake()
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
    this.#cancel = undefined
  }

  deliveredOps(contact: Uint8Array, messageId: Uint8Array): readonly StoreOp[] {
    return this.#c.store.receiptsDue.put({ contact, messageId, kind: DELIVERED })
  }

  readOps(contact: Uint8Array, messageIds: readonly Uint8Array[]): readonly StoreOp[] {
    if (!this.#c.tellsRead()) return []
    return messageIds.flatMap((messageId) => this.#c.store.receiptsDue.put({ contact, messageId, kind: READ }))
  }

  /** Sends what is due, after a moment in which more may come. */
  wake(): void {
    this.#after(GATHER_MS)
  }

  #after(delayMs: number): void {
    if (this.#stopped || this.#cancel !== undefined) return
    this.#cancel = this.#c.clock.after(delayMs, () => {
      this.#cancel = undefined
      this.#flush().catch((error: unknown) => {
        this.#c.log.warn('receipts were not sent', { error: nameOf(error) })
        this.#after(RETRY_MS)
      })
    })
  }

  async #flush(): Promise<void> {
    await this.#c.journal.commit(async () => {
      const byContact = Map.groupBy(await this.#c.store.receiptsDue.all(), ({ contact }) => toHex(contact))
      const ops: StoreOp[] = []
      const added: (() => void)[] = []
      for (const due of byContact.values()) {
        const contact = due[0] === undefined ? undefined : await this.#c.contacts.get(due[0].contact)
        ops.push(...due.flatMap((entry) => this.#c.store.receiptsDue.delete(entry)))
        if (contact === undefined || contact.state === CONTACT_STATE.blocked) continue
        // It may have been switched off since.
        const told = due.filter(({ kind }) => kind === DELIVERED || this.#c.tellsRead())
        for (const run of runsOf(told, IDS_MAX)) {
          const saying = this.#say(contact, run)
          ops.push(...saying.ops)
          added.push(saying.added)
        }
      }
      const done = (): void => {
        for (const action of added) action()
      }
      return { ops, facts: [], result: undefined, done }
    })
  }

  #say(contact: Contact, due: readonly ReceiptDue[]): { ops: readonly StoreOp[]; added: () => void } {
    const ids = (kind: number): readonly Uint8Array[] =>
      due.filter((entry) => entry.kind === kind).map(({ messageId }) => messageId)
    return this.#c.outbox.enqueue({
      id: this.#c.rng.bytes(16),
      kind: CONTENT_KIND.receipt,
      body: encode(receiptBodyCodec, { delivered: ids(DELIVERED), read: ids(READ) }),
      sentAt: this.#c.clock.now(),
      contact: contact.accountId,
      devices: contact.devices.map(({ deviceId }) => deviceId),
      quiet: true,
    })
  }
}
