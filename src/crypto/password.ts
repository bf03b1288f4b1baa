/** From the passphrase that a person types to the key that opens the sealed keys: Argon2id (RFC 9106). */

import { utf8, wipe } from '../lib/bytes.ts'
import { LimitError, UsageError } from '../lib/errors.ts'
import type { Argon2Cost, CryptoProvider } from './provider.ts'
import { ARGON2_MAX_MEMORY_KIB } from './sizes.ts'

/** Bytes of the salt to draw for each sealing. */
export const PASSPHRASE_SALT_BYTES = 16
/** Bytes of the key-encryption key. */
export const PASSPHRASE_KEY_BYTES = 32
/** The cost of new sealings: 64 MiB, three passes, one lane (RFC 9106 §4, the memory-constrained choice). */
export const PASSPHRASE_COST: Argon2Cost = { memoryKiB: 65_536, passes: 3, length: PASSPHRASE_KEY_BYTES }

const MAX_PASSES = 16
const MAX_PASSPHRASE_BYTES = 1_024

/**
 * The cost that a sealed header carries, checked before a byte of memory is taken: at least 8 KiB and one pass, at most
 * 1 GiB and 16 passes. Throws {@link LimitError} for anything else. A header that somebody cheapened gives another key,
 * which opens nothing, so there is no floor beyond what Argon2 itself needs.
 */
export function boundedCost(memoryKiB: number, passes: number): Argon2Cost {
  if (!within(memoryKiB, 8, ARGON2_MAX_MEMORY_KIB) || !within(passes, 1, MAX_PASSES)) {
    throw new LimitError(`the cost of a passphrase is 8 KiB to 1 GiB of memory and 1 to ${MAX_PASSES} passes`)
  }
  return { memoryKiB, passes, length: PASSPHRASE_KEY_BYTES }
}

/**
 * The 32-byte key of a passphrase under a salt of 16 bytes or more. The passphrase counts as its NFKC form, so that two
 * keyboards that compose an accent differently agree. Throws {@link UsageError} for an empty, over-long (1,024 bytes)
 * or ill-formed passphrase, {@link LimitError} for a cost out of bounds.
 */
export async function passphraseKey(
  provider: CryptoProvider,
  passphrase: string,
  salt: Uint8Array,
  cost: Argon2Cost = PASSPHRASE_COST,
): Promise<Uint8Array> {
  const bounded = boundedCost(cost.memoryKiB, cost.passes)
  if (salt.length < PASSPHRASE_SALT_BYTES) throw new UsageError(`the salt has at least ${PASSPHRASE_SALT_BYTES} bytes`)
  const password = passphraseBytes(passphrase)
  try {
    return await provider.argon2id(password, salt, bounded)
  } finally {
    wipe(password)
  }
}

function passphraseBytes(passphrase: string): Uint8Array {
  // Lone surrogates would all become U+FFFD, and different passphrases one key.
  if (!passphrase.isWellFormed()) throw new UsageError('the passphrase is not well-formed text')
  const bytes = utf8(passphrase.normalize('NFKC'))
  if (bytes.length === 0) throw new UsageError('the passphrase is empty')
  if (bytes.length > MAX_PASSPHRASE_BYTES)
    throw new UsageError(`the passphrase is longer than ${MAX_PASSPHRASE_BYTES} bytes`)
  return bytes
}

function within(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max
}
