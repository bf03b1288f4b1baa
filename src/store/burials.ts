/** Tombstones that some holder may still have to be told of (services/mailbox/tombstones). */
import { constant, fixed, list, struct, text, u16, u64 } from '../wire/codec.ts'
import { RUNGS, rungCodec, tombstoneCodec } from '../wire/letter.ts'
import type { Rung, Tombstone } from '../wire/letter.ts'
import type { Database, StoreOp } from './database.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/** A letter to delete, and which holders (peer ids) have said that they did. Times in ms. */
export interface Burial {
  readonly id: Uint8Array
  readonly tombstone: Tombstone
  /** Which of the mailbox's zones it is told to. */
  readonly rungs: readonly Rung[]
  readonly until: number
  readonly acked: readonly string[]
  readonly attempts: number
  readonly nextAt: number
}

/** Holders that are remembered for one letter: a zone, several times over. */
export const BURIAL_ACKS_MAX = 100

const burialCodec = struct({
  version: constant(2),
  id: fixed(32),
  tombstone: tombstoneCodec,
  rungs: list(rungCodec, RUNGS.length, 1),
  until: u64,
  acked: list(text(128), BURIAL_ACKS_MAX),
  attempts: u16,
  nextAt: u64,
})

export class Burials {
  readonly #database: Database
  readonly #records: Repository<Burial & { readonly version: 2 }>

  constructor(database: Database, vault: Vault) {
    this.#database = database
    this.#records = new Repository(database, vault, 'burials', burialCodec)
  }

  async all(): Promise<readonly Burial[]> {
    return this.#records.list()
  }

  /** Resolves when they are on the disk. */
  async save(burials: readonly Burial[]): Promise<void> {
    await this.#database.batch(this.put(burials))
  }

  /** For a batch of the caller's. */
  put(burials: readonly Burial[]): StoreOp[] {
    return burials.flatMap((burial) => this.#records.put({ id: burial.id }, { ...burial, version: 2 }))
  }

  async remove(ids: readonly Uint8Array[]): Promise<void> {
    await this.#database.batch(ids.flatMap((id) => this.#records.delete({ id })))
  }
}
