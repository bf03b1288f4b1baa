/**
 * Hybrid signatures: Ed25519 and ML-DSA-65 over one framed message, and both must verify. A forger has to break both.
 *
 *     M' = "sotto hybrid v1" ‖ len(label) as one byte ‖ label ‖ message
 *     ed25519 = Ed25519(M')            mldsa65 = ML-DSA-65(M', context = label)
 *
 * Not separable: M' opens with a name that no other signature of Sotto's opens with, so a half that somebody strips off
 * does not verify as a plain signature of the message; the ML-DSA half is bound to the label once more by its context.
 * What the scheme does not do: it does not tie the two public keys to one another. Whoever publishes a hybrid key
 * hashes or signs both together (the account id does), else one half could be swapped.
 */

import { concat, utf8 } from '../lib/bytes.ts'
import { UsageError } from '../lib/errors.ts'
import type { CryptoProvider } from './provider.ts'
import { DSA_CONTEXT_MAX_BYTES } from './sizes.ts'

/** The secrets: two seeds of 32 bytes. */
export interface HybridSeeds {
  readonly ed25519: Uint8Array
  readonly mldsa65: Uint8Array
}

/** The public keys: 32 and 1,952 bytes. */
export interface HybridPublicKey {
  readonly ed25519: Uint8Array
  readonly mldsa65: Uint8Array
}

/** The signatures: 64 and 3,309 bytes. */
export interface HybridSignature {
  readonly ed25519: Uint8Array
  readonly mldsa65: Uint8Array
}

const DOMAIN = utf8('sotto hybrid v1')

/** The public keys of the seeds. Throws {@link UsageError} for seeds that are not 32 bytes. */
export function hybridPublicKeys(provider: CryptoProvider, seeds: HybridSeeds): HybridPublicKey {
  return {
    ed25519: provider.ed25519PublicKey(seeds.ed25519),
    mldsa65: provider.dsaPublicKey(65, seeds.mldsa65),
  }
}

/**
 * Signs `message` under `label`, 1 to 255 bytes of UTF-8 that say what kind of object this is: one label for one use.
 * The seeds may be wiped as soon as the call has returned its promise.
 */
export async function hybridSign(
  provider: CryptoProvider,
  seeds: HybridSeeds,
  label: string,
  message: Uint8Array,
): Promise<HybridSignature> {
  const { framed, context } = frame(label, message)
  const ed25519 = provider.ed25519Sign(seeds.ed25519, framed)
  return { ed25519, mldsa65: await provider.dsaSign(65, seeds.mldsa65, framed, context) }
}

/** Whether both halves verify. Keys and signatures come from a peer: a wrong length is `false`, nothing throws. */
export function hybridVerify(
  provider: CryptoProvider,
  key: HybridPublicKey,
  label: string,
  message: Uint8Array,
  signature: HybridSignature,
): boolean {
  const { framed, context } = frame(label, message)
  if (!provider.ed25519Verify(key.ed25519, framed, signature.ed25519)) return false
  return provider.dsaVerify(65, key.mldsa65, framed, signature.mldsa65, context)
}

function frame(label: string, message: Uint8Array): { framed: Uint8Array; context: Uint8Array } {
  const context = utf8(label)
  if (context.length === 0 || context.length > DSA_CONTEXT_MAX_BYTES) {
    throw new UsageError(`a signature label has 1 to ${DSA_CONTEXT_MAX_BYTES} bytes`)
  }
  return { framed: concat(DOMAIN, Uint8Array.of(context.length), context, message), context }
}
