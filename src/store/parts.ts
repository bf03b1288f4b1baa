import { concat, equal } from '../lib/bytes.ts'
import { StorageError } from '../lib/errors.ts'
import { DAY_MS } from '../lib/time.ts'
import { constant, fixed, list, opaque, struct, u16, u32, u64, u8 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import { PART_BYTES_MAX, PARTS_MAX } from '../wire/content.ts'
import type { partBodyCodec } from '../wire/content.ts'
import type { Database, StoreOp } from './database.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/** How long the parts of a message wait for the others: as long as its sender tries. */
export const PARTS_AGE_MAX_MS = 30 * DAY_MS
/** Bytes of unfinished messages kept for one contact. */
export const PARTS_CONTACT_BYTES_MAX = 8 * 1_024 * 1_024
/** Unfinished messages kept for one contact. */
export const PARTS_CONTACT_SETS_MAX = 16

export type PartBody = Coded<typeof partBodyCodec>

const partSetCodec = struct({
  whole: fixed(16),
  kind: u8,
  count: u16,
  have: list(u16, PARTS_MAX),
  bytes: u32,
  firstAt: u64,
})
type PartSet = Coded<typeof partSetCodec>

/** What is there of a contact's unfinished messages, oldest first. */
const contactPartsCodec = struct({
  version: constant(1),
  contact: fixed(32),
  sets: list(partSetCodec, PARTS_CONTACT_SETS_MAX),
})
const storedPartCodec = struct({ version: constant(1), bytes: opaque(PART_BYTES_MAX) })

/**
 * What a part led to. `kept`: others are missing. `complete`: `body` is that of the whole message. `refused`: it was there
 * already, or does not fit the parts before it. `dropped` names unfinished messages that had to make room.
 */
export type PartResult =
  | { readonly state: 'kept'; readonly ops: readonly StoreOp[]; readonly dropped: readonly Uint8Array[] }
  | { readonly state: 'complete'; readonly ops: readonly StoreOp[]; readonly kind: number; readonly body: Uint8Array }
  | { readonly state: 'refused' }

/** Parts of large messages until the last one is there. Parts of one contact have to come one after another. */
export class Parts {
  readonly #database: Database
  readonly #parts: Repository<Coded<typeof storedPartCodec>>
  readonly #index: Repository<Coded<typeof contactPartsCodec>>

  constructor(database: Database, vault: Vault) {
    this.#database = database
    this.#parts = new Repository(database, vault, 'parts', storedPartCodec)
    this.#index = new Repository(database, vault, 'partsIndex', contactPartsCodec)
  }

  /** What to write for a part that came in at `now`, and the whole body where it was the last one. */
  async add(contact: Uint8Array, part: PartBody, now: number): Promise<PartResult> {
    const sets = (await this.#index.get({ id: contact }))?.sets ?? []
    const known = sets.find(({ whole }) => equal(whole, part.whole))
    const set = known ?? { whole: part.whole, kind: part.kind, count: part.count, have: [], bytes: 0, firstAt: now }
    if (!fits(set, part)) return { state: 'refused' }
    const others = sets.filter((other) => other !== known)
    if (set.have.length + 1 === part.count) return this.#complete(contact, others, set, part)
    const grown = { ...set, have: [...set.have, part.index], bytes: set.bytes + part.bytes.length }
    return this.#keep(contact, others, grown, part)
  }

  /** Deletes unfinished messages of which the first part came more than 30 days before `now`; says how many. */
  async sweep(now: number): Promise<number> {
    let removed = 0
    for await (const { contact, sets } of this.#index.iterate()) {
      const old = sets.filter(({ firstAt }) => firstAt + PARTS_AGE_MAX_MS <= now)
      if (old.length === 0) continue
      const kept = sets.filter((set) => !old.includes(set))
      await this.#database.batch([...this.#deleteParts(contact, old), ...this.#putIndex(contact, kept)])
      removed += old.length
    }
    return removed
  }

  /** Deletes everything unfinished of a contact. */
  async deleteContact(contact: Uint8Array): Promise<readonly StoreOp[]> {
    const sets = (await this.#index.get({ id: contact }))?.sets ?? []
    return [...this.#deleteParts(contact, sets), ...this.#index.delete({ id: contact })]
  }

  #keep(contact: Uint8Array, others: readonly PartSet[], set: PartSet, part: PartBody): PartResult {
    const { kept, dropped } = makeRoom(others, set)
    const name = { id: concat(contact, part.whole), order: part.index }
    const ops = [
      ...this.#deleteParts(contact, dropped),
      ...this.#parts.put(name, { version: 1, bytes: part.bytes }),
      ...this.#putIndex(contact, [...kept, set]),
    ]
    return { state: 'kept', ops, dropped: dropped.map(({ whole }) => whole) }
  }

  async #complete(contact: Uint8Array, others: readonly PartSet[], set: PartSet, part: PartBody): Promise<PartResult> {
    const id = concat(contact, part.whole)
    const names = Array.from({ length: part.count }, (_, order) => ({ id, order }))
    const stored = await this.#parts.getMany(names)
    const bodies = stored.map((value, index) => (index === part.index ? part.bytes : value?.bytes))
    if (bodies.includes(undefined)) throw new StorageError('a part of a message is gone')
    const ops = [...this.#deleteParts(contact, [set]), ...this.#putIndex(contact, others)]
    return { state: 'complete', ops, kind: set.kind, body: concat(...bodies.filter((body) => body !== undefined)) }
  }

  #putIndex(contact: Uint8Array, sets: readonly PartSet[]): StoreOp[] {
    if (sets.length === 0) return this.#index.delete({ id: contact })
    const ordered = [...sets].sort((a, b) => a.firstAt - b.firstAt)
    return this.#index.put({ id: contact }, { version: 1, contact, sets: ordered })
  }

  #deleteParts(contact: Uint8Array, sets: readonly PartSet[]): StoreOp[] {
    return sets.flatMap(({ whole, have }) =>
      have.flatMap((order) => this.#parts.delete({ id: concat(contact, whole), order })),
    )
  }
}

function fits(set: PartSet, part: PartBody): boolean {
  if (part.count === 0 || part.count > PARTS_MAX || part.index >= part.count) return false
  return set.kind === part.kind && set.count === part.count && !set.have.includes(part.index)
}

/** Which of the other sets stay beside `set`: the newest ones that fit. */
function makeRoom(
  others: readonly PartSet[],
  set: PartSet,
): { readonly kept: readonly PartSet[]; readonly dropped: readonly PartSet[] } {
  let bytes = [...others, set].reduce((sum, each) => sum + each.bytes, 0)
  let start = 0
  while (bytes > PARTS_CONTACT_BYTES_MAX || others.length - start >= PARTS_CONTACT_SETS_MAX) {
    bytes -= others[start]?.bytes ?? 0
    start++
  }
  return { kept: others.slice(start), dropped: others.slice(0, start) }
}
