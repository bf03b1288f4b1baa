/**
 * Full-text search over the messages of this home, sealed like everything else. README.md has the layout and what it tells whoever
 * has the disk. What a message is found by changes in the batch that changes the message; segments are made and joined besides.
 */
import { concat, fromHex, toHex, u64be } from '../lib/bytes.ts'
import { CodecError, StorageError } from '../lib/errors.ts'
import { bucketRange } from './buckets.ts'
import type { BucketName } from './buckets.ts'
import type { Database, StoreOp, Tracker } from './database.ts'
import type { Message } from './records.ts'
import { changeManifest, forget, remember } from './search-memory.ts'
import type { SearchMemory } from './search-memory.ts'
import { answer } from './search-query.ts'
import type { Found } from './search-query.ts'
import { SEARCH_STATE } from './search-records.ts'
import type { Manifest, Recent } from './search-records.ts'
import { SearchTables } from './search-tables.ts'
import { SEGMENT_DOCS, SearchUpkeep } from './search-upkeep.ts'
import { queryWords, wordsOf } from './search-words.ts'
import type { DocKey } from './search-segment.ts'
import type { Vault } from './vault.ts'

/** What the index takes from a message: `text` as it is shown, empty where it is gone. */
export type Indexed = Pick<Message, 'id' | 'contact' | 'text' | 'committedAt' | 'order'>

export interface SearchOptions {
  readonly contact?: Uint8Array
  /** `next` of the page before. */
  readonly before?: string
  readonly limit: number
}

export interface SearchPage {
  /** Message ids, newest first. */
  readonly ids: readonly Uint8Array[]
  /** Cursor of the next page; null at the end. */
  readonly next: string | null
}

/** Results of one page at most. */
const PAGE_MAX = 200
/** A query that segments were joined under begins anew, so often. */
const TRIES_MAX = 16
const BUCKETS = ['searchPlaces', 'searchRecent', 'searchSegments', 'searchWords', 'searchBuild', 'searchGone'] as const
/** What holds words, or ids of messages that had them. */
const SWEPT: readonly BucketName[] = ['searchRecent', 'searchSegments', 'searchWords']

export class SearchIndex {
  readonly #database: Database
  readonly #tables: SearchTables
  readonly #upkeep: SearchUpkeep
  #memory: Promise<SearchMemory> | undefined
  #generation = -1
  #onDamage = (): void => {}

  private constructor(database: Database, vault: Vault, segmentDocs: number) {
    this.#database = database
    this.#tables = new SearchTables(database, vault)
    this.#upkeep = new SearchUpkeep(database, this.#tables, segmentDocs)
  }

