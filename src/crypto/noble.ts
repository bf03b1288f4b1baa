/**
 * The pure JavaScript backend: the fallback where OpenSSL lacks a primitive, and the oracle of the differential tests.
 * Slow (see README.md) and constant-time only as far as JavaScript goes. Everything runs on the event loop except that
 * Argon2id and PBKDF2 yield to it now and then.
 */

import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { argon2idAsync } from '@noble/hashes/argon2.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { pbkdf2Async } from '@noble/hashes/pbkdf2.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { ml_dsa44, ml_dsa65 } from '@noble/post-quantum/ml-dsa.js'
import { ml_kem1024, ml_kem768 } from '@noble/post-quantum/ml-kem.js'
import { equal, wipe } from '../lib/bytes.ts'
import { ed25519Plausible } from './ed25519-rule.ts'
import type { CryptoProvider } from './provider.ts'
import {
  ARGON2_MAX_MEMORY_KIB,
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
  requireHkdfLength,
  requireLength,
  requirePbkdf2,
  TAG_BYTES,
  XNONCE_BYTES,
} from './sizes.ts'

const KEMS = { 768: ml_kem768, 1024: ml_kem1024 } as const
const DSAS = { 44: ml_dsa44, 65: ml_dsa65 } as const
const { Point } = ed25519

/** noble throws where a peer's bytes are bad; here that is an answer. */
function attempt<T>(compute: () => T): T | undefined {
  try {
    return compute()
  } catch {
    return undefined
  }
}

type Hash = typeof sha256 | typeof sha512

function digest(hash: Hash, parts: readonly Uint8Array[]): Uint8Array {
  const state = hash.create()
  for (const part of parts) state.update(part)
  return state.digest()
}

/** k = SHA-512(R ‖ A ‖ M) mod L (RFC 8032 §5.1.7 step 2). */
function challenge(r: Uint8Array, a: Uint8Array, message: Uint8Array): bigint {
  return Point.Fn.create(littleEndian(digest(sha512, [r, a, message])))
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
}

/**
 * The cofactorless equation, as OpenSSL computes it: the encoding of [S]B − [k]A must be R, byte for byte. noble's own
 * verify multiplies by the cofactor in both of its modes and so accepts signatures with a torsion part.
 */
function cofactorlessVerify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const r = signature.subarray(0, 32)
  const s = littleEndian(signature.subarray(32))
  const k = challenge(r, publicKey, message)
  const expected = Point.BASE.multiplyUnsafe(s).subtract(Point.fromBytes(publicKey).multiplyUnsafe(k))
  return equal(expected.toBytes(), r)
}

const symmetric = {
  sha256: (...parts) => digest(sha256, parts),
  sha512: (...parts) => digest(sha512, parts),
  hmacSha256: (key, data) => hmac(sha256, key, data),
  hkdfSha256(ikm, salt, info, length) {
    requireHkdfLength(length, 32)
    return hkdf(sha256, ikm, salt, info, length)
  },
  hkdfSha512(ikm, salt, info, length) {
    requireHkdfLength(length, 64)
    return hkdf(sha512, ikm, salt, info, length)
  },
  seal(key, nonce, aad, plaintext) {
    requireAead(key, nonce, NONCE_BYTES)
    return chacha20poly1305(key, nonce, aad).encrypt(plaintext)
  },
  open(key, nonce, aad, sealed) {
    requireAead(key, nonce, NONCE_BYTES)
    if (sealed.length < TAG_BYTES) return undefined
    return attempt(() => chacha20poly1305(key, nonce, aad).decrypt(sealed))
  },
  xseal(key, nonce, aad, plaintext) {
    requireAead(key, nonce, XNONCE_BYTES)
    return xchacha20poly1305(key, nonce, aad).encrypt(plaintext)
  },
  xopen(key, nonce, aad, sealed) {
    requireAead(key, nonce, XNONCE_BYTES)
    if (sealed.length < TAG_BYTES) return undefined
    return attempt(() => xchacha20poly1305(key, nonce, aad).decrypt(sealed))
  },
} satisfies Partial<CryptoProvider>

