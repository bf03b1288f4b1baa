import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { DSA_BYTES, KEM_BYTES } from '../../../src/crypto/sizes.ts'
import { utf8 } from '../../../src/lib/bytes.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { Primitives } from '../../sim/crypto.ts'

const rng = seededRng(11)
const message = utf8('a message')
const label = utf8('a label')
const flipped = (bytes: Uint8Array, at = 0): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte))

test('TE-01 hashes are the real ones, in one part or many', () => {
  const crypto = new Primitives().provider()
  for (const parts of [[message], [message, label, new Uint8Array(0)], [rng.bytes(70_000), label]]) {
    assert.deepEqual(crypto.sha256(...parts), nativeProvider.sha256(...parts))
    assert.deepEqual(crypto.sha512(...parts), nativeProvider.sha512(...parts))
  }
})

test('TE-01 only who has the secret signs: any other key, message, context or bit fails', async () => {
  const crypto = new Primitives().provider()
  const [mine, other] = [rng.bytes(32), rng.bytes(32)]
  const publicKey = crypto.ed25519PublicKey(mine)
  crypto.ed25519PublicKey(other)
  const signature = crypto.ed25519Sign(mine, message)
  assert.equal(signature.length, 64)
  assert.ok(crypto.ed25519Verify(publicKey, message, signature))
  assert.ok(!crypto.ed25519Verify(publicKey, label, signature))
  assert.ok(!crypto.ed25519Verify(publicKey, message, crypto.ed25519Sign(other, message)))
  for (const at of [0, 31, 63]) assert.ok(!crypto.ed25519Verify(publicKey, message, flipped(signature, at)))
  for (const set of [44, 65] as const) {
    const dsaKey = crypto.dsaPublicKey(set, mine)
    const signed = await crypto.dsaSign(set, mine, message, label)
    assert.deepEqual([dsaKey.length, signed.length], [DSA_BYTES[set].publicKey, DSA_BYTES[set].signature])
    assert.ok(crypto.dsaVerify(set, dsaKey, message, signed, label))
    assert.ok(!crypto.dsaVerify(set, dsaKey, message, signed, message))
    assert.ok(!crypto.dsaVerify(set, dsaKey, label, signed, label))
    assert.ok(!crypto.dsaVerify(set, dsaKey, message, flipped(signed, 2_000), label))
    assert.ok(!crypto.dsaVerify(set, rng.bytes(dsaKey.length), message, signed, label))
  }
})

test("TE-01 a public key that only begins like another one is nobody's", async () => {
  const crypto = new Primitives().provider()
  const seed = rng.bytes(32)
  const publicKey = crypto.dsaPublicKey(44, seed)
  const signature = await crypto.dsaSign(44, seed, message, label)
  assert.ok(crypto.dsaVerify(44, publicKey, message, signature, label))
  assert.ok(!crypto.dsaVerify(44, flipped(publicKey, publicKey.length - 1), message, signature, label))
  assert.ok(!crypto.dsaVerify(44, publicKey.subarray(0, 32), message, signature, label))
  assert.ok(!crypto.dsaVerify(44, publicKey, message, flipped(signature, signature.length - 1), label))
})

test('TE-01 two agree on a secret, and a third does not', () => {
  const crypto = new Primitives().provider()
  const [a, b, c] = [rng.bytes(32), rng.bytes(32), rng.bytes(32)]
  const [A, B] = [crypto.x25519PublicKey(a), crypto.x25519PublicKey(b)]
  assert.deepEqual(crypto.x25519(a, B), crypto.x25519(b, A))
  assert.notDeepEqual(crypto.x25519(c, A), crypto.x25519(b, A))
  assert.equal(crypto.x25519(a, new Uint8Array(32)), undefined)
})

test('TE-01 a KEM: its secret is for the seed alone, and a forged ciphertext gives another', () => {
  const primitives = new Primitives()
  const crypto = primitives.provider()
  for (const set of [768, 1024] as const) {
    const seed = rng.bytes(64)
    const publicKey = crypto.kemPublicKey(set, seed)
    const sealed = crypto.kemEncapsulate(set, publicKey)
    assert.ok(sealed)
    assert.deepEqual(
      [publicKey.length, sealed.ciphertext.length],
      [KEM_BYTES[set].publicKey, KEM_BYTES[set].ciphertext],
    )
    assert.deepEqual(crypto.kemDecapsulate(set, seed, sealed.ciphertext), sealed.secret)
    assert.notDeepEqual(crypto.kemDecapsulate(set, rng.bytes(64), sealed.ciphertext), sealed.secret)
    assert.notDeepEqual(crypto.kemDecapsulate(set, seed, flipped(sealed.ciphertext, 900)), sealed.secret)
    assert.notDeepEqual(crypto.kemEncapsulate(set, publicKey)?.secret, sealed.secret)
    assert.equal(crypto.kemDecapsulate(set, seed, new Uint8Array(3)), undefined)
  }
})

test('TE-01 what was sealed opens under the same key, nonce and data, and not with a bit changed anywhere', () => {
  const crypto = new Primitives().provider()
  const key = rng.bytes(32)
  for (const [seal, open, nonce] of [
    ['seal', 'open', rng.bytes(12)],
    ['xseal', 'xopen', rng.bytes(24)],
  ] as const) {
    const text = rng.bytes(300)
    const sealed = crypto[seal](key, nonce, label, text)
    assert.equal(sealed.length, text.length + 16)
    assert.deepEqual(crypto[open](key, nonce, label, sealed), text)
    assert.ok(!Buffer.from(sealed).includes(Buffer.from(text.subarray(0, 16))))
    for (let at = 0; at < sealed.length; at += 7)
      assert.equal(crypto[open](key, nonce, label, flipped(sealed, at)), undefined)
    assert.equal(crypto[open](flipped(key), nonce, label, sealed), undefined)
    assert.equal(crypto[open](key, flipped(nonce), label, sealed), undefined)
    assert.equal(crypto[open](key, nonce, message, sealed), undefined)
    assert.equal(crypto[open](key, nonce, label, new Uint8Array(5)), undefined)
  }
})

test('TE-01 the same key and nonce over another plaintext is reported, over the same one not', () => {
  const primitives = new Primitives()
  const crypto = primitives.provider()
  const reports: string[] = []
  primitives.onNonceReuse = ({ where }) => reports.push(where)
  const [key, nonce] = [rng.bytes(32), rng.bytes(12)]
  crypto.seal(key, nonce, label, message)
  crypto.seal(key, nonce, label, message)
  assert.deepEqual(reports, [])
  crypto.seal(key, nonce, label, label)
  assert.deepEqual(reports, ['seal'])
})
