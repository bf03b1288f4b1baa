/** The records of the search index: what is read of a segment, and the operations that write and delete one. */
import { StorageError } from '../lib/errors.ts'
import type { Database, StoreOp } from './database.ts'
import { Repository } from './repository.ts'
import type { Coded } from '../wire/codec.ts'
import {
  columnsCodec,
  DOC_BYTES,
  frontierCodec,
  goneCodec,
  idsCodec,
  IDS_PER_BLOCK,
  manifestCodec,
  placeCodec,
  recentCodec,
  shelfCodec,
} from './search-records.ts'
import type { Manifest, Recent, SegmentName, Shelf } from './search-records.ts'
import { Columns, columnsOf, idBlocks, idIn, shelfOf } from './search-segment.ts'
import type { Doc, Postings } from './search-segment.ts'
import { beginningOf } from './search-words.ts'
import type { Vault } from './vault.ts'
import { utf8 } from '../lib/bytes.ts'

/** Words with the same beginning lie on the same shelf; which one is a keyed hash. */
export const SHELVES = 256
const MANIFEST = { id: utf8('manifest') }
const COLUMNS = utf8('columns')
const IDS = utf8('ids')
/** Blocks of ids that a segment may have, so that orders do not meet. */
const BLOCKS_MAX = 65_536
/** Beginnings whose shelf is remembered; there are some thousand in a language. */
const SHELVES_KNOWN_MAX = 20_000

export class SearchTables {
  readonly places: Repository<Coded<typeof placeCodec>>
  readonly recent: Repository<Recent>
  readonly frontiers: Repository<Coded<typeof frontierCodec>>
  readonly gone: Repository<Coded<typeof goneCodec>>
  readonly #manifest: Repository<Manifest>
  readonly #columns: Repository<Coded<typeof columnsCodec>>
  readonly #ids: Repository<Coded<typeof idsCodec>>
  readonly #shelves: Repository<Shelf>
  readonly #vault: Vault
  readonly #known = new Map<string, number>()

  constructor(database: Database, vault: Vault) {
    this.#vault = vault
    this.places = new Repository(database, vault, 'searchPlaces', placeCodec)
    this.recent = new Repository(database, vault, 'searchRecent', recentCodec)
    this.frontiers = new Repository(database, vault, 'searchBuild', frontierCodec)
    this.gone = new Repository(database, vault, 'searchGone', goneCodec)
    this.#manifest = new Repository(database, vault, 'searchState', manifestCodec)
    this.#columns = new Repository(database, vault, 'searchSegments', columnsCodec)
    this.#ids = new Repository(database, vault, 'searchSegments', idsCodec)
    this.#shelves = new Repository(database, vault, 'searchWords', shelfCodec)
  }

  async manifest(): Promise<Manifest | undefined> {
    return this.#manifest.get(MANIFEST)
  }

  putManifest(manifest: Manifest, accepted: () => void): StoreOp[] {
    return this.#manifest.put(MANIFEST, manifest, { accepted, committed() {}, failed() {} })
  }

  /** The shelf of a word, and of every word that it may be the beginning of. */
  shelf(word: string): number {
    const beginning = beginningOf(word)
    const known = this.#known.get(beginning)
    if (known !== undefined) return known
    const shelf = this.#vault.key('searchWords', { id: utf8(beginning) })[1] ?? 0
    if (this.#known.size >= SHELVES_KNOWN_MAX) this.#known.clear()
    this.#known.set(beginning, shelf)
    return shelf
  }

  /** Forgets what words were asked for. */
  forget(): void {
    this.#known.clear()
  }

  async columns(segment: SegmentName): Promise<Columns | undefined> {
    const record = await this.#columns.get({ id: COLUMNS, order: segment.number })
    if (record !== undefined && record.docs.length !== segment.docs * DOC_BYTES) {
      throw new StorageError('a segment of the search index is not what its list says')
    }
    return record && new Columns(record)
  }

  /** The shelf in each of the segments. */
  async shelvesAt(shelf: number, segments: readonly SegmentName[]): Promise<readonly (Shelf | undefined)[]> {
    return this.#shelves.getMany(segments.map(({ number }) => ({ id: Uint8Array.of(shelf), order: number })))
  }

  /** The ids of messages by segment and place; `undefined` where the segment is gone. */
  async ids(wanted: readonly { segment: SegmentName; place: number }[]): Promise<readonly (Uint8Array | undefined)[]> {
    const orders = wanted.map(({ segment, place }) => blockOrder(segment, Math.floor(place / IDS_PER_BLOCK)))
    const unique = [...new Set(orders)]
    const found = await this.#ids.getMany(unique.map((order) => ({ id: IDS, order })))
    const blocks = new Map(unique.map((order, i) => [order, found[i]?.ids]))
    return wanted.map(({ place }, i) => {
      const block = blocks.get(orders[i] ?? -1)
      return block && idIn(block, place)
    })
  }

  /** All that a segment is. `docs` from old to new. */
  writeSegment(number: number, docs: readonly Doc[], shelves: Iterable<readonly [number, Postings]>): StoreOp[] {
    const segment = { number, docs: docs.length }
    const ops = this.#columns.put({ id: COLUMNS, order: number }, columnsOf(docs))
    for (const [i, ids] of idBlocks(docs).entries()) {
      ops.push(...this.#ids.put({ id: IDS, order: blockOrder(segment, i) }, { version: 1, ids }))
    }
    for (const [shelf, postings] of shelves) {
      ops.push(...this.#shelves.put({ id: Uint8Array.of(shelf), order: number }, shelfOf(postings)))
    }
    return ops
  }

  deleteSegment(segment: SegmentName): StoreOp[] {
    const ops = this.#columns.delete({ id: COLUMNS, order: segment.number })
    for (let block = 0; block * IDS_PER_BLOCK < segment.docs; block++) {
      ops.push(...this.#ids.delete({ id: IDS, order: blockOrder(segment, block) }))
    }
    for (let shelf = 0; shelf < SHELVES; shelf++) {
      ops.push(...this.#shelves.delete({ id: Uint8Array.of(shelf), order: segment.number }))
    }
    return ops
  }
}

function blockOrder(segment: SegmentName, block: number): number {
  return segment.number * BLOCKS_MAX + block
}
