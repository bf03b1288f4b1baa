/** Which backend this process uses. */

import crypto from 'node:crypto'
import { UsageError } from '../lib/errors.ts'
import { nativeProvider } from './native.ts'
import { nobleProvider } from './noble.ts'
import type { CryptoProvider } from './provider.ts'

/**
 * The provider called `name`, or with `undefined` the best one here: native where OpenSSL has every primitive, else
 * noble. Throws {@link UsageError} for another name, and for `native` on a Node that lacks something.
 */
export function selectProvider(name: string | undefined): CryptoProvider {
  if (name === 'noble') return nobleProvider
  if (name !== undefined && name !== 'native') throw new UsageError('the crypto provider is "native" or "noble"')
  const missing = missingFromNative()
  if (missing === undefined) return nativeProvider
  if (name === undefined) return nobleProvider
  throw new UsageError(`this Node has no ${missing}: run Node 24.7 or newer with its own OpenSSL, or choose "noble"`)
}

/**
 * The first primitive that node:crypto lacks. It tries each, since a build can carry the function without the
 * algorithm.
 */
function missingFromNative(): string | undefined {
  const probes: readonly [string, () => unknown][] = [
    ['one-shot hash', () => crypto.hash('sha512', '', 'buffer')],
    ['ChaCha20-Poly1305', () => crypto.getCipherInfo('chacha20-poly1305')],
    ['X25519', () => nativeProvider.x25519PublicKey(new Uint8Array(32))],
    ['Ed25519', () => nativeProvider.ed25519PublicKey(new Uint8Array(32))],
    ['ML-KEM-768', () => nativeProvider.kemEncapsulate(768, nativeProvider.kemPublicKey(768, new Uint8Array(64)))],
    ['ML-KEM-1024', () => nativeProvider.kemEncapsulate(1024, nativeProvider.kemPublicKey(1024, new Uint8Array(64)))],
    ['ML-DSA-44', () => nativeProvider.dsaPublicKey(44, new Uint8Array(32))],
    ['ML-DSA-65', () => nativeProvider.dsaPublicKey(65, new Uint8Array(32))],
    ['Argon2id', () => typeof crypto.argon2 === 'function' || undefined],
  ]
  return probes.find(([, probe]) => !works(probe))?.[0]
}

function works(probe: () => unknown): boolean {
  try {
    return probe() !== undefined
  } catch {
    return false
  }
}
