/**
 * Seals the records of the store. A random master key, itself sealed under the passphrase in the file `vault`, gives each
 * bucket a key for values and a key that blinds record keys (HKDF-SHA-256, RFC 5869).
 *
 *     stored key   = bucket 1 ‖ [HMAC-SHA-256(blinding key, id), first 16] ‖ [order, u64 big-endian]
 *     stored value = schema version 1 ‖ nonce 24 ‖ XChaCha20-Poly1305(value key, nonce, schema version ‖ stored key, value)
 *
 * Nonces are random (2^-96 of a repeat after 2^48 records). A value moved to another key or bucket does not open.
 */
import { concat, u64be, utf8, wipe } from '../lib/bytes.ts'
import { ConflictError, LockedError, NotFoundError, StorageError } from '../lib/errors.ts'
import type { Rng } from '../lib/rng.ts'
import { PASSPHRASE_COST } from '../crypto/password.ts'
import type { Argon2Cost, CryptoProvider } from '../crypto/provider.ts'
import { BUCKET, bucketKey } from './buckets.ts'
import type { BucketName } from './buckets.ts'
import { filesOf, openSealedFile, sealFile } from './sealed-file.ts'
import type { SealTools } from './sealed-file.ts'

const MASTER_BYTES = 32
const NONCE_BYTES = 24
const BLINDED_BYTES = 16
/** Of how values are sealed; what is in them has versions of its own. */
const SCHEMA_VERSION = 1

/** What a record is called: an id that nobody may read on disk, a number that orders it in the clear, or both. */
export interface RecordName {
  readonly id?: Uint8Array
  readonly order?: number
}

interface BucketKeys {
  readonly value: Uint8Array
  readonly blinding: Uint8Array
}

export class Vault {
  readonly #crypto: CryptoProvider
  readonly #rng: Rng
  readonly #keys = new Map<BucketName, BucketKeys>()
  #locked = false

  /** Takes over `master` (32 bytes) and wipes it. */
  constructor(master: Uint8Array, tools: SealTools) {
    this.#crypto = tools.crypto
    this.#rng = tools.rng
    for (const bucket of Object.keys(BUCKET) as BucketName[]) this.#keys.set(bucket, this.#derive(master, bucket))
    wipe(master)
  }

  /** The stored key of a record. */
  key(bucket: BucketName, name: RecordName): Uint8Array {
    const parts: Uint8Array[] = []
    if (name.id !== undefined) parts.push(this.#blind(bucket, name.id))
    if (name.order !== undefined) parts.push(u64be(name.order))
    return bucketKey(bucket, ...parts)
  }

  /** The stored value for a record at the stored key `key`. */
  seal(bucket: BucketName, key: Uint8Array, value: Uint8Array): Uint8Array {
    const nonce = this.#rng.bytes(NONCE_BYTES)
    const version = Uint8Array.of(SCHEMA_VERSION)
    return concat(version, nonce, this.#crypto.xseal(this.#of(bucket).value, nonce, concat(version, key), value))
  }

  /** The value again, or `undefined` where it was not sealed by this vault for this bucket and key. */
  open(bucket: BucketName, key: Uint8Array, stored: Uint8Array): Uint8Array | undefined {
    const version = stored.subarray(0, 1)
    const nonce = stored.subarray(1, 1 + NONCE_BYTES)
    if (version[0] !== SCHEMA_VERSION || nonce.length !== NONCE_BYTES) return undefined
    const sealed = stored.subarray(1 + NONCE_BYTES)
    return this.#crypto.xopen(this.#of(bucket).value, nonce, concat(version, key), sealed)
  }

  /** Wipes every key. Whatever is asked after that throws LockedError. */
  lock(): void {
    this.#locked = true
    for (const { value, blinding } of this.#keys.values()) wipe(value, blinding)
    this.#keys.clear()
  }

  get locked(): boolean {
    return this.#locked
  }

  #blind(bucket: BucketName, id: Uint8Array): Uint8Array {
    return this.#crypto.hmacSha256(this.#of(bucket).blinding, id).subarray(0, BLINDED_BYTES)
  }

  #of(bucket: BucketName): BucketKeys {
    const keys = this.#keys.get(bucket)
    if (keys === undefined) throw new LockedError('the keys are sealed')
    return keys
  }

  #derive(master: Uint8Array, bucket: BucketName): BucketKeys {
    const info = concat(utf8('sotto store v1'), Uint8Array.of(BUCKET[bucket]))
    const both = this.#crypto.hkdfSha256(master, new Uint8Array(0), info, 64)
    const keys = { value: both.slice(0, 32), blinding: both.slice(32) }
    wipe(both)
    return keys
  }
}

/**
 * Makes the file `path` with a fresh master key under the passphrase. Throws ConflictError where a vault is there
 * already: to replace it would be to lose what it opens. The caller holds the home's database open, which keeps
 * other daemons away between the look and the write.
 */
export async function createVault(
  path: string,
  passphrase: string,
  tools: SealTools,
  cost: Argon2Cost = PASSPHRASE_COST,
): Promise<Vault> {
  if (await vaultExists(path, tools)) throw new ConflictError('this home has a vault already')
  const master = tools.rng.bytes(MASTER_BYTES)
  await sealFile(path, 'vault', master, passphrase, tools, cost)
  return new Vault(master, tools)
}

/** Throws PassphraseError where the passphrase is wrong, NotFoundError where there is no vault. */
export async function openVault(path: string, passphrase: string, tools: SealTools): Promise<Vault> {
  return new Vault(await openMaster(path, passphrase, tools), tools)
}

/** Whether `path` holds a vault, readable or not. */
export async function vaultExists(path: string, tools: Pick<SealTools, 'keyFiles'> = {}): Promise<boolean> {
  try {
    await filesOf(tools).read(path)
    return true
  } catch (error) {
    if (error instanceof NotFoundError) return false
    throw error
  }
}

async function openMaster(path: string, passphrase: string, tools: SealTools): Promise<Uint8Array> {
  const master = await openSealedFile(path, 'vault', passphrase, tools)
  if (master.length !== MASTER_BYTES) throw new StorageError('the vault is damaged')
  return master
}