  /**
   * The index of a home; one that has messages and no index, or one whose list of segments is damaged, is to be built.
   * @param segmentDocs messages of a new segment; fewer only where a test wants many segments.
   */
  static async open(database: Database, vault: Vault, segmentDocs = SEGMENT_DOCS): Promise<SearchIndex> {
    const index = new SearchIndex(database, vault, segmentDocs)
    if (!(await index.#hasManifest())) await database.batch(index.#tables.putManifest(await index.#first(), () => {}))
    return index
  }

  /**
   * What puts the words of a message right, to be written in the batch that changes it: `before` and `after` are the message as it
   * was and will be shown, `undefined` where it was not or will not be there. Only reads.
   */
  async indexOps(before: Indexed | undefined, after: Indexed | undefined): Promise<readonly StoreOp[]> {
    const one = after ?? before
    if (one === undefined || (before !== undefined && before.text === after?.text)) return []
    const memory = await this.#load()
    if (!covers(memory, one)) return []
    const words = after === undefined ? [] : wordsOf(after.text)
    const known = before === undefined ? undefined : await this.#tables.places.get({ id: one.id })
    const gone = known === undefined ? [] : this.#goneOps(memory, known.number)
    if (after !== undefined && words.length > 0) return [...gone, ...this.#addOps(memory, after, words)]
    return before === undefined ? gone : [...gone, ...this.#tables.places.delete({ id: one.id })]
  }

  /** The newest messages that have words beginning with each of the query's; none for a query without words. */
  async find(query: string, options: SearchOptions): Promise<SearchPage> {
    const words = queryWords(query)
    if (words.length === 0) return { ids: [], next: null }
    const limit = Math.max(1, Math.min(PAGE_MAX, options.limit))
    const before = options.before === undefined ? undefined : parseCursor(options.before)
    const asked = { words, contact: options.contact, before, limit: limit + 1 }
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const memory = await this.#load()
      const found = await this.#orDamaged(async () => answer(this.#tables, memory, asked))
      if (found !== undefined) return pageOf(found, limit)
    }
    throw new StorageError('the search index changes too fast')
  }

  /** Calls back when something of the index could not be read: it is to be built anew. */
  watchDamage(listener: () => void): void {
    this.#onDamage = listener
  }

  /** What remains to be done: `clear` calls for {@link reset}, `build` for {@link buildOps} until {@link builtOps}. */
  async task(): Promise<'clear' | 'build' | 'none'> {
    const { state } = (await this.#load()).manifest
    return state === SEARCH_STATE.clearing ? 'clear' : state === SEARCH_STATE.building ? 'build' : 'none'
  }

  /** Of an old conversation: messages of this order and later are indexed; `undefined` where none is. */
  async frontier(contact: Uint8Array): Promise<number | undefined> {
    return (await this.#load()).frontiers.get(toHex(contact))
  }

  /**
   * Indexes `messages`, the next older ones of a conversation in any order, so that those from the order `from` on are. Handed to
   * the one writer, as what it was made of must not change before it is written.
   */
  async buildOps(contact: Uint8Array, messages: readonly Indexed[], from: number): Promise<readonly StoreOp[]> {
    const memory = await this.#load()
    const sorted = messages.toSorted((a, b) => a.committedAt - b.committedAt || a.order - b.order)
    const ops = sorted.flatMap((message) => {
      const words = wordsOf(message.text)
      return words.length === 0 ? [] : this.#addOps(memory, message, words)
    })
    const track = tracker(() => memory.frontiers.set(toHex(contact), from))
    return [...ops, ...this.#tables.frontiers.put({ id: contact }, { version: 1, contact, from }, track)]
  }

  /** Every conversation is indexed. */
  async builtOps(): Promise<readonly StoreOp[]> {
    const memory = await this.#load()
    const frontiers = [...memory.frontiers.keys()].map((hex) => fromHex(hex) ?? new Uint8Array(0))
    const manifest: Manifest = { ...memory.manifest, state: SEARCH_STATE.built, nextNumber: memory.next }
    const accepted = (): void => {
      memory.frontiers.clear()
      changeManifest(memory, { state: SEARCH_STATE.built })
    }
    const ops = frontiers.flatMap((id) => this.#tables.frontiers.delete({ id }))
    return [...ops, ...this.#tables.putManifest(manifest, accepted)]
  }

  /** Throws the index away; it is to be built anew. Goes on where it was cut short. */
  async reset(): Promise<void> {
    await this.#upkeep.alone(async () => {
      const memory = await this.#load()
      await this.#write(memory, { state: SEARCH_STATE.clearing, segments: [], nextNumber: memory.next })
      for (const bucket of BUCKETS) await this.#database.clear(bucketRange(bucket))
      await this.#write(memory, { state: SEARCH_STATE.building, nextNumber: memory.next })
    })
  }

  /** Upkeep: joins segments, and takes what was deleted out of them and out of LevelDB's files. */
  async tend(): Promise<void> {
    const purged = await this.#upkeep.alone(async () => {
      const memory = await this.#load()
      return this.#orDamaged(async () => {
        await this.#upkeep.flush(memory)
        await this.#upkeep.join(memory)
        return this.#upkeep.purge(memory)
      })
    })
    if (purged) for (const bucket of SWEPT) await this.#database.compact(bucketRange(bucket))
  }

  /** Resolves when nothing is at work; to be awaited before the vault is locked. */
  async idle(): Promise<void> {
    await this.#upkeep.idle()
    this.#tables.forget()
  }

  /** Nothing is lost but time: what cannot be read is thrown away, and made anew from the messages. Throws what `job` throws. */
  async #orDamaged<T>(job: () => Promise<T>): Promise<T> {
    try {
      return await job()
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      const memory = await this.#load()
      if (memory.manifest.state === SEARCH_STATE.built) {
        const manifest: Manifest = { ...memory.manifest, state: SEARCH_STATE.clearing, nextNumber: memory.next }
        const accepted = (): void => {
          changeManifest(memory, { state: SEARCH_STATE.clearing })
        }
        await this.#database.batch(this.#tables.putManifest(manifest, accepted)).catch(() => {})
        this.#onDamage()
      }
      throw error
    }
  }

  #addOps(memory: SearchMemory, message: Indexed, words: readonly string[]): StoreOp[] {
    const { id, contact, committedAt, order } = message
    const number = memory.next++
    const recent: Recent = { version: 1, number, id, contact, committedAt, order, words }
    const track = tracker(() => {
      remember(memory, recent)
      this.#upkeep.afterInsertion(memory)
    })
    return [
      ...this.#tables.places.put({ id }, { version: 1, number }),
      ...this.#tables.recent.put({ order: number }, recent, track),
    ]
  }

