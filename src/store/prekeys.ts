import { u32be } from '../lib/bytes.ts'
import { constant, fixed, oneOf, struct, u32, u64 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import type { Database, StoreOp } from './database.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/** An X25519 prekey of this device. `retiredAt` is 0 while it stands in the card. */
export const ownSignedPrekeyCodec = struct({
  version: constant(1),
  id: u32,
  secret: fixed(32),
  createdAt: u64,
  retiredAt: u64,
})
export type OwnSignedPrekey = Coded<typeof ownSignedPrekeyCodec>

/** The last-resort ML-KEM-1024 prekey, as its seed (d ‖ z). */
export const ownKemPrekeyCodec = struct({
  version: constant(1),
  id: u32,
  seed: fixed(64),
  createdAt: u64,
  retiredAt: u64,
})
export type OwnKemPrekey = Coded<typeof ownKemPrekeyCodec>

export const ownOneTimePrekeyCodec = struct({
  version: constant(1),
  id: u32,
  secret: fixed(32),
  kemSeed: fixed(64),
  /** 1: made but in no card · 2: a leaf of the published pool · 3: given out by the device itself. Used ones are deleted. */
  state: oneOf(1, 2, 3),
  createdAt: u64,
})
export type OwnOneTimePrekey = Coded<typeof ownOneTimePrekeyCodec>

/** Prekeys of one kind by their id, oldest first. */
export class PrekeyRecords<T extends { readonly id: number }> {
  readonly #records: Repository<T>

  constructor(records: Repository<T>) {
    this.#records = records
  }

  async get(id: number): Promise<T | undefined> {
    return this.#records.get({ id: u32be(id) })
  }

  /** All of them, by ascending id. */
  async list(): Promise<readonly T[]> {
    return (await this.#records.list()).sort((a, b) => a.id - b.id)
  }

  async count(): Promise<number> {
    return this.#records.count()
  }

  put(prekey: T): StoreOp[] {
    return this.#records.put({ id: u32be(prekey.id) }, prekey)
  }

  delete(id: number): StoreOp[] {
    return this.#records.delete({ id: u32be(id) })
  }
}

/** The private halves of this device's prekeys. */
export class Prekeys {
  readonly signed: PrekeyRecords<OwnSignedPrekey>
  readonly kem: PrekeyRecords<OwnKemPrekey>
  readonly oneTime: PrekeyRecords<OwnOneTimePrekey>

  constructor(database: Database, vault: Vault) {
    this.signed = new PrekeyRecords(new Repository(database, vault, 'signedPrekeys', ownSignedPrekeyCodec))
    this.kem = new PrekeyRecords(new Repository(database, vault, 'kemPrekeys', ownKemPrekeyCodec))
    this.oneTime = new PrekeyRecords(new Repository(database, vault, 'oneTimePrekeys', ownOneTimePrekeyCodec))
  }
}
