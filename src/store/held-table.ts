/** The holder's database one level down: checksummed values, writes one after another per id, walks over expiry indexes. */
import { toHex, u32be } from '../lib/bytes.ts'
import { StorageError } from '../lib/errors.ts'
import { KeyedQueue } from '../lib/queue.ts'
import { HOUR_MS } from '../lib/time.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { Codec } from '../wire/codec.ts'
import { bucketKey, bucketRange } from './buckets.ts'
import type { BucketName } from './buckets.ts'
import type { Database, StoreOp, WalkRange } from './database.ts'
import { checked, withChecksum } from './held-records.ts'

/** Writes that may wait for their turn on one id or key, over all of them. */
const WAITING_MAX = 10_000
const SWEEP_BATCH = 256
/** Where id or key begins in the key of an expiry index: behind the bucket and the hour. */
const INDEXED_AT = 5
const NOTHING = new Uint8Array(0)

export type ExpiryBucket = 'heldByExpiry' | 'tombstonesByExpiry' | 'cardsByExpiry' | 'slicesByExpiry'

export class HeldTable {
  readonly #db: Database
  readonly #crypto: CryptoProvider
  readonly #queue = new KeyedQueue(WAITING_MAX)
  #corrupt = 0

  constructor(db: Database, crypto: CryptoProvider) {
    this.#db = db
    this.#crypto = crypto
  }

  /** Entries that were not what was written, and were dropped. */
  get corrupt(): number {
    return this.#corrupt
  }

  /** Runs `job` when everything under the same id or key is done. */
  async alone<T>(id: Uint8Array, job: () => Promise<T>): Promise<T> {
    return this.#queue.run(toHex(id), job)
  }

  /** Resolves when all of it is on the disk. */
  async write(ops: readonly StoreOp[]): Promise<void> {
    await this.#db.batch(ops)
  }

  put<T>(bucket: BucketName, parts: readonly Uint8Array[], codec: Codec<T>, value: T): StoreOp {
    const key = bucketKey(bucket, ...parts)
    return { type: 'put', key, value: withChecksum(this.#crypto, key, codec, value) }
  }

  /** An entry of an expiry index: the hour and the id or key say everything. */
  expires(bucket: ExpiryBucket, hour: number, id: Uint8Array): StoreOp {
    return { type: 'put', key: bucketKey(bucket, u32be(hour), id), value: NOTHING }
  }

  del(bucket: BucketName, parts: readonly Uint8Array[]): StoreOp {
    return { type: 'del', key: bucketKey(bucket, ...parts) }
  }

  async get<T>(bucket: BucketName, parts: readonly Uint8Array[], codec: Codec<T>): Promise<T | undefined> {
    const key = bucketKey(bucket, ...parts)
    return this.#checkedOrDropped(key, codec, await this.#db.get(key))
  }

  /** Whether something is there, whole or not. */
  async has(bucket: BucketName, parts: readonly Uint8Array[]): Promise<boolean> {
    return (await this.#db.get(bucketKey(bucket, ...parts))) !== undefined
  }

  /** Two values of one id in one step to the disk. */
  async getBoth<A, B>(
    id: Uint8Array,
    first: readonly [BucketName, Codec<A>],
    second: readonly [BucketName, Codec<B>],
  ): Promise<readonly [A | undefined, B | undefined]> {
    const keys = [bucketKey(first[0], id), bucketKey(second[0], id)] as const
    const [a, b] = await this.#db.getMany(keys)
    return [await this.#checkedOrDropped(keys[0], first[1], a), await this.#checkedOrDropped(keys[1], second[1], b)]
  }

  /** The entries in the order of their keys; damaged ones are passed over. */
  async *walk<T>(range: WalkRange, codec: Codec<T>): AsyncGenerator<readonly [key: Uint8Array, value: T]> {
    for await (const [key, stored] of this.#db.iterate(range)) {
      const value = await this.#checkedOrDropped(key, codec, stored)
      if (value !== undefined) yield [key, value]
    }
  }

  /** Runs `expire` for each entry of the index whose hour has come; it answers whether something went. How many did. */
  async sweep(bucket: ExpiryBucket, nowMs: number, expire: (id: Uint8Array) => Promise<boolean>): Promise<number> {
    const lt = bucketKey(bucket, u32be(Math.floor(nowMs / HOUR_MS) + 1))
    const { gte } = bucketRange(bucket)
    for (let count = 0; ;) {
      const keys: Uint8Array[] = []
      for await (const key of this.#db.keys({ gte, lt, limit: SWEEP_BATCH })) keys.push(key.slice())
      const ids = keys.map((key) => key.slice(INDEXED_AT))
      const gone = await Promise.all(ids.map((id) => this.alone(id, () => expire(id))))
      count += gone.filter(Boolean).length
      await this.write(keys.map((key) => ({ type: 'del', key })))
      if (keys.length < SWEEP_BATCH) return count
    }
  }

  /** Has LevelDB give back the space of what was removed from these buckets. */
  async compact(buckets: readonly BucketName[]): Promise<void> {
    for (const bucket of buckets) await this.#db.compact(bucketRange(bucket))
  }

  async #checkedOrDropped<T>(key: Uint8Array, codec: Codec<T>, value: Uint8Array | undefined): Promise<T | undefined> {
    if (value === undefined) return undefined
    const result = checked(this.#crypto, key, codec, value)
    if (result !== undefined) return result
    this.#corrupt++
    try {
      await this.write([{ type: 'del', key }])
    } catch (error) {
      // On a full disk it stays for now: what is whole is served all the same.
      if (!(error instanceof StorageError)) throw error
    }
    return undefined
  }
}