  /** The words leave the newest at once, and segments with the next upkeep. */
  #goneOps(memory: SearchMemory, number: number): StoreOp[] {
    const track = tracker(() => {
      forget(memory, number)
    })
    return [
      ...this.#tables.recent.delete({ order: number }, track),
      ...this.#tables.gone.put({ order: number }, { version: 1, number }),
    ]
  }

  /** Nothing of the index is left but the change. */
  async #write(memory: SearchMemory, change: Partial<Manifest>): Promise<void> {
    const accepted = (): void => {
      for (const number of memory.recent.keys()) forget(memory, number)
      memory.frontiers.clear()
      changeManifest(memory, change)
    }
    await this.#database.batch(this.#tables.putManifest({ ...memory.manifest, ...change }, accepted))
  }

  /** Memory as the disk has it: read anew after a write that failed. */
  async #load(): Promise<SearchMemory> {
    if (this.#memory === undefined || this.#generation !== this.#database.generation) {
      this.#generation = this.#database.generation
      const loading = this.#read()
      this.#memory = loading
      loading.catch(() => {
        if (this.#memory === loading) this.#memory = undefined
      })
    }
    return this.#memory
  }

  async #read(): Promise<SearchMemory> {
    const { generation } = this.#database
    const manifest = await this.#tables.manifest()
    if (manifest === undefined) throw new StorageError('the search index is gone')
    const [newest] = await this.#tables.recent.list({ reverse: true, limit: 1 })
    const [gone] = await this.#tables.gone.list({ reverse: true, limit: 1 })
    const next = Math.max(manifest.nextNumber, (newest?.number ?? 0) + 1, (gone?.number ?? 0) + 1)
    const memory: SearchMemory = {
      generation,
      manifest,
      next,
      version: 0,
      recent: new Map(),
      recentWords: 0,
      frontiers: new Map(),
      columns: new Map(),
    }
    for (const recent of await this.#tables.recent.list()) remember(memory, recent)
    for (const { contact, from } of await this.#tables.frontiers.list()) memory.frontiers.set(toHex(contact), from)
    return memory
  }

  async #hasManifest(): Promise<boolean> {
    try {
      return (await this.#tables.manifest()) !== undefined
    } catch (error) {
      if (error instanceof StorageError) return false
      throw error
    }
  }

  /** A home without messages has nothing to build; elsewhere, what may be left of an index goes first. */
  async #first(): Promise<Manifest> {
    let state: Manifest['state'] = SEARCH_STATE.built
    for await (const _key of this.#database.keys({ ...bucketRange('messages'), limit: 1 }))
      state = SEARCH_STATE.clearing
    return { version: 1, state, nextSegment: 1, nextNumber: 1, segments: [] }
  }
}

/** Whether the message is to be indexed now; the builder comes by the others. */
function covers({ manifest, frontiers }: SearchMemory, { contact, order }: Indexed): boolean {
  if (manifest.state === SEARCH_STATE.built) return true
  if (manifest.state === SEARCH_STATE.clearing) return false
  return order >= (frontiers.get(toHex(contact)) ?? Number.POSITIVE_INFINITY)
}

function tracker(accepted: () => void): Tracker {
  return { accepted, committed() {}, failed() {} }
}

function pageOf(found: readonly Found[], limit: number): SearchPage {
  const page = found.slice(0, limit)
  const last = page.at(-1)
  return { ids: page.map(({ id }) => id), next: found.length > limit && last !== undefined ? cursor(last.key) : null }
}

function cursor({ committedAt, order, number }: DocKey): string {
  return toHex(concat(u64be(committedAt), u64be(order), u64be(number)))
}

function parseCursor(text: string): DocKey {
  const bytes = fromHex(text)
  if (bytes?.length !== 24) throw new CodecError('the cursor is not one of a search')
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const [committedAt = 0, order = 0, number = 0] = [0, 8, 16].map((at) => Number(view.getBigUint64(at)))
  return { committedAt, order, number }
}
