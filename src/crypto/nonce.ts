/** Random nonces. */

import { UsageError } from '../lib/errors.ts'
import type { Rng } from '../lib/rng.ts'
import { NONCE_BYTES } from './sizes.ts'

/**
 * `length` random bytes to be used once. Throws {@link UsageError} below 12: shorter ones repeat by chance. For an AEAD
 * key that seals more than a few records draw 24 bytes and use XChaCha; random 12-byte nonces are for keys used once.
 */
export function randomNonce(rng: Rng, length: number): Uint8Array {
  if (!Number.isInteger(length) || length < NONCE_BYTES) {
    throw new UsageError(`a random nonce has at least ${NONCE_BYTES} bytes`)
  }
  return rng.bytes(length)
}
