/** What was done to messages, by contact and message id, and the marks of messages that have not come yet. */
import { concat, equal } from '../lib/bytes.ts'
import { DAY_MS } from '../lib/time.ts'
import { NO_MARKS } from '../protocol/message-marks.ts'
import { constant, fixed, list, struct, u32, u64 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import type { Database, StoreOp } from './database.ts'
import { marksCodec } from './records.ts'
import type { Message, StoredMarks } from './records.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/** Messages of one contact that are waited for with marks, and the bytes of these; the oldest go first. */
export const WAITING_MARKS_MAX = 256
export const WAITING_BYTES_MAX = 4 * 1_024 * 1_024
/** A message whose marks came so long ago does not come any more: a message lives for 30 days. */
export const WAITING_AGE_MAX_MS = 31 * DAY_MS

const waitingCodec = struct({
  version: constant(1),
  contact: fixed(32),
  entries: list(struct({ id: fixed(16), bytes: u32, at: u64 }), WAITING_MARKS_MAX),
})
type Waiting = Coded<typeof waitingCodec>['entries']

/** Marks that came before their message. */
export interface EarlyMarks {
  readonly id: Uint8Array
  readonly marks: StoredMarks
}

const CACHED = 256

/** As every message begins. */
export const UNMARKED: StoredMarks = { ...NO_MARKS, starred: 0, pinned: false }

export class MarkRecords {
  readonly #records: Repository<Coded<typeof marksCodec>>
  readonly #waiting: Repository<Coded<typeof waitingCodec>>

  constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'marks', marksCodec, CACHED)
    this.#waiting = new Repository(database, vault, 'marksWaiting', waitingCodec, CACHED)
  }

  async get(contact: Uint8Array, id: Uint8Array): Promise<StoredMarks> {
    return (await this.#records.get(nameOf(contact, id))) ?? UNMARKED
  }

  /** Of a message as it is kept; most have none, and cost nothing. */
  async of(message: Message): Promise<StoredMarks> {
    return message.marked ? this.get(message.contact, message.id) : UNMARKED
  }

  /** Of several messages, in their order and in one read. */
  async ofAll(messages: readonly Message[]): Promise<readonly StoredMarks[]> {
    const marked = messages.filter((message) => message.marked)
    if (marked.length === 0) return messages.map(() => UNMARKED)
    const found = await this.#records.getMany(marked.map(({ contact, id }) => nameOf(contact, id)))
    const at = new Map(marked.map((message, index) => [message, found[index]]))
    return messages.map((message) => at.get(message) ?? UNMARKED)
  }

  put(contact: Uint8Array, id: Uint8Array, marks: StoredMarks): StoreOp[] {
    return this.#records.put(nameOf(contact, id), { ...marks, version: 1 })
  }

  delete(contact: Uint8Array, id: Uint8Array): StoreOp[] {
    return this.#records.delete(nameOf(contact, id))
  }

  /** The marks that came before the message, if any; and what to write now that it is there. */
  async arrived(
    contact: Uint8Array,
    id: Uint8Array,
  ): Promise<{ readonly marks: StoredMarks; readonly ops: readonly StoreOp[] } | undefined> {
    const entries = await this.#entries(contact)
    if (!entries.some((entry) => equal(entry.id, id))) return undefined
    const rest = entries.filter((entry) => !equal(entry.id, id))
    return { marks: await this.get(contact, id), ops: this.#putWaiting(contact, rest) }
  }

  /** Keeps marks of messages that are not there, for as long as they can still come and there is room. Once in a change. */
  async wait(contact: Uint8Array, early: readonly EarlyMarks[], now: number): Promise<readonly StoreOp[]> {
    const before = await this.#entries(contact)
    const known = before.filter(({ id }) => !early.some((each) => equal(each.id, id)))
    const added = early.map(({ id, marks }) => ({ id, bytes: bytesOf(marks), at: now }))
    const kept = withRoom([...known, ...added], now)
    const dropped = [...known, ...added].filter((entry) => !kept.includes(entry))
    return [
      ...early.flatMap(({ id, marks }) => this.put(contact, id, marks)),
      ...dropped.flatMap(({ id }) => this.delete(contact, id)),
      ...this.#putWaiting(contact, kept),
    ]
  }

  /** Ops that forget what waits of a contact's messages. */
  async forget(contact: Uint8Array): Promise<readonly StoreOp[]> {
    const entries = await this.#entries(contact)
    if (entries.length === 0) return []
    return [...entries.flatMap(({ id }) => this.delete(contact, id)), ...this.#putWaiting(contact, [])]
  }

  /** Ops that forget what waits of messages that cannot come any more. */
  async sweep(now: number): Promise<readonly StoreOp[]> {
    const ops: StoreOp[] = []
    for await (const { contact, entries } of this.#waiting.iterate()) {
      const old = entries.filter(({ at }) => at + WAITING_AGE_MAX_MS <= now)
      if (old.length === 0) continue
      ops.push(...old.flatMap(({ id }) => this.delete(contact, id)))
      ops.push(
        ...this.#putWaiting(
          contact,
          entries.filter((entry) => !old.includes(entry)),
        ),
      )
    }
    return ops
  }

  async #entries(contact: Uint8Array): Promise<Waiting> {
    return (await this.#waiting.get({ id: contact }))?.entries ?? []
  }

  #putWaiting(contact: Uint8Array, entries: Waiting): StoreOp[] {
    if (entries.length === 0) return this.#waiting.delete({ id: contact })
    return this.#waiting.put({ id: contact }, { version: 1, contact, entries })
  }
}

const nameOf = (contact: Uint8Array, id: Uint8Array): { readonly id: Uint8Array } => ({ id: concat(contact, id) })

/** What the marks take, near enough: their texts. */
const bytesOf = ({ own, theirs }: StoredMarks): number =>
  64 + (own.edit?.text.length ?? 0) * 3 + (theirs.edit?.text.length ?? 0) * 3

/** The newest of them that fit. */
function withRoom(entries: Waiting, now: number): Waiting {
  const fresh = entries.filter(({ at }) => at + WAITING_AGE_MAX_MS > now)
  let bytes = fresh.reduce((sum, entry) => sum + entry.bytes, 0)
  let start = 0
  while (fresh.length - start > WAITING_MARKS_MAX || bytes > WAITING_BYTES_MAX) {
    bytes -= fresh[start]?.bytes ?? 0
    start++
  }
  return fresh.slice(start)
}
