/**
 * The primitives as ideal functionalities: who has no secret cannot sign, open or agree, because the registry says so and not
 * because of mathematics. Cheap, synchronous under the promises, and the same on every run. Hashes are the real SHA-2 (ids,
 * checksums and proofs of possession depend on it); everything keyed is a hash in domains of its own. The real primitives
 * are proved elsewhere (`test/unit/crypto`).
 *
 * It sees every key and nonce that are used: the same two over different plaintexts are reported (I9).
 */
import { createHash, hash } from 'node:crypto'
import { concat, equal, utf8 } from '../../src/lib/bytes.ts'
import type { CryptoProvider, DsaSet, KemSet } from '../../src/crypto/provider.ts'
import {
  DSA_BYTES,
  DSA_SEED_BYTES,
  ED25519_SIGNATURE_BYTES,
  KEM_BYTES,
  KEM_SEED_BYTES,
  NONCE_BYTES,
  requireAead,
  requireLength,
  TAG_BYTES,
  XNONCE_BYTES,
} from '../../src/crypto/sizes.ts'

const ONE_CALL_BYTES = 65_536
const scratch = Buffer.allocUnsafeSlow(ONE_CALL_BYTES)

function digest(name: 'sha256' | 'sha512', parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  if (parts.length === 1) return bytesOf(hash(name, parts[0] as Uint8Array, 'binary'))
  if (length > ONE_CALL_BYTES) {
    const state = createHash(name)
    for (const part of parts) state.update(part)
    return new Uint8Array(state.digest())
  }
  let at = 0
  for (const part of parts) {
    scratch.set(part, at)
    at += part.length
  }
  return bytesOf(hash(name, scratch.subarray(0, length), 'binary'))
}

/** A hash comes as a string and is copied: a buffer of its own outside the heap costs more than the hashing. */
function bytesOf(latin1: string): Uint8Array {
  const out = new Uint8Array(latin1.length)
  for (let i = 0; i < out.length; i++) out[i] = latin1.charCodeAt(i)
  return out
}

/** A hash in a domain of its own, over parts that cannot run into each other. */
function oracle(domain: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const framed: Uint8Array[] = [domain]
  for (const part of parts) framed.push(lengthOf(part.length), part)
  return digest('sha256', framed)
}

const lengths = new Map<number, Uint8Array>()
function lengthOf(length: number): Uint8Array {
  const known = lengths.get(length)
  if (known !== undefined) return known
  const fresh = Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length)
  lengths.set(length, fresh)
  return fresh
}

/** `length` bytes out of 32: no two seeds give the same. */
function stretched(seed: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length)
  out.set(seed.subarray(0, length))
  for (let at = seed.length; at < length; at *= 2) out.copyWithin(at, 0, Math.min(at, length - at))
  return out
}

const D = {
  hmac: utf8('hmac'),
  kdf: utf8('kdf'),
  argon: utf8('argon2id'),
  pbkdf: utf8('pbkdf2'),
  dhPublic: utf8('x25519 public'),
  dh: utf8('x25519'),
  edPublic: utf8('ed25519 public'),
  edSign: utf8('ed25519 sign'),
  kemPublic: utf8('ml-kem public'),
  kemCipher: utf8('ml-kem ciphertext'),
  kemSecret: utf8('ml-kem secret'),
  dsaPublic: utf8('ml-dsa public'),
  dsaSign: utf8('ml-dsa sign'),
} as const

const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

/** Keys are up to 2.6 KB long, and differ in their first bytes already. */
const beginning = (publicKey: Uint8Array): string => hex(publicKey.subarray(0, 32))

interface Pair {
  readonly secret: Uint8Array
  readonly publicKey: Uint8Array
}

/** Key and nonce that were used for two different plaintexts. */
export interface NonceReuse {
  readonly where: 'seal' | 'xseal'
}

/** What all processes of a world share: who knows which secret, and what was sealed under which key and nonce. */
export class Primitives {
  /** By the beginning of a public key: the key and its secret. Only the code below looks here. */
  #secrets = new Map<string, Pair>()
  #sealed = new Map<string, string>()
  #publics = new Map<string, Uint8Array>()
  #kept: { readonly secrets: Map<string, Pair>; readonly publics: Map<string, Uint8Array> } | undefined
  #encapsulations = 0
  onNonceReuse: (reuse: NonceReuse) => void = () => {}

  /** Every world from now on begins with the keys that are known now. */
  keep(): void {
    this.#kept = { secrets: this.#secrets, publics: this.#publics }
  }

