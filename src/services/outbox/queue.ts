/** What waits, in memory: small entries by number, by envelope and by device. The items themselves stay on disk. */
import { equal, toHex } from '../../lib/bytes.ts'
import { decode } from '../../wire/codec.ts'
import { contentCodec } from '../../wire/content.ts'
import type { OutboxItem } from '../../store/records.ts'
import { DIRECT_WINDOW, W } from './limits.ts'

/** One waiting item. */
export interface Entry {
  readonly sequence: number
  readonly messageId: string
  readonly contact: Uint8Array
  readonly deviceId: Uint8Array
  readonly preimage: Uint8Array
  readonly quiet: boolean
  readonly contentKind: number
  readonly expiresAt: number
  envelopeId: string | undefined
  /** Holders that have signed for its letter. */
  receipts: number
  nextAt: number
  /** Before this time a stored letter is not looked for, whatever else is tried. */
  lookAt: number
  busy: boolean
  /** Ends the wait for a direct acknowledgement. */
  acknowledged: (() => void) | undefined
  /** Calls off the put that is under way: nobody waits for the item any more. */
  callOff: (() => void) | undefined
}

/** The items for one device, in the order of their numbers. */
export interface Lane {
  readonly key: string
  readonly contact: Uint8Array
  readonly deviceId: Uint8Array
  readonly entries: Map<number, Entry>
  running: boolean
  /** Envelopes written to the direct stream and not acknowledged. */
  unacknowledged: number
  /** No direct attempt before this time. */
  directFrom: number
}

export const laneKey = (contact: Uint8Array, deviceId: Uint8Array): string => `${toHex(contact)}/${toHex(deviceId)}`

export function entryOf(item: OutboxItem): Entry {
  return {
    sequence: item.sequence,
    messageId: toHex(item.messageId),
    contact: item.contact,
    deviceId: item.deviceId,
    preimage: item.preimage,
    quiet: item.quiet,
    contentKind: decode(contentCodec, item.content).kind,
    expiresAt: item.expiresAt,
    envelopeId: item.sealed === undefined ? undefined : toHex(item.sealed.envelopeId),
    receipts: item.receipts.length,
    nextAt: item.nextAt,
    lookAt: item.nextAt,
    busy: false,
    acknowledged: undefined,
    callOff: undefined,
  }
}

/** When the lane's next item that is not under way is due. */
export function earliest(lane: Lane): number {
  if (lane.unacknowledged >= DIRECT_WINDOW) return Infinity
  let next = Infinity
  for (const entry of lane.entries.values()) if (!entry.busy) next = Math.min(next, entry.nextAt)
  return next
}

/** Everything in the lane is tried now, directly first; letters are looked for no earlier for that. */
export function hurryLane(lane: Lane, now: number): void {
  lane.directFrom = 0
  for (const entry of lane.entries.values()) {
    if (entry.busy || entry.nextAt <= now) continue
    entry.lookAt = entry.nextAt
    entry.nextAt = now
  }
}

/** Whether holders have signed for its letter: then it is looked for, and put again only where too few have it. */
export const isStored = (entry: Entry): boolean => entry.receipts >= W

export class OutboxQueue {
  readonly #entries = new Map<number, Entry>()
  readonly #byEnvelope = new Map<string, Entry>()
  /** By message (hex): its parts, for each of the contact's devices. */
  readonly #byMessage = new Map<string, Set<Entry>>()
  readonly #lanes = new Map<string, Lane>()

  get size(): number {
    return this.#entries.size
  }

  /** Messages the user waits for. */
  get waiting(): number {
    return new Set([...this.#entries.values()].filter((entry) => !entry.quiet).map(({ messageId }) => messageId)).size
  }

  add(entry: Entry): void {
    if (this.#entries.has(entry.sequence)) return
    this.#entries.set(entry.sequence, entry)
    if (entry.envelopeId !== undefined) this.#byEnvelope.set(entry.envelopeId, entry)
    this.#byMessage.set(entry.messageId, (this.#byMessage.get(entry.messageId) ?? new Set()).add(entry))
    this.lane(entry.contact, entry.deviceId).entries.set(entry.sequence, entry)
  }

  has(entry: Entry): boolean {
    return this.#entries.get(entry.sequence) === entry
  }

  remove(entry: Entry): void {
    if (!this.has(entry)) return
    this.#entries.delete(entry.sequence)
    if (entry.envelopeId !== undefined) this.#byEnvelope.delete(entry.envelopeId)
    const parts = this.#byMessage.get(entry.messageId)
    parts?.delete(entry)
    if (parts?.size === 0) this.#byMessage.delete(entry.messageId)
    const key = laneKey(entry.contact, entry.deviceId)
    const lane = this.#lanes.get(key)
    lane?.entries.delete(entry.sequence)
    if (lane !== undefined && lane.entries.size === 0 && !lane.running) this.#lanes.delete(key)
  }

  setEnvelope(entry: Entry, envelopeId: string | undefined): void {
    if (entry.envelopeId !== undefined) this.#byEnvelope.delete(entry.envelopeId)
    entry.envelopeId = envelopeId
    if (envelopeId !== undefined && this.has(entry)) this.#byEnvelope.set(envelopeId, entry)
  }

  byEnvelope(envelopeId: string): Entry | undefined {
    return this.#byEnvelope.get(envelopeId)
  }

  lane(contact: Uint8Array, deviceId: Uint8Array): Lane {
    const key = laneKey(contact, deviceId)
    let lane = this.#lanes.get(key)
    if (lane === undefined) {
      lane = { key, contact, deviceId, entries: new Map(), running: false, unacknowledged: 0, directFrom: 0 }
      this.#lanes.set(key, lane)
    }
    return lane
  }

  lanes(): readonly Lane[] {
    return [...this.#lanes.values()]
  }

  /** The lanes of one contact's devices. */
  lanesOf(contact: Uint8Array): readonly Lane[] {
    const prefix = `${toHex(contact)}/`
    return this.lanes().filter((lane) => lane.key.startsWith(prefix))
  }

  /** Entries of a message for a device (all devices where none is given), in their order. */
  ofMessage(messageId: string, contact: Uint8Array, deviceId?: Uint8Array): readonly Entry[] {
    const entries = [...(this.#byMessage.get(messageId) ?? [])].filter(
      (entry) => equal(entry.contact, contact) && (deviceId === undefined || equal(entry.deviceId, deviceId)),
    )
    return entries.sort((a, b) => a.sequence - b.sequence)
  }

  /** Lets go of everything; whoever still works on an entry finds it gone. */
  clear(): void {
    const entries = [...this.#entries.values()]
    for (const lane of this.#lanes.values()) lane.entries.clear()
    this.#entries.clear()
    this.#byEnvelope.clear()
    this.#byMessage.clear()
    this.#lanes.clear()
    for (const entry of entries) entry.acknowledged?.()
  }
}
