/**
 * Raw bytes to OpenSSL key objects, remembered: importing a key costs 20 to 200 µs, as much as using it or more.
 *
 * Secrets are remembered for as long as the caller holds the very array that carries the seed (a weak map), and only
 * while its bytes are the ones that were imported: a digest is compared at each use, so that a wiped or refilled array
 * never answers with the old key. When the array is collected, so is the key object, and OpenSSL clears its memory.
 * Public keys are remembered by content, the least recently used falls out.
 */

import crypto, { type KeyObject } from 'node:crypto'
import { equal } from '../lib/bytes.ts'

/** The names by which node:crypto calls the algorithms of the provider. */
export type KeyKind = 'x25519' | 'ed25519' | 'ml-kem-768' | 'ml-kem-1024' | 'ml-dsa-44' | 'ml-dsa-65'

interface SecretEntry {
  readonly digest: Uint8Array
  readonly key: KeyObject
}

/** A Buffer over the same memory: the types of node:crypto ask for one here. */
function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Imports secrets of one kind. */
export class SecretKeys {
  readonly #kind: KeyKind
  readonly #format: 'raw-private' | 'raw-seed'
  readonly #entries = new WeakMap<Uint8Array, SecretEntry>()

  constructor(kind: KeyKind) {
    this.#kind = kind
    this.#format = kind.startsWith('ml-') ? 'raw-seed' : 'raw-private'
  }

  /** The key object of a seed whose length was checked. */
  get(seed: Uint8Array): KeyObject {
    // A seed has 256 bits that nobody guesses, so its digest gives nothing away.
    const digest = crypto.hash('sha256', seed, 'buffer')
    const known = this.#entries.get(seed)
    if (known && equal(known.digest, digest)) return known.key
    const key = crypto.createPrivateKey({ key: view(seed), format: this.#format, asymmetricKeyType: this.#kind })
    this.#entries.set(seed, { digest, key })
    return key
  }
}

/** Imports public keys of one kind, of which it remembers the last `limit`. */
export class PublicKeys {
  readonly #kind: KeyKind
  readonly #limit: number
  readonly #entries = new Map<string, KeyObject>()

  constructor(kind: KeyKind, limit: number) {
    this.#kind = kind
    this.#limit = limit
  }

  /** The key object, or `undefined` for bytes that are no key of this kind (wrong length, not reduced). */
  get(bytes: Uint8Array): KeyObject | undefined {
    const name = crypto.hash('sha256', bytes, 'binary')
    const key = this.#entries.get(name) ?? this.#import(bytes)
    if (!key) return undefined
    this.#entries.delete(name)
    this.#entries.set(name, key)
    if (this.#entries.size > this.#limit) this.#dropOldest()
    return key
  }

  #import(bytes: Uint8Array): KeyObject | undefined {
    try {
      return crypto.createPublicKey({ key: view(bytes), format: 'raw-public', asymmetricKeyType: this.#kind })
    } catch {
      return undefined
    }
  }

  #dropOldest(): void {
    for (const name of this.#entries.keys()) {
      this.#entries.delete(name)
      return
    }
  }
}
