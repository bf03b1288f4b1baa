/** How segments come about and are joined: the newest messages become one, eight of a size become a larger one. */
import { KeyedQueue } from '../lib/queue.ts'
import type { Database, StoreOp } from './database.ts'
import { changeManifest, forget } from './search-memory.ts'
import type { SearchMemory } from './search-memory.ts'
import { SEGMENT_DOCS_MAX } from './search-records.ts'
import type { SegmentName, Shelf } from './search-records.ts'
import { eachPlace, olderFirst } from './search-segment.ts'
import type { Columns, Doc, Postings } from './search-segment.ts'
import { SHELVES } from './search-tables.ts'
import type { SearchTables } from './search-tables.ts'

/** As many messages, or so many words for each of them, make a segment. */
export const SEGMENT_DOCS = 1_024
const WORDS_PER_DOC = 128
/** So many segments of one size are joined. */
const JOINED = 8
/** Deletions that one round of upkeep takes out of the segments. */
const GONE_MAX = 100_000
const WAITING_MAX = 64

/** A place that is in no segment any more. */
const NOWHERE = 0xffff_ffff

interface Input {
  readonly segment: SegmentName
  readonly columns: Columns
  /** By old place the new one. */
  readonly moved: Uint32Array
}

export class SearchUpkeep {
  readonly #database: Database
  readonly #tables: SearchTables
  readonly #queue = new KeyedQueue(WAITING_MAX)
  readonly #segmentDocs: number
  #asked = false

  constructor(database: Database, tables: SearchTables, segmentDocs: number) {
    this.#segmentDocs = segmentDocs
    this.#database = database
    this.#tables = tables
  }

  /** Runs `job` when no other changes the segments. */
  async alone<T>(job: () => Promise<T>): Promise<T> {
    return this.#queue.run('', job)
  }

  async idle(): Promise<void> {
    await this.#queue.idle()
  }

