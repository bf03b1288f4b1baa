/** Segments of the search index as they lie in memory, and how they become records. Pure. */
import { compare, concat, toHex } from '../lib/bytes.ts'
import { StorageError } from '../lib/errors.ts'
import type { Coded } from '../wire/codec.ts'
import { DOC_BYTES, ID_BYTES, IDS_PER_BLOCK } from './search-records.ts'
import type { columnsCodec, Shelf } from './search-records.ts'

/** A message in the order in which results come: by committedAt, then order, then the number of its indexing. */
export interface Doc {
  readonly id: Uint8Array
  readonly contact: Uint8Array
  readonly committedAt: number
  readonly order: number
  readonly number: number
}
export type DocKey = Pick<Doc, 'committedAt' | 'order' | 'number'>

/** Negative where `a` is older. */
export function olderFirst(a: DocKey, b: DocKey): number {
  return a.committedAt - b.committedAt || a.order - b.order || a.number - b.number
}

/** A segment's messages, oldest first. About 28 bytes for each. */
export class Columns {
  readonly contacts: readonly Uint8Array[]
  readonly #docs: DataView
  readonly count: number

  constructor(record: Coded<typeof columnsCodec>) {
    const { docs, contacts } = record
    this.contacts = contacts
    this.#docs = new DataView(docs.buffer, docs.byteOffset, docs.byteLength)
    this.count = docs.length / DOC_BYTES
  }

  key(place: number): DocKey {
    return { committedAt: this.#u64(place, 0), order: this.#u64(place, 8), number: this.number(place) }
  }

  number(place: number): number {
    return this.#u64(place, 16)
  }

  contactAt(place: number): number {
    return this.#docs.getUint32(place * DOC_BYTES + 24)
  }

  contactIndex(contact: Uint8Array): number {
    return this.contacts.findIndex((one) => compare(one, contact) === 0)
  }

  /** How many are older than `key`. */
  olderThan(key: DocKey): number {
    let [low, high] = [0, this.count]
    while (low < high) {
      const middle = (low + high) >> 1
      if (olderFirst(this.key(middle), key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #u64(place: number, offset: number): number {
    const at = place * DOC_BYTES + offset
    return this.#docs.getUint32(at) * 2 ** 32 + this.#docs.getUint32(at + 4)
  }
}

/** The record of {@link Columns}. */
export function columnsOf(docs: readonly Doc[]): Coded<typeof columnsCodec> {
  const contacts: Uint8Array[] = []
  const known = new Map<string, number>()
  const packed = new Uint8Array(docs.length * DOC_BYTES)
  const view = new DataView(packed.buffer)
  for (const [i, doc] of docs.entries()) {
    const at = i * DOC_BYTES
    for (const [j, value] of [doc.committedAt, doc.order, doc.number].entries()) {
      view.setUint32(at + 8 * j, Math.floor(value / 2 ** 32))
      view.setUint32(at + 8 * j + 4, value % 2 ** 32)
    }
    const name = toHex(doc.contact)
    const index = known.get(name) ?? contacts.push(doc.contact) - 1
    known.set(name, index)
    view.setUint32(at + 24, index)
  }
  return { version: 1, contacts, docs: packed }
}

/** The ids in blocks. */
export function idBlocks(docs: readonly Doc[]): readonly Uint8Array[] {
  const blocks: Uint8Array[] = []
  for (let at = 0; at < docs.length; at += IDS_PER_BLOCK) {
    blocks.push(concat(...docs.slice(at, at + IDS_PER_BLOCK).map(({ id }) => id)))
  }
  return blocks
}

/** Of a block of {@link idBlocks}: the id of the message at `place` in the segment. */
export function idIn(block: Uint8Array, place: number): Uint8Array {
  const at = (place % IDS_PER_BLOCK) * ID_BYTES
  return block.subarray(at, at + ID_BYTES)
}

/** Words with the places of their messages, ascending. */
export type Postings = Map<string, number[]>

export function shelfOf(postings: Postings): Shelf {
  const sorted = [...postings].sort(([a], [b]) => (a < b ? -1 : 1))
  const words = sorted.map(([word, places]) => ({ word, docs: written(places) }))
  const size = words.reduce((sum, { word, docs }) => sum + word.length + docs.length + 6, 0)
  return { version: 1, words, padding: new Uint8Array(paddedSize(size) - size) }
}

/** Padmé (Nikitin et al., PETS 2019): at most 12 % more, and O(log log n) bits of the size remain. */
function paddedSize(size: number): number {
  const exponent = Math.floor(Math.log2(Math.max(size, 64)))
  const unit = 2 ** (exponent - Math.floor(Math.log2(exponent)) - 1)
  return Math.ceil(Math.max(size, 64) / unit) * unit
}

function written(places: readonly number[]): Uint8Array {
  const out = new Uint8Array(places.length * 3)
  let [at, last] = [0, 0]
  for (const place of places) {
    let rest = place - last
    last = place
    while (rest > 0x7f) {
      out[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    out[at++] = rest
  }
  return out.slice(0, at)
}

/** Calls `each` with the places that `docs` of a shelf stands for, ascending. */
export function eachPlace(docs: Uint8Array, each: (place: number) => void): void {
  let [place, at] = [0, 0]
  while (at < docs.length) {
    let [shift, value] = [0, 0]
    for (;;) {
      const byte = docs[at++]
      if (byte === undefined || shift > 21) throw new StorageError('a record in "searchWords" does not decode')
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) break
      shift += 7
    }
    place += value
    each(place)
  }
}
