/**
 * The fast backend: OpenSSL 3.5 through node:crypto for asymmetric work, hashes, Argon2id, PBKDF2 and AEAD over long
 * input; noble where it is faster (HMAC, HKDF, AEAD over short input) or alone (XChaCha20).
 *
 * node:crypto is imported whole, since a named import of a function that this Node lacks would stop the program
 * before `select.ts` can fall back.
 */

import crypto from 'node:crypto'
import { concat, wipe } from '../lib/bytes.ts'
import { ed25519Plausible } from './ed25519-rule.ts'
import { PublicKeys, SecretKeys } from './native-keys.ts'
import { nobleProvider } from './noble.ts'
import type { CryptoProvider } from './provider.ts'
import {
  CURVE_KEY_BYTES,
  DSA_BYTES,
  DSA_CONTEXT_MAX_BYTES,
  DSA_SEED_BYTES,
  KEM_BYTES,
  KEM_SEED_BYTES,
  NONCE_BYTES,
  requireAead,
  requireArgon2,
  requireContext,
  requireLength,
  requirePbkdf2,
  TAG_BYTES,
} from './sizes.ts'

/** From here on OpenSSL's AEAD is faster than noble's in spite of the cost of crossing into it. */
const BULK_AEAD_BYTES = 3_072
/** Parts of up to this many bytes together are joined and hashed in one call, which is cheaper than a hash object. */
const ONE_CALL_HASH_BYTES = 16_384
/** A curve key object takes well under 1 KiB, an expanded lattice key up to about 40 KiB. */
const CURVE_KEYS_MAX = 1_024
const LATTICE_KEYS_MAX = 128

const x25519Secrets = new SecretKeys('x25519')
const x25519Publics = new PublicKeys('x25519', CURVE_KEYS_MAX)
const ed25519Secrets = new SecretKeys('ed25519')
const ed25519Publics = new PublicKeys('ed25519', CURVE_KEYS_MAX)
const kemSecrets = { 768: new SecretKeys('ml-kem-768'), 1024: new SecretKeys('ml-kem-1024') } as const
const kemPublics = {
  768: new PublicKeys('ml-kem-768', LATTICE_KEYS_MAX),
  1024: new PublicKeys('ml-kem-1024', LATTICE_KEYS_MAX),
} as const
const dsaSecrets = { 44: new SecretKeys('ml-dsa-44'), 65: new SecretKeys('ml-dsa-65') } as const
const dsaPublics = {
  44: new PublicKeys('ml-dsa-44', LATTICE_KEYS_MAX),
  65: new PublicKeys('ml-dsa-65', LATTICE_KEYS_MAX),
} as const

/** A plain array over the same memory: callers compare and clone these, and a Buffer does both in its own way. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}

/** OpenSSL throws where a peer's bytes are bad; here that is an answer. */
function attempt<T>(compute: () => T): T | undefined {
  try {
    return compute()
  } catch {
    return undefined
  }
}

function publicBytes(secrets: SecretKeys, seed: Uint8Array): Uint8Array {
  return plain(crypto.createPublicKey(secrets.get(seed)).export({ format: 'raw-public' }))
}

function digest(name: 'sha256' | 'sha512', parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts
  if (parts.length === 1 && only) return plain(crypto.hash(name, only, 'buffer'))
  if (parts.reduce((sum, part) => sum + part.length, 0) > ONE_CALL_HASH_BYTES) {
    const hash = crypto.createHash(name)
    for (const part of parts) hash.update(part)
    return plain(hash.digest())
  }
  const joined = concat(...parts)
  const result = plain(crypto.hash(name, joined, 'buffer'))
  wipe(joined)
  return result
}

function bulkSeal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const cipher = crypto.createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(aad, { plaintextLength: plaintext.length })
  const body = cipher.update(plaintext)
  cipher.final() // a stream cipher holds nothing back
  return concat(body, cipher.getAuthTag())
}

function bulkOpen(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  const bodyBytes = sealed.length - TAG_BYTES
  const decipher = crypto.createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(aad, { plaintextLength: bodyBytes })
  decipher.setAuthTag(sealed.subarray(bodyBytes))
  const body = plain(decipher.update(sealed.subarray(0, bodyBytes)))
  if (attempt(() => decipher.final())) return body
  wipe(body)
  return undefined
}

