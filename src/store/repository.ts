/** Typed records in one sealed bucket. Writing returns operations: callers put all of one fact into one batch. */
import { concat, u64be } from '../lib/bytes.ts'
import { CodecError, StorageError } from '../lib/errors.ts'
import { decode, encode } from '../wire/codec.ts'
import type { Codec } from '../wire/codec.ts'
import { bucketRange } from './buckets.ts'
import type { BucketName, KeyRange } from './buckets.ts'
import type { Database, StoreOp, Tracker, WalkRange } from './database.ts'
import { RecordCache } from './record-cache.ts'
import type { RecordName, Vault } from './vault.ts'

/** Which records to walk over. Without `id` the whole bucket; `from` and `before` bound the order (`before` excluded). */
export interface Walk {
  readonly id?: Uint8Array
  readonly from?: number
  readonly before?: number
  readonly reverse?: boolean
  readonly limit?: number
  /** Called for a record that does not open or decode, which is then passed over. Without it the walk throws. */
  readonly onCorrupt?: (error: StorageError) => void
}

export class Repository<T> {
  readonly #database: Database
  readonly #vault: Vault
  readonly #bucket: BucketName
  readonly #codec: Codec<T>
  readonly #cache: RecordCache<T>

  /** @param cached opened records kept in memory; what is handed out is shared, so never write to it. */
  constructor(database: Database, vault: Vault, bucket: BucketName, codec: Codec<T>, cached = 0) {
    this.#cache = new RecordCache(cached)
    this.#database = database
    this.#vault = vault
    this.#bucket = bucket
    this.#codec = codec
  }

  /** Throws StorageError, naming the bucket, where the record is there but does not open or decode. */
  async get(name: RecordName): Promise<T | undefined> {
    const key = this.#vault.key(this.#bucket, name)
    this.#cache.at(this.#database.generation)
    const known = this.#cache.get(key)
    if (known !== undefined) return known.value
    const found = this.#cache.reading(key)
    const stored = await this.#database.get(key)
    const value = stored === undefined ? undefined : this.#open(key, stored)
    found(value, stored?.length ?? 0)
    return value
  }

  /** The records in the order of their names, `undefined` where there is none. */
  async getMany(names: readonly RecordName[]): Promise<(T | undefined)[]> {
    const keys = names.map((name) => this.#vault.key(this.#bucket, name))
    const stored = await this.#database.getMany(keys)
    return keys.map((key, i) => {
      const value = stored[i]
      return value === undefined ? undefined : this.#open(key, value)
    })
  }

  async has(name: RecordName): Promise<boolean> {
    const key = this.#vault.key(this.#bucket, name)
    this.#cache.at(this.#database.generation)
    const known = this.#cache.get(key)
    if (known !== undefined) return known.value !== undefined
    return (await this.#database.get(key)) !== undefined
  }

  put(name: RecordName, value: T, track?: Tracker): StoreOp[] {
    const key = this.#vault.key(this.#bucket, name)
    const stored = this.#vault.seal(this.#bucket, key, encode(this.#codec, value))
    return [{ type: 'put', key, value: stored, track: this.#tracked(key, value, stored.length, track) }]
  }

  delete(name: RecordName, track?: Tracker): StoreOp[] {
    const key = this.#vault.key(this.#bucket, name)
    return [{ type: 'del', key, track: this.#tracked(key, undefined, 0, track) }]
  }

  /** Keeps the cache in step with a change: reads see it from the moment the batch is taken on. */
  #tracked(key: Uint8Array, value: T | undefined, bytes: number, track: Tracker | undefined): Tracker {
    return {
      accepted: () => {
        this.#cache.changed(key, value, bytes)
        try {
          track?.accepted()
        } catch (error) {
          this.#cache.forget(key)
          throw error
        }
      },
      committed: () => {
        track?.committed()
      },
      failed: () => {
        this.#cache.forget(key)
        track?.failed()
      },
    }
  }

  async *iterate(walk: Walk = {}): AsyncGenerator<T> {
    for await (const [key, stored] of this.#database.iterate(this.#walkRange(walk))) {
      const value = this.#openOr(key, stored, walk.onCorrupt)
      if (value !== undefined) yield value.value
    }
  }

  async list(walk: Walk = {}): Promise<T[]> {
    const values: T[] = []
    for await (const value of this.iterate(walk)) values.push(value)
    return values
  }

  /** How many records there are, without opening them. */
  async count(walk: Walk = {}): Promise<number> {
    let count = 0
    const keys = this.#database.keys(this.#walkRange(walk))
    for (let next = await keys.next(); next.done !== true; next = await keys.next()) count++
    return count
  }

  #walkRange(walk: Walk): WalkRange {
    const { gte, lt } = this.range(walk)
    return { gte, lt, reverse: walk.reverse ?? false, limit: walk.limit ?? -1 }
  }

  /** The stored keys that a walk goes over. */
  range(walk: Walk): KeyRange {
    const prefix = walk.id === undefined ? [] : [this.#vault.key(this.#bucket, { id: walk.id }).subarray(1)]
    const all = bucketRange(this.#bucket, ...prefix)
    return {
      gte: walk.from === undefined ? all.gte : concat(all.gte, u64be(walk.from)),
      lt: walk.before === undefined ? all.lt : concat(all.gte, u64be(walk.before)),
    }
  }

  #openOr(key: Uint8Array, stored: Uint8Array, onCorrupt: Walk['onCorrupt']): { readonly value: T } | undefined {
    try {
      return { value: this.#open(key, stored) }
    } catch (error) {
      if (onCorrupt === undefined || !(error instanceof StorageError)) throw error
      onCorrupt(error)
      return undefined
    }
  }

  #open(key: Uint8Array, stored: Uint8Array): T {
    const value = this.#vault.open(this.#bucket, key, stored)
    if (value === undefined) throw new StorageError(`a record in "${this.#bucket}" does not open`)
    try {
      return decode(this.#codec, value)
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      throw new StorageError(`a record in "${this.#bucket}" does not decode`, { cause: error })
    }
  }
}
