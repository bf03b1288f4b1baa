/** Sizes of what the provider takes and gives, and the checks on a caller's own input that both backends share. */

import { LimitError, UsageError } from '../lib/errors.ts'
import type { Argon2Cost, DsaSet, KemSet } from './provider.ts'

/** Bytes of an X25519 or Ed25519 key, public or secret. */
export const CURVE_KEY_BYTES = 32
/** Bytes of an Ed25519 signature. */
export const ED25519_SIGNATURE_BYTES = 64
/** Bytes of an AEAD key. */
export const AEAD_KEY_BYTES = 32
/** Bytes of a ChaCha20-Poly1305 nonce. */
export const NONCE_BYTES = 12
/** Bytes of an XChaCha20-Poly1305 nonce. */
export const XNONCE_BYTES = 24
/** Bytes of a Poly1305 tag. */
export const TAG_BYTES = 16
/** Bytes of an ML-KEM seed, d ‖ z (FIPS 203 §7.1). */
export const KEM_SEED_BYTES = 64
/** Bytes of an ML-DSA seed, ξ (FIPS 204 §5.1). */
export const DSA_SEED_BYTES = 32
/** Most bytes of an ML-DSA context (FIPS 204 §5.2). */
export const DSA_CONTEXT_MAX_BYTES = 255

/** ML-KEM sizes in bytes (FIPS 203, table 3). */
export const KEM_BYTES: Readonly<Record<KemSet, { readonly publicKey: number; readonly ciphertext: number }>> = {
  768: { publicKey: 1_184, ciphertext: 1_088 },
  1024: { publicKey: 1_568, ciphertext: 1_568 },
}

/** ML-DSA sizes in bytes (FIPS 204, table 2). */
export const DSA_BYTES: Readonly<Record<DsaSet, { readonly publicKey: number; readonly signature: number }>> = {
  44: { publicKey: 1_312, signature: 2_420 },
  65: { publicKey: 1_952, signature: 3_309 },
}

/** The most memory that one Argon2id may take: 1 GiB. */
export const ARGON2_MAX_MEMORY_KIB = 1_048_576
const ARGON2_MIN_MEMORY_KIB = 8 // RFC 9106 §3.1, one lane
const ARGON2_MIN_SALT_BYTES = 8
const ARGON2_MIN_LENGTH_BYTES = 4
const KDF_MAX_LENGTH_BYTES = 65_536
const HKDF_MAX_BLOCKS = 255 // RFC 5869 §2.3

/** Throws {@link UsageError} unless a caller's own input has the length that the algorithm has. */
export function requireLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new UsageError(`${what} has ${length} bytes, not ${bytes.length}`)
}

/** Key and nonce of an AEAD. */
export function requireAead(key: Uint8Array, nonce: Uint8Array, nonceBytes: number): void {
  requireLength('an AEAD key', key, AEAD_KEY_BYTES)
  requireLength('this nonce', nonce, nonceBytes)
}

/** Output length of HKDF over a hash of `hashBytes`. */
export function requireHkdfLength(length: number, hashBytes: number): void {
  requireInteger('the HKDF length', length, 1, HKDF_MAX_BLOCKS * hashBytes)
}

/** The context of a signature that we make. */
export function requireContext(context: Uint8Array): void {
  requireInteger('the length of an ML-DSA context', context.length, 0, DSA_CONTEXT_MAX_BYTES)
}

/** Iterations and output length of PBKDF2. */
export function requirePbkdf2(iterations: number, length: number): void {
  requireInteger('the PBKDF2 iterations', iterations, 1, 2 ** 31 - 1)
  requireInteger('the PBKDF2 length', length, 1, KDF_MAX_LENGTH_BYTES)
}

/** Salt and cost of Argon2id. Throws {@link LimitError} above 1 GiB: a cost can come from a file. */
export function requireArgon2(salt: Uint8Array, cost: Argon2Cost): void {
  requireInteger('the length of an Argon2id salt', salt.length, ARGON2_MIN_SALT_BYTES, KDF_MAX_LENGTH_BYTES)
  requireInteger('the Argon2id length', cost.length, ARGON2_MIN_LENGTH_BYTES, KDF_MAX_LENGTH_BYTES)
  requireInteger('the Argon2id passes', cost.passes, 1, 2 ** 31 - 1)
  if (cost.memoryKiB > ARGON2_MAX_MEMORY_KIB) throw new LimitError('Argon2id may take at most 1 GiB of memory')
  requireInteger('the Argon2id memory in KiB', cost.memoryKiB, ARGON2_MIN_MEMORY_KIB, ARGON2_MAX_MEMORY_KIB)
}

function requireInteger(what: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new UsageError(`${what} is an integer from ${min} to ${max}`)
  }
}
