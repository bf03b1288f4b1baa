import { u32be, utf8 } from '../lib/bytes.ts'
import { constant, fixed, list, oneOf, struct, text, u32, u64, u8 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import { SLICES } from '../wire/prekey-slices.ts'
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

/** A pair that serves once. Deleted when it was used; what is remembered of it then is a {@link PrekeyUse}. */
export const ownOneTimePrekeyCodec = struct({
  version: constant(1),
  id: u32,
  secret: fixed(32),
  kemSeed: fixed(64),
  /** 1: made but in no card · 2: a leaf of the published pool · 3: out of the pool, given to somebody or lost with its holder. */
  state: oneOf(1, 2, 3),
  /** Where it stands in the pool, and its hash there. */
  place: u8,
  leaf: fixed(32),
  /** Peer id of the only holder that ever has it. */
  holder: text(128),
  createdAt: u64,
  /** 0 while it is in the pool. */
  retiredAt: u64,
})
export type OwnOneTimePrekey = Coded<typeof ownOneTimePrekeyCodec>
export const ONE_TIME_STATE = { made: 1, published: 2, out: 3 } as const

/** That a prekey was used. `holder` gave it out; a one-time prekey with two uses was given out twice, or somebody says so. */
export const prekeyUseCodec = struct({
  version: constant(1),
  id: u32,
  /** 1: a one-time prekey · 2: the last-resort prekey, which may be used any number of times. */
  kind: oneOf(1, 2),
  holder: text(128),
  uses: u32,
  firstAt: u64,
  lastAt: u64,
})
export type PrekeyUse = Coded<typeof prekeyUseCodec>
export const PREKEY_USE = { oneTime: 1, lastResort: 2 } as const

/**
 * The pool as the newest card names it: what proofs are made from, also when some of its prekeys are used by now. `holders`
 * are the peer ids of those who keep the slices, in their order; empty text where a slice lies nowhere.
 */
export const ownPoolCodec = struct({
  version: constant(1),
  leaves: list(struct({ place: u8, leaf: fixed(32) }), 256),
  holders: list(text(128), SLICES, SLICES),
})
export type OwnPool = Omit<Coded<typeof ownPoolCodec>, 'version'>

const POOL = { id: utf8('pool') }

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
  readonly uses: PrekeyRecords<PrekeyUse>
  readonly #pool: Repository<Coded<typeof ownPoolCodec>>

  constructor(database: Database, vault: Vault) {
    this.signed = new PrekeyRecords(new Repository(database, vault, 'signedPrekeys', ownSignedPrekeyCodec))
    this.kem = new PrekeyRecords(new Repository(database, vault, 'kemPrekeys', ownKemPrekeyCodec))
    this.oneTime = new PrekeyRecords(new Repository(database, vault, 'oneTimePrekeys', ownOneTimePrekeyCodec))
    this.uses = new PrekeyRecords(new Repository(database, vault, 'prekeyUses', prekeyUseCodec))
    this.#pool = new Repository(database, vault, 'prekeyPool', ownPoolCodec)
  }

  async pool(): Promise<OwnPool> {
    return (await this.#pool.get(POOL)) ?? { leaves: [], holders: Array.from({ length: SLICES }, () => '') }
  }

  putPool({ leaves, holders }: OwnPool): StoreOp[] {
    return this.#pool.put(POOL, { version: 1, leaves, holders })
  }
}