  /** Makes a segment soon where there are enough new messages. One that fails is made with a later message. */
  afterInsertion(memory: SearchMemory): void {
    if (this.#asked || !this.#isDue(memory)) return
    this.#asked = true
    void this.alone(async () => {
      this.#asked = false
      await this.flush(memory)
      await this.join(memory)
    }).catch(() => {
      this.#asked = false
    })
  }

  /** Prepared and handed over in one go, so that nothing comes in between. */
  async flush(memory: SearchMemory): Promise<void> {
    if (!this.#isDue(memory)) return
    const docs = [...memory.recent.values()].sort(olderFirst)
    const shelves = new Map<number, Postings>()
    for (const [place, { words }] of docs.entries()) {
      for (const word of words) post(shelves, this.#tables.shelf(word), word, place)
    }
    const ops = docs.flatMap(({ number }) => this.#tables.recent.delete({ order: number }))
    const accepted = (): void => {
      for (const { number } of docs) forget(memory, number)
    }
    await this.#replace(memory, [], { docs, shelves: [...shelves] }, ops, accepted)
  }

  /** Joins segments of a size while there are enough of them. */
  async join(memory: SearchMemory): Promise<void> {
    for (
      let group = crowd(memory.manifest.segments, this.#segmentDocs);
      group.length > 0;
      group = crowd(memory.manifest.segments, this.#segmentDocs)
    ) {
      await this.#rewrite(memory, group, new Set())
    }
  }

  /** Takes the words of deleted and replaced texts out of the segments. Whether there were any. */
  async purge(memory: SearchMemory): Promise<boolean> {
    const gone = await this.#tables.gone.list({ limit: GONE_MAX })
    if (gone.length === 0) return false
    const numbers = new Set(gone.map(({ number }) => number))
    for (const segment of memory.manifest.segments) {
      const columns = await this.#tables.columns(segment)
      const hit = columns !== undefined && someOf(columns, numbers)
      if (hit) await this.#rewrite(memory, [segment], numbers)
    }
    await this.#database.batch(gone.flatMap(({ number }) => this.#tables.gone.delete({ order: number })))
    return true
  }

  #isDue({ recent, recentWords }: SearchMemory): boolean {
    return recent.size >= this.#segmentDocs || recentWords >= this.#segmentDocs * WORDS_PER_DOC
  }

  async #rewrite(memory: SearchMemory, segments: readonly SegmentName[], gone: ReadonlySet<number>): Promise<void> {
    const inputs: Input[] = []
    for (const segment of segments) {
      const columns = await this.#tables.columns(segment)
      if (columns === undefined) return
      inputs.push({ segment, columns, moved: new Uint32Array(segment.docs).fill(NOWHERE) })
    }
    const docs = await this.#docs(inputs, gone)
    const shelves: [number, Postings][] = []
    for (let shelf = 0; shelf < SHELVES; shelf++) {
      // Each is read by itself: in between, others have their turn.
      const postings = joined(inputs, await this.#tables.shelvesAt(shelf, segments))
      if (postings.size > 0) shelves.push([shelf, postings])
    }
    await this.#replace(memory, segments, { docs, shelves }, [], () => {})
  }

  /** The messages of all of them, oldest first; notes where each goes. */
  async #docs(inputs: readonly Input[], gone: ReadonlySet<number>): Promise<readonly Doc[]> {
    const docs: Doc[] = []
    const from: { readonly input: Input; readonly place: number; readonly doc: Doc }[] = []
    for (const input of inputs) {
      const { segment, columns } = input
      const ids = await this.#tables.ids(Array.from({ length: columns.count }, (_, place) => ({ segment, place })))
      for (let place = 0; place < columns.count; place++) {
        const key = columns.key(place)
        const [id, contact] = [ids[place], columns.contacts[columns.contactAt(place)]]
        if (gone.has(key.number) || id === undefined || contact === undefined) continue
        from.push({ input, place, doc: { id, contact, ...key } })
      }
    }
    from.sort((a, b) => olderFirst(a.doc, b.doc))
    for (const { input, place, doc } of from) input.moved[place] = docs.push(doc) - 1
    return docs
  }

  async #replace(
    memory: SearchMemory,
    old: readonly SegmentName[],
    made: { readonly docs: readonly Doc[]; readonly shelves: readonly (readonly [number, Postings])[] },
    also: readonly StoreOp[],
    accepted: () => void,
  ): Promise<void> {
    const { manifest, generation } = memory
    const number = manifest.nextSegment
    const kept = manifest.segments.filter((segment) => !old.includes(segment))
    const added = made.docs.length === 0 ? [] : [{ number, docs: made.docs.length }]
    const change = { segments: [...kept, ...added], nextSegment: number + 1, nextNumber: memory.next }
    const ops = [
      ...also,
      ...(added.length === 0 ? [] : this.#tables.writeSegment(number, made.docs, made.shelves)),
      ...old.flatMap((segment) => this.#tables.deleteSegment(segment)),
      ...this.#tables.putManifest({ ...manifest, ...change }, () => {
        changeManifest(memory, change)
        accepted()
      }),
    ]
    await this.#database.batch(ops, { generation })
  }
}

/** Eight segments of one size that may be joined, or none. Sizes are powers of eight times that of a new one. */
function crowd(segments: readonly SegmentName[], least: number): readonly SegmentName[] {
  const sizes = new Map<number, SegmentName[]>()
  for (const segment of segments) {
    const size = Math.max(0, Math.floor(Math.log(segment.docs / least) / Math.log(JOINED) + 1e-9))
    sizes.set(size, [...(sizes.get(size) ?? []), segment])
  }
  for (const group of sizes.values()) {
    const first = group.slice(0, JOINED)
    const docs = first.reduce((sum, segment) => sum + segment.docs, 0)
    if (first.length === JOINED && docs <= SEGMENT_DOCS_MAX) return first
  }
  return []
}

function post(shelves: Map<number, Postings>, shelf: number, word: string, place: number): void {
  const postings = shelves.get(shelf) ?? new Map<string, number[]>()
  shelves.set(shelf, postings)
  const places = postings.get(word)
  if (places === undefined) postings.set(word, [place])
  else places.push(place)
}

function joined(inputs: readonly Input[], shelves: readonly (Shelf | undefined)[]): Postings {
  const postings: Postings = new Map()
  for (const [i, { moved }] of inputs.entries()) {
    for (const { word, docs } of shelves[i]?.words ?? []) {
      const places = postings.get(word) ?? []
      eachPlace(docs, (place) => {
        const to = moved[place] ?? NOWHERE
        if (to !== NOWHERE) places.push(to)
      })
      if (places.length > 0) postings.set(word, places)
    }
  }
  // Segments may overlap in time: what was ascending in each is not so in all of them.
  if (inputs.length > 1) for (const places of postings.values()) places.sort((a, b) => a - b)
  return postings
}

function someOf(columns: Columns, numbers: ReadonlySet<number>): boolean {
  for (let place = 0; place < columns.count; place++) if (numbers.has(columns.number(place))) return true
  return false
}