  /** Another world begins: nothing of the one before shows in it. */
  begin(seed: number): void {
    this.#sealed = new Map()
    this.#secrets = new Map(this.#kept?.secrets)
    this.#publics = new Map(this.#kept?.publics)
    this.#encapsulations = seed * 2 ** 24
  }

  provider(): CryptoProvider {
    return {
      name: 'noble',
      sha256: (...parts) => digest('sha256', parts),
      sha512: (...parts) => digest('sha512', parts),
      hmacSha256: (key, data) => oracle(D.hmac, key, data),
      hkdfSha256: (ikm, salt, info, length) => kdf(ikm, salt, info, length),
      hkdfSha512: (ikm, salt, info, length) => kdf(ikm, salt, info, length),
      pbkdf2Sha512: async (password, salt, _iterations, length) => kdf(password, salt, D.pbkdf, length),
      argon2id: async (password, salt, cost) => kdf(password, salt, D.argon, cost.length),
      seal: (key, nonce, aad, plaintext) => this.#seal('seal', NONCE_BYTES, key, nonce, aad, plaintext),
      open: (key, nonce, aad, sealed) => open(NONCE_BYTES, key, nonce, aad, sealed),
      xseal: (key, nonce, aad, plaintext) => this.#seal('xseal', XNONCE_BYTES, key, nonce, aad, plaintext),
      xopen: (key, nonce, aad, sealed) => open(XNONCE_BYTES, key, nonce, aad, sealed),
      x25519PublicKey: (secret) => this.#public(D.dhPublic, secret, 32),
      x25519: (secret, publicKey) => this.#agree(secret, publicKey),
      ed25519PublicKey: (seed) => this.#public(D.edPublic, seed, 32),
      ed25519Sign: (seed, message) => sign(D.edSign, seed, ED25519_SIGNATURE_BYTES, message),
      ed25519Verify: (publicKey, message, signature) =>
        this.#holds(D.edSign, publicKey, ED25519_SIGNATURE_BYTES, signature, message),
      kemPublicKey: (set, seed) => {
        requireLength('an ML-KEM seed', seed, KEM_SEED_BYTES)
        return this.#public(D.kemPublic, seed, KEM_BYTES[set].publicKey)
      },
      kemEncapsulate: (set, publicKey) => this.#encapsulate(set, publicKey),
      kemDecapsulate: (set, seed, ciphertext) =>
        ciphertext.length === KEM_BYTES[set].ciphertext ? oracle(D.kemSecret, seed, ciphertext) : undefined,
      dsaPublicKey: (set, seed) => {
        requireLength('an ML-DSA seed', seed, DSA_SEED_BYTES)
        return this.#public(D.dsaPublic, seed, DSA_BYTES[set].publicKey)
      },
      dsaSign: async (set, seed, message, context) => sign(D.dsaSign, seed, DSA_BYTES[set].signature, message, context),
      dsaVerify: (set: DsaSet, publicKey, message, signature, context) =>
        this.#holds(D.dsaSign, publicKey, DSA_BYTES[set].signature, signature, message, context),
    }
  }

