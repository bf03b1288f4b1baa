/**
 * The outbox: keeps every envelope until the recipient's own receipt (protocol §4: the sender is the sixth replica).
 * An item is encrypted once; the same bytes go over the direct stream and, where no acknowledgement comes within the
 * budget, to the holders, again and again until its device has shown that it has them.
 */
import { equal, fromHex, toHex } from '../../lib/bytes.ts'
import { LimitError, nameOf, NetworkError } from '../../lib/errors.ts'
import { ExpiringMap } from '../../lib/expiring-map.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { DirectAck } from '../../wire/direct.ts'
import type { StoreOp } from '../../store/database.ts'
import { OUTBOX_PATH } from '../../store/records.ts'
import type { OutboxItem } from '../../store/records.ts'
import type { Fact, Follower } from '../events/journal.ts'
import { compose } from './compose.ts'
import type { Saying } from './compose.ts'
import { gravesOf, withoutLetter } from './letters.ts'
import type { Grave } from './letters.ts'
import { DISK_PAUSE_MS, MESSAGE_LIFE_MS, OUTBOX_ITEMS_MAX, TAKEN_BACK_MAX } from './limits.ts'
import type { OutboxComponents, Settled, Update } from './ports.ts'
import { earliest, entryOf, hurryLane, OutboxQueue } from './queue.ts'
import type { Entry, Lane } from './queue.ts'
import { traced } from './trace.ts'

/** Runs one lane's due items until none is left; given by the worker. */
export type RunLane = (lane: Lane) => Promise<void>

/** What a saying adds to a batch; call `added` once it is on disk, so that it goes. */
export interface Enqueued {
  readonly ops: readonly StoreOp[]
  readonly added: () => void
}

export class Outbox implements Startable, Follower {
  readonly queue = new OutboxQueue()
  readonly #c: OutboxComponents
  readonly #running = new Set<Promise<void>>()
  /** Takes back, newest last, what the change at hand did to the queue. */
  readonly #undo: (() => void)[] = []
  /** What follows once the change at hand is kept. */
  readonly #kept: (() => void)[] = []
  /** What was taken back, by envelope (hex): who has it all the same may say so. */
  readonly #takenBack: ExpiringMap<string, Entry>
  #runLane: RunLane | undefined
  #cancelTimer: (() => void) | undefined
  #stopping = new AbortController()
  #stopped = true

  constructor(components: OutboxComponents) {
    this.#c = components
    this.#takenBack = new ExpiringMap(components.clock, MESSAGE_LIFE_MS, TAKEN_BACK_MAX)
  }

  /** The worker that empties lanes; has to be set before {@link start}. */
  use(runLane: RunLane): void {
    this.#runLane = runLane
  }

  /** Given when the outbox stops: whatever works for it ends. */
  get signal(): AbortSignal {
    return this.#stopping.signal
  }

  async start(): Promise<void> {
    this.#stopping = new AbortController()
    this.#stopped = false
    await this.#fill(0)
  }

  /** Resolves when nothing works for it any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelTimer?.()
    this.#stopping.abort(new NetworkError('the outbox stops'))
    this.queue.clear()
    await Promise.allSettled(this.#running)
  }

  keep(): void {
    this.#undo.length = 0
    for (const action of this.#kept.splice(0)) action()
  }

  undo(): void {
    for (const action of this.#undo.splice(0).reverse()) action()
    this.#kept.length = 0
  }

  /** Fills the queue from the disk. Who was at work on an item finds it gone, and another one in its place. */
  async reload(): Promise<void> {
    this.#undo.length = 0
    this.#kept.length = 0
    this.queue.clear()
    if (!this.#stopped) await this.#fill(this.#c.clock.now() + DISK_PAUSE_MS)
  }

  async #fill(notBefore: number): Promise<void> {
    for await (const item of this.#c.store.all()) {
      const entry = entryOf(item)
      this.queue.add({ ...entry, nextAt: Math.max(entry.nextAt, notBefore) })
    }
    this.wake()
  }

  /** Work that goes on beside the lanes; {@link stop} waits for it. */
  track(work: Promise<void>): void {
    const noted = work.finally(() => {
      this.#running.delete(noted)
    })
    this.#running.add(noted)
  }

