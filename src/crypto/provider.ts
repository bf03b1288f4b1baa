/**
 * The one interface to primitives. Two backends satisfy it: `native` (OpenSSL through node:crypto, with noble where
 * that is faster) and `noble` (pure JavaScript, the fallback and the oracle of the differential tests).
 *
 * Conventions. Secret keys are seeds, public keys are raw bytes. A length that the algorithm does not have is the
 * caller's bug and throws {@link UsageError} for own secrets; everything that comes from a peer (public keys,
 * ciphertexts, signatures) never throws: the answer is `false` or `undefined`.
 */
export interface CryptoProvider {
  readonly name: 'native' | 'noble'

  /** SHA-256 (FIPS 180-4) of the parts one after another; 32 bytes. */
  sha256(...parts: readonly Uint8Array[]): Uint8Array
  /** SHA-512 (FIPS 180-4) of the parts one after another; 64 bytes. */
  sha512(...parts: readonly Uint8Array[]): Uint8Array
  /** HMAC-SHA-256 (RFC 2104); 32 bytes. */
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array
  /** HKDF-SHA-256 (RFC 5869), extract and expand; `length` ≤ 8,160 bytes. */
  hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array
  /** HKDF-SHA-512 (RFC 5869), extract and expand; `length` ≤ 16,320 bytes. */
  hkdfSha512(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array
  /** PBKDF2-HMAC-SHA-512 (RFC 8018), off the event loop where the backend can. */
  pbkdf2Sha512(password: Uint8Array, salt: Uint8Array, iterations: number, length: number): Promise<Uint8Array>

  /** ChaCha20-Poly1305 (RFC 8439): key 32, nonce 12; ciphertext and 16-byte tag. */
  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array
  /** The plaintext, or `undefined` where the tag does not verify (or the input is shorter than a tag). */
  open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined
  /** XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha): key 32, nonce 24. For records at rest. */
  xseal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array
  xopen(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined

  /** X25519 (RFC 7748): public key 32 of a secret of 32 bytes. */
  x25519PublicKey(secret: Uint8Array): Uint8Array
  /** The shared secret, 32 bytes, or `undefined` for a public key of low order or wrong length. */
  x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined

  /** Ed25519 (RFC 8032): public key 32 of a seed of 32 bytes. */
  ed25519PublicKey(seed: Uint8Array): Uint8Array
  /** Signature of 64 bytes. */
  ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array
  /**
   * The rule on both backends: cofactorless equation, canonical encodings of A and R, S < L, the eight small-order
   * points refused as A and as R. Anything looser would split the network on one malicious record.
   */
  ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean

  /** ML-KEM (FIPS 203): public key of a 64-byte seed (d ‖ z). 1,184 bytes for 768, 1,568 for 1024. */
  kemPublicKey(set: KemSet, seed: Uint8Array): Uint8Array
  /** Ciphertext (1,088 or 1,568 bytes) and secret (32), or `undefined` for a public key that FIPS 203 §7.2 refuses. */
  kemEncapsulate(set: KemSet, publicKey: Uint8Array): { ciphertext: Uint8Array; secret: Uint8Array } | undefined
  /** The secret, 32 bytes; `undefined` only for a wrong length. A forged ciphertext gives a random-looking secret. */
  kemDecapsulate(set: KemSet, seed: Uint8Array, ciphertext: Uint8Array): Uint8Array | undefined

  /** ML-DSA (FIPS 204): public key of a 32-byte seed. 1,312 bytes for 44, 1,952 for 65. */
  dsaPublicKey(set: DsaSet, seed: Uint8Array): Uint8Array
  /** Hedged signature (2,420 bytes for 44, 3,309 for 65), made off the event loop where the backend can. */
  dsaSign(set: DsaSet, seed: Uint8Array, message: Uint8Array, context: Uint8Array): Promise<Uint8Array>
  dsaVerify(
    set: DsaSet,
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
    context: Uint8Array,
  ): boolean

  /** Argon2id (RFC 9106), version 0x13, off the event loop where the backend can. */
  argon2id(password: Uint8Array, salt: Uint8Array, cost: Argon2Cost): Promise<Uint8Array>
}

export type KemSet = 768 | 1024
export type DsaSet = 44 | 65

/** Argon2id cost. Lanes are always 1. */
export interface Argon2Cost {
  readonly memoryKiB: number
  readonly passes: number
  /** Length of the result in bytes. */
  readonly length: number
}