const curves = {
  x25519PublicKey(secret) {
    requireLength('an X25519 secret', secret, CURVE_KEY_BYTES)
    return x25519.getPublicKey(secret)
  },
  x25519(secret, publicKey) {
    requireLength('an X25519 secret', secret, CURVE_KEY_BYTES)
    if (publicKey.length !== CURVE_KEY_BYTES) return undefined
    return attempt(() => x25519.getSharedSecret(secret, publicKey))
  },
  ed25519PublicKey(seed) {
    requireLength('an Ed25519 seed', seed, CURVE_KEY_BYTES)
    return ed25519.getPublicKey(seed)
  },
  ed25519Sign(seed, message) {
    requireLength('an Ed25519 seed', seed, CURVE_KEY_BYTES)
    return ed25519.sign(message, seed)
  },
  ed25519Verify(publicKey, message, signature) {
    if (!ed25519Plausible(publicKey, signature)) return false
    return attempt(() => cofactorlessVerify(publicKey, message, signature)) ?? false
  },
} satisfies Partial<CryptoProvider>

const lattices = {
  kemPublicKey(set, seed) {
    requireLength('an ML-KEM seed', seed, KEM_SEED_BYTES)
    const { publicKey, secretKey } = KEMS[set].keygen(seed)
    wipe(secretKey)
    return publicKey
  },
  kemEncapsulate(set, publicKey) {
    if (publicKey.length !== KEM_BYTES[set].publicKey) return undefined
    const result = attempt(() => KEMS[set].encapsulate(publicKey))
    return result && { ciphertext: result.cipherText, secret: result.sharedSecret }
  },
  kemDecapsulate(set, seed, ciphertext) {
    requireLength('an ML-KEM seed', seed, KEM_SEED_BYTES)
    if (ciphertext.length !== KEM_BYTES[set].ciphertext) return undefined
    const { secretKey } = KEMS[set].keygen(seed)
    const secret = KEMS[set].decapsulate(ciphertext, secretKey)
    wipe(secretKey)
    return secret
  },
  dsaPublicKey(set, seed) {
    requireLength('an ML-DSA seed', seed, DSA_SEED_BYTES)
    const { publicKey, secretKey } = DSAS[set].keygen(seed)
    wipe(secretKey)
    return publicKey
  },
  async dsaSign(set, seed, message, context) {
    requireLength('an ML-DSA seed', seed, DSA_SEED_BYTES)
    requireContext(context)
    const { secretKey } = DSAS[set].keygen(seed)
    const signature = DSAS[set].sign(message, secretKey, { context })
    wipe(secretKey)
    return signature
  },
  dsaVerify(set, publicKey, message, signature, context) {
    const bytes = DSA_BYTES[set]
    if (publicKey.length !== bytes.publicKey || signature.length !== bytes.signature) return false
    if (context.length > DSA_CONTEXT_MAX_BYTES) return false
    return attempt(() => DSAS[set].verify(signature, message, publicKey, { context })) ?? false
  },
} satisfies Partial<CryptoProvider>

const slow = {
  async pbkdf2Sha512(password, salt, iterations, length) {
    requirePbkdf2(iterations, length)
    return pbkdf2Async(sha512, password, salt, { c: iterations, dkLen: length })
  },
  async argon2id(password, salt, cost) {
    requireArgon2(salt, cost)
    const { memoryKiB, passes, length } = cost
    const maxmem = (ARGON2_MAX_MEMORY_KIB + 1) * 1_024
    return argon2idAsync(password, salt, { m: memoryKiB, t: passes, p: 1, dkLen: length, version: 0x13, maxmem })
  },
} satisfies Partial<CryptoProvider>

/** Every primitive in pure JavaScript. */
export const nobleProvider: CryptoProvider = { name: 'noble', ...symmetric, ...curves, ...lattices, ...slow }
