/** Random input to both backends. fast-check prints its seed when a property fails; the seed is fixed here. */

import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nativeProvider as native } from '../../src/crypto/native.ts'
import { nobleProvider as noble } from '../../src/crypto/noble.ts'

const SEED = 20_261_121
const bytes = (min: number, max = min) => fc.uint8Array({ minLength: min, maxLength: max })
// Lengths on both sides of the hand-over from noble to OpenSSL at 3,072 bytes.
const text = fc.oneof(bytes(0, 200), bytes(3_000, 3_200))

test('what one backend seals the other opens, and only with the same key, nonce and associated data', () => {
  fc.assert(
    fc.property(bytes(32), bytes(12), bytes(0, 40), text, fc.nat(), (key, nonce, aad, plaintext, at) => {
      const sealed = native.seal(key, nonce, aad, plaintext)
      assert.deepEqual(sealed, noble.seal(key, nonce, aad, plaintext))
      const forged = sealed.slice()
      const index = at % forged.length
      forged[index] = (forged[index] ?? 0) ^ (1 << (at % 8))
      for (const p of [native, noble]) {
        assert.deepEqual(p.open(key, nonce, aad, sealed), plaintext)
        assert.equal(p.open(key, nonce, aad, forged), undefined)
        assert.equal(p.open(key, nonce, Uint8Array.of(...aad, 0), sealed), undefined)
      }
    }),
    { numRuns: 120, seed: SEED },
  )
})

test('hashes and KDFs of any parts agree', () => {
  fc.assert(
    fc.property(
      fc.array(bytes(0, 300), { maxLength: 5 }),
      bytes(0, 80),
      fc.integer({ min: 1, max: 300 }),
      (parts, salt, n) => {
        assert.deepEqual(native.sha256(...parts), noble.sha256(...parts))
        assert.deepEqual(native.sha512(...parts), noble.sha512(...parts))
        assert.deepEqual(native.hkdfSha256(salt, salt, salt, n), noble.hkdfSha256(salt, salt, salt, n))
      },
    ),
    { numRuns: 150, seed: SEED },
  )
})

test('any bytes as a peer’s key, signature or ciphertext get one answer from both and no exception', () => {
  const any = fc.oneof(bytes(0, 40), bytes(32), bytes(64), bytes(1_088), bytes(1_184), bytes(1_312), bytes(2_420))
  fc.assert(
    fc.property(bytes(64), any, any, any, (seed, a, b, c) => {
      const secret = seed.subarray(0, 32)
      assert.deepEqual(native.x25519(secret, a), noble.x25519(secret, a))
      assert.equal(native.ed25519Verify(a, b, c), noble.ed25519Verify(a, b, c))
      assert.equal(native.dsaVerify(44, a, b, c, secret), noble.dsaVerify(44, a, b, c, secret))
      assert.equal(native.kemEncapsulate(768, a) === undefined, noble.kemEncapsulate(768, a) === undefined)
      assert.deepEqual(native.kemDecapsulate(768, seed, a), noble.kemDecapsulate(768, seed, a))
    }),
    { numRuns: 120, seed: SEED },
  )
})
