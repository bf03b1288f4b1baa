import { constant, fixed, opaque, struct, u64 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import type { Database, StoreOp } from './database.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/** Bytes that can be kept with an id. */
const NOTE_BYTES_MAX = 64
const seenCodec = struct({ version: constant(1), id: fixed(32), expiresAt: u64, note: opaque(NOTE_BYTES_MAX) })

const NO_NOTE = new Uint8Array(0)
/** Records deleted by one batch of a sweep. */
const SWEEP_OPS_MAX = 1_000

/** Ids (32 bytes) that must not count twice, each until a time in ms. */
export class SeenIds {
  readonly #database: Database
  readonly #records: Repository<Coded<typeof seenCodec>>

  constructor(database: Database, vault: Vault, bucket: 'seen' | 'seenInitials' | 'operations' | 'removed') {
    this.#database = database
    this.#records = new Repository(database, vault, bucket, seenCodec)
  }

  async has(id: Uint8Array): Promise<boolean> {
    return this.#records.has({ id })
  }

  /** The note kept with the id, or `undefined` where the id was not seen. */
  async get(id: Uint8Array): Promise<Uint8Array | undefined> {
    return (await this.#records.get({ id }))?.note
  }

  /** Remembers the id with a note of up to 64 bytes; belongs into the batch of what came with it. */
  put(id: Uint8Array, expiresAt: number, note: Uint8Array = NO_NOTE): StoreOp[] {
    return this.#records.put({ id }, { version: 1, id, expiresAt, note })
  }

  /** Forgets every id whose time is over and says how many there were. Looks at all: times are sealed, not indexed. */
  async sweep(now: number): Promise<number> {
    let removed = 0
    let ops: StoreOp[] = []
    for await (const seen of this.#records.iterate()) {
      if (seen.expiresAt > now) continue
      ops.push(...this.#records.delete({ id: seen.id }))
      removed++
      if (ops.length < SWEEP_OPS_MAX) continue
      await this.#database.batch(ops)
      ops = []
    }
    await this.#database.batch(ops)
    return removed
  }
}
