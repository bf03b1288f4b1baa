/**
 * A small secret in a file of its own, under a passphrase: Argon2id (RFC 9106) gives the key, XChaCha20-Poly1305 seals.
 * The header (version, cost, salt, nonce) and the file's purpose are authenticated, so that no file passes for another.
 */
import { concat, utf8, wipe } from '../lib/bytes.ts'
import { CodecError, LimitError, PassphraseError, StorageError } from '../lib/errors.ts'
import type { Rng } from '../lib/rng.ts'
import { constant, decode, encode, fixed, opaque, struct, u32, u8 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import { boundedCost, PASSPHRASE_COST, PASSPHRASE_SALT_BYTES, passphraseKey } from '../crypto/password.ts'
import type { Argon2Cost, CryptoProvider } from '../crypto/provider.ts'
import { FILE_SYSTEM } from './atomic-file.ts'
import type { KeyFiles } from './atomic-file.ts'

/** What sealing asks of the outside. */
export interface SealTools {
  readonly crypto: CryptoProvider
  readonly rng: Rng
  /** Default: the file system. */
  readonly keyFiles?: KeyFiles
}
/** What a sealed file holds: the store's master key, or the account key. */
export type SealPurpose = 'vault' | 'account'

/** The largest secret that goes into a sealed file. */
const SECRET_BYTES_MAX = 4_096
export const SEALED_FILE_BYTES_MAX = 8_192
const NONCE_BYTES = 24

const headerCodec = struct({
  version: constant(1),
  /** 1 = Argon2id with one lane. */
  derivation: constant(1),
  memoryKiB: u32,
  passes: u8,
  salt: fixed(PASSPHRASE_SALT_BYTES),
  nonce: fixed(NONCE_BYTES),
})
const sealedFileCodec = struct({ header: headerCodec, sealed: opaque(SECRET_BYTES_MAX + 16, 16) })
type SealedFile = Coded<typeof sealedFileCodec>

/**
 * Seals `secret` (at most 4,096 bytes) into the file `path`, in place of what was there. Throws UsageError for a
 * passphrase that is no text, LimitError for a cost out of bounds, StorageError where the disk refuses.
 */
export async function sealFile(
  path: string,
  purpose: SealPurpose,
  secret: Uint8Array,
  passphrase: string,
  tools: SealTools,
  cost: Argon2Cost = PASSPHRASE_COST,
): Promise<void> {
  await filesOf(tools).write(path, await sealedBytes(purpose, secret, passphrase, tools, cost))
}

/** The same without a file. */
export async function sealedBytes(
  purpose: SealPurpose,
  secret: Uint8Array,
  passphrase: string,
  tools: SealTools,
  cost: Argon2Cost = PASSPHRASE_COST,
): Promise<Uint8Array> {
  const { memoryKiB, passes } = boundedCost(cost.memoryKiB, cost.passes)
  const salt = tools.rng.bytes(PASSPHRASE_SALT_BYTES)
  const nonce = tools.rng.bytes(NONCE_BYTES)
  const header = { version: 1, derivation: 1, memoryKiB, passes, salt, nonce } as const
  const key = await passphraseKey(tools.crypto, passphrase, salt, cost)
  try {
    const sealed = tools.crypto.xseal(key, nonce, associatedData(purpose, header), secret)
    return encode(sealedFileCodec, { header, sealed })
  } finally {
    wipe(key)
  }
}

/**
 * The secret in the file. Throws NotFoundError where there is no file, PassphraseError where the passphrase (or the file's
 * purpose, or a byte of it) is wrong, StorageError where it is no sealed file at all.
 */
export async function openSealedFile(
  path: string,
  purpose: SealPurpose,
  passphrase: string,
  tools: SealTools,
): Promise<Uint8Array> {
  const { header, sealed } = parse(await filesOf(tools).read(path))
  const key = await passphraseKey(tools.crypto, passphrase, header.salt, costOf(header))
  try {
    const secret = tools.crypto.xopen(key, header.nonce, associatedData(purpose, header), sealed)
    if (secret === undefined) throw new PassphraseError('the passphrase does not open the sealed keys')
    return secret
  } finally {
    wipe(key)
  }
}

export function filesOf(tools: Pick<SealTools, 'keyFiles'>): KeyFiles {
  return tools.keyFiles ?? FILE_SYSTEM
}

function parse(bytes: Uint8Array): SealedFile {
  if (bytes.length > SEALED_FILE_BYTES_MAX) throw new StorageError('the sealed file is damaged')
  try {
    return decode(sealedFileCodec, bytes)
  } catch (error) {
    if (error instanceof CodecError) throw new StorageError('the sealed file is damaged', { cause: error })
    throw error
  }
}

/** A file must not make us take more memory than any file that we write. */
function costOf(header: SealedFile['header']): Argon2Cost {
  try {
    return boundedCost(header.memoryKiB, header.passes)
  } catch (error) {
    if (error instanceof LimitError) throw new StorageError('the sealed file is damaged', { cause: error })
    throw error
  }
}

function associatedData(purpose: SealPurpose, header: SealedFile['header']): Uint8Array {
  return concat(utf8(`sotto sealed file v1 ${purpose}`), Uint8Array.of(0), encode(headerCodec, header))
}
