/** The vectors printed in the standards themselves, where Wycheproof does not carry them. */

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { randomNonce } from '../../../src/crypto/nonce.ts'
import { toHex, utf8 } from '../../../src/lib/bytes.ts'
import { systemRng } from '../../../src/lib/rng.ts'
import { BACKENDS, EMPTY, hex } from './backends.ts'

for (const p of BACKENDS) {
  test(`ID-19 vectors for SHA-256 and SHA-512, FIPS 180-4 (${p.name})`, () => {
    assert.equal(toHex(p.sha256()), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    assert.equal(toHex(p.sha256(utf8('abc'))), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    assert.equal(
      toHex(p.sha256(utf8('abcdbcdecdefdefgefghfghighijhijkijkl'), utf8('jklmklmnlmnomnopnopq'))),
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    )
    assert.equal(
      toHex(p.sha256(new Uint8Array(400_000).fill(97), new Uint8Array(600_000).fill(97))),
      'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0',
    )
    assert.equal(
      toHex(p.sha512(utf8('a'), utf8('bc'))),
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a' +
        '2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    )
  })

  test(`HMAC and HKDF, RFC 4231 §4.3 and RFC 5869 A.1, A.3 (${p.name})`, () => {
    assert.equal(
      toHex(p.hmacSha256(utf8('Jefe'), utf8('what do ya want for nothing?'))),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    )
    const ikm = new Uint8Array(22).fill(0x0b)
    assert.equal(
      toHex(p.hkdfSha256(ikm, hex('000102030405060708090a0b0c'), hex('f0f1f2f3f4f5f6f7f8f9'), 42)),
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    )
    assert.equal(
      toHex(p.hkdfSha256(ikm, EMPTY, EMPTY, 42)),
      '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    )
  })

  test(`ChaCha20-Poly1305, RFC 8439 §2.8.2 (${p.name})`, () => {
    const key = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i)
    const nonce = hex('070000004041424344454647')
    const aad = hex('50515253c0c1c2c3c4c5c6c7')
    const text =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    const sealed = p.seal(key, nonce, aad, utf8(text))
    assert.equal(toHex(sealed.subarray(0, 16)), 'd31a8d34648e60db7b86afbc53ef7ec2')
    assert.equal(toHex(sealed.subarray(-16)), '1ae10b594f09e26a7e902ecbd0600691')
    assert.deepEqual(p.open(key, nonce, aad, sealed), utf8(text))
  })

  test(`X25519, RFC 7748 §5.2 and §6.1 (${p.name})`, () => {
    const alice = hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a')
    const bob = hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f')
    assert.equal(toHex(p.x25519PublicKey(alice)), '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a')
    assert.equal(
      toHex(p.x25519(alice, bob) ?? EMPTY),
      '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742',
    )
    const scalar = hex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4')
    const point = hex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c')
    assert.equal(
      toHex(p.x25519(scalar, point) ?? EMPTY),
      'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
    )
  })

  test(`X25519 iterated, RFC 7748 §5.2 (${p.name})`, () => {
    let k: Uint8Array = new Uint8Array(32).with(0, 9)
    let u: Uint8Array = k
    const rounds = p.name === 'native' ? 1_000 : 1
    for (let i = 0; i < rounds; i++) {
      const next = p.x25519(k, u)
      assert.ok(next)
      ;[k, u] = [next, k]
    }
    const expected = {
      1: '422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079',
      1_000: '684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51',
    }
    assert.equal(toHex(k), expected[rounds])
  })

  test(`Ed25519, RFC 8032 §7.1 (${p.name})`, () => {
    const [seed, message] = [hex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'), hex('72')]
    const publicKey = p.ed25519PublicKey(seed)
    assert.equal(toHex(publicKey), '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
    const signature = p.ed25519Sign(seed, message)
    assert.equal(
      toHex(signature),
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
        '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    )
    assert.equal(p.ed25519Verify(publicKey, message, signature), true)
  })

  // From phc-winner-argon2, src/test.c: the one vector that RFC 9106 prints has four lanes.
  test(`Argon2id, the reference implementation’s vector (${p.name})`, async () => {
    const key = await p.argon2id(utf8('password'), utf8('somesalt'), { memoryKiB: 256, passes: 2, length: 32 })
    assert.equal(toHex(key), '9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe')
  })
}

test('ID-19 the nonce helper refuses a size below 12 and gives fresh bytes otherwise', () => {
  for (const length of [-1, 0, 8, 11, 12.5, Number.NaN]) {
    assert.throws(() => randomNonce(systemRng, length), { name: 'UsageError' })
  }
  for (const length of [12, 24]) {
    const nonce = randomNonce(systemRng, length)
    assert.equal(nonce.length, length)
    assert.notDeepEqual(nonce, randomNonce(systemRng, length))
  }
})