  #public(domain: Uint8Array, secret: Uint8Array, length: number): Uint8Array {
    const name = hex(domain) + length + hex(secret)
    const known = this.#publics.get(name)
    if (known !== undefined) return known.slice()
    const fresh = stretched(oracle(domain, secret, lengthOf(length)), length)
    this.#publics.set(name, fresh)
    this.#secrets.set(beginning(fresh), { secret: secret.slice(), publicKey: fresh })
    return fresh.slice()
  }

  #secretOf(publicKey: Uint8Array): Uint8Array | undefined {
    const pair = this.#secrets.get(beginning(publicKey))
    return pair !== undefined && Buffer.compare(pair.publicKey, publicKey) === 0 ? pair.secret : undefined
  }

  #agree(secret: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
    if (publicKey.length !== 32 || publicKey.every((byte) => byte === 0)) return undefined
    // From now on others can agree with it.
    this.#public(D.dhPublic, secret, 32)
    const theirs = this.#secretOf(publicKey)
    // Nobody has the secret of a key out of thin air: what comes of it is known to this side alone.
    if (theirs === undefined) return oracle(D.dh, secret, publicKey)
    const [low, high] = Buffer.compare(secret, theirs) < 0 ? [secret, theirs] : [theirs, secret]
    return oracle(D.dh, low, high)
  }

  #encapsulate(set: KemSet, publicKey: Uint8Array): { ciphertext: Uint8Array; secret: Uint8Array } | undefined {
    if (publicKey.length !== KEM_BYTES[set].publicKey) return undefined
    const coin = utf8(String(this.#encapsulations++))
    const ciphertext = stretched(oracle(D.kemCipher, publicKey, coin), KEM_BYTES[set].ciphertext)
    const seed = this.#secretOf(publicKey)
    return { ciphertext, secret: oracle(D.kemSecret, seed ?? coin, ciphertext) }
  }

  #holds(
    domain: Uint8Array,
    publicKey: Uint8Array,
    length: number,
    signature: Uint8Array,
    ...message: readonly Uint8Array[]
  ): boolean {
    const secret = this.#secretOf(publicKey)
    return secret !== undefined && Buffer.compare(sign(domain, secret, length, ...message), signature) === 0
  }

  #seal(
    where: NonceReuse['where'],
    nonceBytes: number,
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
  ): Uint8Array {
    requireAead(key, nonce, nonceBytes)
    const out = new Uint8Array(plaintext.length + TAG_BYTES)
    mask(plaintext, padOf(key, nonce), out)
    const tag = tagOf(key, nonce, aad, plaintext)
    out.set(tag, plaintext.length)
    const name = hex(key) + hex(nonce)
    const said = hex(tag)
    const before = this.#sealed.get(name)
    if (before === undefined) this.#sealed.set(name, said)
    else if (before !== said) this.onNonceReuse({ where })
    return out
  }
}

/** 32 bytes that hang on key and nonce. Nobody in this world tries to solve it; the plaintext must not show, and does not. */
function padOf(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const pad = new Uint8Array(32)
  for (let i = 0; i < 32; i++) pad[i] = (key[i] as number) ^ (nonce[i % nonce.length] as number) ^ ((i * 0x9d) & 255)
  return pad
}

/** 16 bytes that hang on everything, by a keyed mix that is no cryptography: who has no key does not even try here. */
function tagOf(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  let a = mixed(0x811c9dc5, key)
  let b = mixed(0x2545f491, nonce)
  let c = mixed(a ^ aad.length, aad)
  let d = mixed(b ^ plaintext.length, plaintext)
  a = Math.imul(a ^ d, 0x85ebca6b) ^ (c >>> 13)
  b = Math.imul(b ^ c, 0xc2b2ae35) ^ (a >>> 16)
  c = Math.imul(c ^ b, 0x27d4eb2f) ^ (d >>> 15)
  d = Math.imul(d ^ a, 0x165667b1) ^ (b >>> 14)
  const tag = new Uint8Array(TAG_BYTES)
  const view = new DataView(tag.buffer)
  view.setInt32(0, a)
  view.setInt32(4, b)
  view.setInt32(8, c)
  view.setInt32(12, d)
  return tag
}

function mixed(seed: number, bytes: Uint8Array): number {
  let state = seed
  for (let i = 0; i < bytes.length; i++) state = Math.imul(state ^ (bytes[i] as number), 0x01000193)
  return state ^ (state >>> 15)
}

/** XOR with a pad of 32 bytes: nothing of the plaintext shows, which is all that is asked of it here. */
function mask(input: Uint8Array, pad: Uint8Array, out: Uint8Array): void {
  for (let i = 0; i < input.length; i++) out[i] = (input[i] as number) ^ (pad[i & 31] as number)
}

function open(
  nonceBytes: number,
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  requireAead(key, nonce, nonceBytes)
  const length = sealed.length - TAG_BYTES
  if (length < 0) return undefined
  const plaintext = new Uint8Array(length)
  mask(sealed.subarray(0, length), padOf(key, nonce), plaintext)
  return equal(tagOf(key, nonce, aad, plaintext), sealed.subarray(length)) ? plaintext : undefined
}

function sign(domain: Uint8Array, secret: Uint8Array, length: number, ...message: readonly Uint8Array[]): Uint8Array {
  return stretched(oracle(domain, secret, ...message), length)
}

function kdf(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length)
  const framed = concat(D.kdf, ...[ikm, salt, info, lengthOf(0)].flatMap((part) => [lengthOf(part.length), part]))
  for (let at = 0, block = 0; at < length; at += 32, block++) {
    framed.set(lengthOf(block), framed.length - 4)
    out.set(digest('sha256', [framed]).subarray(0, Math.min(32, length - at)), at)
  }
  return out
}
