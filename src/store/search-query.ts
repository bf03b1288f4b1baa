/** Answers a query: per segment the messages that have every word, then all segments as one list, newest first. */
import { compare } from '../lib/bytes.ts'
import { StorageError } from '../lib/errors.ts'
import type { SearchMemory } from './search-memory.ts'
import type { Recent, SegmentName, Shelf } from './search-records.ts'
import { eachPlace, olderFirst } from './search-segment.ts'
import type { Columns, DocKey } from './search-segment.ts'
import type { SearchTables } from './search-tables.ts'
import { matches } from './search-words.ts'

export interface Query {
  /** As `queryWords` gives them; at least one. */
  readonly words: readonly string[]
  readonly contact: Uint8Array | undefined
  /** Only what is older. */
  readonly before: DocKey | undefined
  /** Results at most. */
  readonly limit: number
}

export interface Found {
  readonly key: DocKey
  readonly id: Uint8Array
}

/** A message that has the words, as far as its list says: it may be gone since. */
interface Candidate {
  readonly key: DocKey
  readonly id?: Uint8Array
  readonly at?: { readonly segment: SegmentName; readonly place: number }
}

/** Candidates that are looked up together beyond those that are wanted: some are gone. */
const SPARE = 16

/** The results, or `undefined` where the segments changed meanwhile. */
export async function answer(
  tables: SearchTables,
  memory: SearchMemory,
  query: Query,
): Promise<readonly Found[] | undefined> {
  const { version } = memory
  const sources: Iterator<Candidate>[] = [ofRecent([...memory.recent.values()], query)]
  for (const source of await ofSegments(tables, memory, query)) sources.push(source)
  const found: Found[] = []
  const candidates = newestFirst(sources)
  while (found.length < query.limit) {
    const some = take(candidates, query.limit - found.length + SPARE)
    if (some.length === 0) break
    found.push(...(await living(tables, some)))
  }
  return version === memory.version ? found.slice(0, query.limit) : undefined
}

function* ofRecent(recent: readonly Recent[], { words, contact, before }: Query): Generator<Candidate> {
  const sorted = recent.filter(
    (one) =>
      (contact === undefined || compare(one.contact, contact) === 0) &&
      (before === undefined || olderFirst(one, before) < 0) &&
      words.every((asked) => one.words.some((word) => matches(word, asked))),
  )
  sorted.sort((a, b) => olderFirst(b, a))
  for (const { id, committedAt, order, number } of sorted) yield { key: { committedAt, order, number }, id }
}

async function ofSegments(
  tables: SearchTables,
  memory: SearchMemory,
  query: Query,
): Promise<readonly Iterator<Candidate>[]> {
  const { segments } = memory.manifest
  const bits = segments.map<Uint8Array | undefined>(() => undefined)
  for (const [i, word] of query.words.entries()) {
    const wanted = segments.filter((_, s) => i === 0 || bits[s] !== undefined)
    const shelves = await tables.shelvesAt(tables.shelf(word), wanted)
    for (const [w, segment] of wanted.entries()) {
      const s = segments.indexOf(segment)
      bits[s] = both(i === 0 ? undefined : bits[s], marked(shelves[w], word, segment.docs))
    }
  }
  const sources: Iterator<Candidate>[] = []
  for (const [s, segment] of segments.entries()) {
    const set = bits[s]
    const columns = set && (await columnsOf(tables, memory, segment))
    if (set !== undefined && columns !== undefined) sources.push(ofSegment(segment, columns, set, query))
  }
  return sources
}

async function columnsOf(
  tables: SearchTables,
  memory: SearchMemory,
  segment: SegmentName,
): Promise<Columns | undefined> {
  const known = memory.columns.get(segment.number)
  if (known !== undefined) return known
  const { version } = memory
  const columns = await tables.columns(segment)
  if (version !== memory.version) return columns
  if (columns === undefined) throw new StorageError('a segment of the search index is not there')
  memory.columns.set(segment.number, columns)
  return columns
}

function* ofSegment(
  segment: SegmentName,
  columns: Columns,
  bits: Uint8Array,
  { contact, before }: Query,
): Generator<Candidate> {
  const wanted = contact === undefined ? undefined : columns.contactIndex(contact)
  if (wanted === -1) return
  for (let place = (before === undefined ? columns.count : columns.olderThan(before)) - 1; place >= 0; place--) {
    if (((bits[place >> 3] ?? 0) & (1 << (place & 7))) === 0) continue
    if (wanted !== undefined && columns.contactAt(place) !== wanted) continue
    yield { key: columns.key(place), at: { segment, place } }
  }
}

/** A bit for each message of which a word answers `asked`; `undefined` for none. */
function marked(shelf: Shelf | undefined, asked: string, count: number): Uint8Array | undefined {
  let bits: Uint8Array | undefined
  for (const { word, docs } of shelf?.words ?? []) {
    if (!matches(word, asked)) continue
    const set = (bits ??= new Uint8Array((count + 7) >> 3))
    eachPlace(docs, (place) => {
      set[place >> 3] = (set[place >> 3] ?? 0) | (1 << (place & 7))
    })
  }
  return bits
}

function both(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  if (a === undefined || b === undefined) return b
  for (let i = 0; i < b.length; i++) b[i] = (b[i] ?? 0) & (a[i] ?? 0)
  return b
}

function* newestFirst(sources: readonly Iterator<Candidate>[]): Generator<Candidate> {
  const heads = sources.map((source) => ({ source, head: next(source) })).filter(({ head }) => head !== undefined)
  for (;;) {
    let newest: (typeof heads)[number] | undefined
    for (const one of heads) {
      if (one.head === undefined) continue
      if (newest?.head === undefined || olderFirst(newest.head.key, one.head.key) < 0) newest = one
    }
    if (newest?.head === undefined) return
    yield newest.head
    newest.head = next(newest.source)
  }
}

function next(source: Iterator<Candidate>): Candidate | undefined {
  const step = source.next()
  return step.done === true ? undefined : step.value
}

function take(candidates: Iterator<Candidate>, count: number): readonly Candidate[] {
  const taken: Candidate[] = []
  while (taken.length < count) {
    const one = next(candidates)
    if (one === undefined) break
    taken.push(one)
  }
  return taken
}

/** Those that still are what their message says. */
async function living(tables: SearchTables, candidates: readonly Candidate[]): Promise<readonly Found[]> {
  const looked = candidates.flatMap(({ at }) => (at === undefined ? [] : [at]))
  const read = await tables.ids(looked)
  const known = candidates.map(({ id, at }) => id ?? (at && read[looked.indexOf(at)]))
  const named = candidates.flatMap(({ key }, i) => {
    const id = known[i]
    return id === undefined ? [] : [{ key, id }]
  })
  const places = await tables.places.getMany(named.map(({ id }) => ({ id })))
  return named.filter(({ key }, i) => places[i]?.number === key.number)
}