  /** Items for a saying, inside a journal change. Throws LimitError when the outbox is full. */
  enqueue(saying: Saying): Enqueued {
    if (this.queue.size >= OUTBOX_ITEMS_MAX) throw new LimitError('too many messages are waiting to be delivered')
    const items = compose(saying, { rng: this.#c.rng, clock: this.#c.clock, sequence: () => this.#c.store.next() })
    for (const item of items) this.#add(item)
    return {
      ops: items.flatMap((item) => this.#c.store.put(item)),
      added: () => {
        this.wake()
      },
    }
  }

  /** Runs every lane that has something due, and sets the timer for the next that will. */
  wake(): void {
    if (this.#stopped) return
    const now = this.#c.clock.now()
    let next = Infinity
    for (const lane of this.queue.lanes()) {
      if (lane.running) continue
      const due = earliest(lane)
      if (due <= now) this.#run(lane)
      else next = Math.min(next, due)
    }
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (next === Infinity) return
    // At most a minute, so that a clock that was set forward does not strand an item.
    this.#cancelTimer = this.#c.clock.after(Math.min(next - now, 60_000), () => {
      this.wake()
    })
  }

  /** The contact's device shows itself, or the network is back (none named): what waits is tried now, directly first. */
  hurry(contact?: Uint8Array, deviceId?: Uint8Array): void {
    const now = this.#c.clock.now()
    for (const lane of contact === undefined ? this.queue.lanes() : this.queue.lanesOf(contact)) {
      if (deviceId !== undefined && !equal(lane.deviceId, deviceId)) continue
      hurryLane(lane, now)
    }
    this.wake()
  }

  /** Acknowledgements from a direct stream: each shows the preimage that only its reader knows. */
  async onAcks(acks: readonly DirectAck[]): Promise<void> {
    const entries: Entry[] = []
    for (const ack of acks) {
      const envelopeId = toHex(ack.id)
      const entry = this.queue.byEnvelope(envelopeId) ?? this.#takenBack.get(envelopeId)
      if (entry !== undefined && equal(entry.preimage, ack.preimage)) entries.push(entry)
    }
    if (entries.length === 0) return
    await this.#c.journal.commit(async () => ({ ...(await this.#acknowledged(new Set(entries))), result: undefined }))
  }

  /**
   * What it changes that `deviceId` has committed these messages, or that they were `read` there; part of the batch that took
   * its receipt in. A message that is no longer waited for (expired, say) counts all the same.
   */
  async deliveredOps(
    contact: Uint8Array,
    deviceId: Uint8Array,
    ids: readonly Uint8Array[],
    status: 'delivered' | 'read' = 'delivered',
  ): Promise<Settled> {
    const ops: StoreOp[] = []
    const facts: Fact[] = []
    for (const id of new Map(ids.map((each) => [toHex(each), each])).values()) {
      const entries = this.queue.ofMessage(toHex(id), contact, deviceId)
      for (const entry of entries) ops.push(...(await this.#settle(entry)))
      const receipts = Math.max(0, ...entries.map((entry) => entry.receipts))
      const way = entries.length === 0 ? undefined : { path: OUTBOX_PATH.mailbox, receipts }
      const advanced = await this.#c.messages.advanceOps(contact, [id], status, way)
      ops.push(...advanced.ops)
      facts.push(...advanced.facts)
    }
    return { ops, facts }
  }

  /** Drops what waits for a contact (blocked, removed) or only its request (accepted). */
  dropOps(contact: Uint8Array, kinds?: readonly number[]): readonly StoreOp[] {
    const lanes = this.queue.lanesOf(contact)
    const entries = lanes.flatMap((lane) => [...lane.entries.values()])
    return entries
      .filter((entry) => kinds === undefined || kinds.includes(entry.contentKind))
      .flatMap((entry) => {
        this.#forget(entry)
        return this.#c.store.delete(entry.sequence)
      })
  }

  /** What waits for a device that its account has dropped goes to the devices that it has now. */
  async readdress(contact: Uint8Array, gone: Uint8Array, devices: readonly Uint8Array[]): Promise<void> {
    await this.#c.journal.commit(async () => {
      const entries = [...this.queue.lane(contact, gone).entries.values()]
      const has = (messageId: string, deviceId: Uint8Array): boolean =>
        this.queue.ofMessage(messageId, contact, deviceId).length > 0
      const moves = entries.map((entry) => ({ entry, to: devices.filter((id) => !has(entry.messageId, id)) }))
      const ops: StoreOp[] = []
      for (const { entry, to } of moves) {
        const item = await this.#c.store.get(entry.sequence)
        this.#forget(entry)
        ops.push(...this.#c.store.delete(entry.sequence))
        for (const deviceId of item === undefined ? [] : to) {
          const moved = this.#bare(
            { ...(item as OutboxItem), sequence: this.#c.store.next(), deviceId },
            'other-device',
          )
          this.#add(moved)
          ops.push(...this.#c.store.put(moved))
        }
      }
      return { ops, facts: [], result: undefined }
    })
  }

  /** The device began a new session because it lost the old one: what it never acknowledged is encrypted again (E2-43). */
  async resealOps(contact: Uint8Array, deviceId: Uint8Array): Promise<readonly StoreOp[]> {
    const ops: StoreOp[] = []
    for (const entry of this.queue.lane(contact, deviceId).entries.values()) {
      const item = await this.#c.store.get(entry.sequence)
      if (item?.sealed === undefined) continue
      const { envelopeId, nextAt, receipts } = entry
      this.#undo.push(() => {
        Object.assign(entry, { nextAt, receipts })
        this.queue.setEnvelope(entry, envelopeId)
      })
      const bare = this.#bare(item, 'new-session')
      this.queue.setEnvelope(entry, undefined)
      Object.assign(entry, { nextAt: bare.nextAt, receipts: 0 })
      ops.push(...this.#c.store.put(bare))
    }
    return ops
  }

  /** The items of a message, done ones first, for `msg why`. */
  async itemsOf(messageId: Uint8Array, contact: Uint8Array): Promise<readonly OutboxItem[]> {
    const entries = this.queue.ofMessage(toHex(messageId), contact)
    const items = await Promise.all(entries.map(async ({ sequence }) => this.#c.store.get(sequence)))
    const told = await this.#c.history.of(messageId)
    return [...told.filter((item) => equal(item.contact, contact)), ...items.filter((item) => item !== undefined)]
  }

  /** The item as it is now; none where it was settled. */
  async peek(entry: Entry): Promise<OutboxItem | undefined> {
    return this.queue.has(entry) ? this.#c.store.get(entry.sequence) : undefined
  }

  /** Changes an item; the new one, or none where nothing was changed. The worker's only way to write. */
  async update(update: Update): Promise<OutboxItem | undefined> {
    return (await this.updateAll([update]))[0]
  }

  /** The same for several in one batch. */
  async updateAll(updates: readonly Update[]): Promise<readonly (OutboxItem | undefined)[]> {
    return this.#c.journal.commit(async () => {
      const ops: StoreOp[] = []
      const facts: Fact[] = []
      const result: (OutboxItem | undefined)[] = []
      for (const { entry, change, extra } of updates) {
        const item = await this.peek(entry)
        const next = item === undefined ? undefined : await change(item)
        const kept = next !== undefined && this.queue.has(entry) ? next : undefined
        result.push(kept)
        if (kept === undefined) continue
        const more = await extra?.(kept)
        ops.push(...this.#c.store.put(kept), ...(more?.ops ?? []))
        facts.push(...(more?.facts ?? []))
      }
      return { ops, facts, result }
    })
  }

  /** Ends what waits of a message that its sender takes back, inside a journal change. What deletes its letters comes along. */
  async takeBackOps(
    messageId: Uint8Array,
    contact: Uint8Array,
  ): Promise<{ readonly ops: readonly StoreOp[]; readonly graves: readonly Grave[] }> {
    const ops: StoreOp[] = []
    const graves: Grave[] = []
    const entries = this.queue.ofMessage(toHex(messageId), contact)
    const whole = new Set(entries.map(({ deviceId }) => toHex(deviceId))).size === entries.length
    for (const entry of entries) {
      const item = await this.#c.store.get(entry.sequence)
      this.#forget(entry)
      if (entry.envelopeId !== undefined && whole) this.#takenBack.set(entry.envelopeId, entry)
      if (item !== undefined) graves.push(...gravesOf(this.#c.crypto, item))
      ops.push(...this.#c.store.delete(entry.sequence), ...this.#told(entry, item, 'taken-back'))
    }
    return { ops, graves }
  }

  /** Ends an item for good: expired, or quiet and stored. */
  async end(entry: Entry, status: 'expired' | 'failed' | undefined): Promise<void> {
    await this.#c.journal.commit(async () => {
      if (!this.queue.has(entry)) return { ops: [], facts: [], result: undefined }
      const item = await this.#c.store.get(entry.sequence)
      this.#forget(entry)
      const shown = status === undefined || entry.quiet || item === undefined
      const advanced = shown
        ? { ops: [], facts: [] }
        : await this.#c.messages.advanceOps(item.contact, [item.messageId], status)
      return {
        ops: [...this.#c.store.delete(entry.sequence), ...advanced.ops, ...this.#told(entry, item, status ?? 'done')],
        facts: advanced.facts,
        result: undefined,
      }
    })
  }

  #run(lane: Lane): void {
    if (this.#runLane === undefined) return
    lane.running = true
    const work = this.#runLane(lane)
      .catch((error: unknown) => {
        this.#c.log.error('an outbox lane failed', { error: nameOf(error) })
        for (const entry of lane.entries.values()) entry.nextAt = Math.max(entry.nextAt, this.#c.clock.now() + 5_000)
      })
      .finally(() => {
        lane.running = false
        this.wake()
      })
    this.track(work)
  }

  /** Not encrypted, and due now. */
  #bare(item: OutboxItem, event: string): OutboxItem {
    const nextAt = this.#c.clock.now()
    const bare = { ...withoutLetter(this.#c.crypto, item), sealed: undefined, receipts: [], nextAt }
    return traced(bare, nextAt, event)
  }

  /** The device has these envelopes; a message is delivered once it has all of its parts. */
  async #acknowledged(entries: ReadonlySet<Entry>): Promise<Settled> {
    const ops: StoreOp[] = []
    const facts: Fact[] = []
    for (const entry of entries) {
      const waits = this.queue.has(entry)
      if (!waits && this.#takenBack.get(entry.envelopeId ?? '') !== entry) continue
      if (waits) ops.push(...(await this.#settle(entry)))
      const { messageId, contact, deviceId, receipts } = entry
      const id = fromHex(messageId)
      if (id === undefined || entry.quiet || this.queue.ofMessage(messageId, contact, deviceId).length > 0) continue
      const way = { path: OUTBOX_PATH.direct, receipts }
      const advanced = await this.#c.messages.advanceOps(contact, [id], 'delivered', way)
      ops.push(...advanced.ops)
      facts.push(...advanced.facts)
    }
    return { ops, facts }
  }

  /** Nothing more is to be done for the item. */
  async #settle(entry: Entry): Promise<readonly StoreOp[]> {
    const item = await this.#c.store.get(entry.sequence)
    this.#forget(entry)
    const known =
      item?.sealed === undefined ? [] : await this.#c.sessions.acknowledge(entry.contact, entry.deviceId, item.sealed)
    return [...this.#c.store.delete(entry.sequence), ...known, ...this.#told(entry, item, 'delivered')]
  }

  /** What stays of an item that the user may ask about. */
  #told(entry: Entry, item: OutboxItem | undefined, event: string): readonly StoreOp[] {
    if (entry.quiet || item === undefined) return []
    return this.#c.history.put(traced(item, this.#c.clock.now(), event))
  }

  #add(item: OutboxItem): void {
    const entry = entryOf(item)
    this.queue.add(entry)
    this.#undo.push(() => {
      this.queue.remove(entry)
    })
  }

  #forget(entry: Entry): void {
    if (!this.queue.has(entry)) return
    this.queue.remove(entry)
    this.#undo.push(() => {
      this.queue.add(entry)
    })
    this.#kept.push(() => {
      entry.acknowledged?.()
      entry.callOff?.()
    })
  }
}