const symmetric = {
  sha256: (...parts) => digest('sha256', parts),
  sha512: (...parts) => digest('sha512', parts),
  seal(key, nonce, aad, plaintext) {
    if (plaintext.length < BULK_AEAD_BYTES) return nobleProvider.seal(key, nonce, aad, plaintext)
    requireAead(key, nonce, NONCE_BYTES)
    return bulkSeal(key, nonce, aad, plaintext)
  },
  open(key, nonce, aad, sealed) {
    if (sealed.length < BULK_AEAD_BYTES + TAG_BYTES) return nobleProvider.open(key, nonce, aad, sealed)
    requireAead(key, nonce, NONCE_BYTES)
    return bulkOpen(key, nonce, aad, sealed)
  },
} satisfies Partial<CryptoProvider>

const curves = {
  x25519PublicKey(secret) {
    requireLength('an X25519 secret', secret, CURVE_KEY_BYTES)
    return publicBytes(x25519Secrets, secret)
  },
  x25519(secret, publicKey) {
    requireLength('an X25519 secret', secret, CURVE_KEY_BYTES)
    const privateKey = x25519Secrets.get(secret)
    const peer = x25519Publics.get(publicKey)
    return peer && attempt(() => plain(crypto.diffieHellman({ privateKey, publicKey: peer })))
  },
  ed25519PublicKey(seed) {
    requireLength('an Ed25519 seed', seed, CURVE_KEY_BYTES)
    return publicBytes(ed25519Secrets, seed)
  },
  ed25519Sign(seed, message) {
    requireLength('an Ed25519 seed', seed, CURVE_KEY_BYTES)
    return plain(crypto.sign(null, message, ed25519Secrets.get(seed)))
  },
  ed25519Verify(publicKey, message, signature) {
    if (!ed25519Plausible(publicKey, signature)) return false
    const key = ed25519Publics.get(publicKey)
    return key !== undefined && (attempt(() => crypto.verify(null, message, key, signature)) ?? false)
  },
} satisfies Partial<CryptoProvider>

const lattices = {
  kemPublicKey(set, seed) {
    requireLength('an ML-KEM seed', seed, KEM_SEED_BYTES)
    return publicBytes(kemSecrets[set], seed)
  },
  kemEncapsulate(set, publicKey) {
    const key = kemPublics[set].get(publicKey)
    const result = key && attempt(() => crypto.encapsulate(key))
    return result && { ciphertext: plain(result.ciphertext), secret: plain(result.sharedKey) }
  },
  kemDecapsulate(set, seed, ciphertext) {
    requireLength('an ML-KEM seed', seed, KEM_SEED_BYTES)
    if (ciphertext.length !== KEM_BYTES[set].ciphertext) return undefined
    return plain(crypto.decapsulate(kemSecrets[set].get(seed), ciphertext))
  },
  dsaPublicKey(set, seed) {
    requireLength('an ML-DSA seed', seed, DSA_SEED_BYTES)
    return publicBytes(dsaSecrets[set], seed)
  },
  async dsaSign(set, seed, message, context) {
    requireLength('an ML-DSA seed', seed, DSA_SEED_BYTES)
    requireContext(context)
    const key = dsaSecrets[set].get(seed)
    return new Promise((resolve, reject) => {
      crypto.sign(null, message, { key, context }, (error, signature) => {
        if (error) reject(error)
        else resolve(plain(signature))
      })
    })
  },
  dsaVerify(set, publicKey, message, signature, context) {
    if (signature.length !== DSA_BYTES[set].signature || context.length > DSA_CONTEXT_MAX_BYTES) return false
    const key = dsaPublics[set].get(publicKey)
    return key !== undefined && (attempt(() => crypto.verify(null, message, { key, context }, signature)) ?? false)
  },
} satisfies Partial<CryptoProvider>

const slow = {
  async pbkdf2Sha512(password, salt, iterations, length) {
    requirePbkdf2(iterations, length)
    return new Promise((resolve, reject) => {
      crypto.pbkdf2(password, salt, iterations, length, 'sha512', (error, key) => {
        if (error) reject(error)
        else resolve(plain(key))
      })
    })
  },
  async argon2id(password, salt, cost) {
    requireArgon2(salt, cost)
    const { memoryKiB: memory, passes, length: tagLength } = cost
    return new Promise((resolve, reject) => {
      crypto.argon2(
        'argon2id',
        { message: password, nonce: salt, parallelism: 1, tagLength, memory, passes },
        (error, key) => {
          if (error) reject(error)
          else resolve(plain(key))
        },
      )
    })
  },
} satisfies Partial<CryptoProvider>

/**
 * OpenSSL for what it does best, noble for the rest. Use it through `selectProvider`, which checks that this Node has
 * all of it.
 */
export const nativeProvider: CryptoProvider = {
  ...nobleProvider,
  ...symmetric,
  ...curves,
  ...lattices,
  ...slow,
  name: 'native',
}
