import { test } from 'node:test'
import assert from 'node:assert/strict'
import { PublicKeys, SecretKeys } from '../../../src/crypto/native-keys.ts'
import { nativeProvider as native } from '../../../src/crypto/native.ts'
import { nobleProvider as noble } from '../../../src/crypto/noble.ts'
import { wipe } from '../../../src/lib/bytes.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { EMPTY } from './backends.ts'

const rng = seededRng(7)

test('a secret is imported once for one array', () => {
  const keys = new SecretKeys('x25519')
  const secret = rng.bytes(32)
  assert.equal(keys.get(secret), keys.get(secret))
  assert.notEqual(keys.get(secret), keys.get(secret.slice()))
})

test('a wiped or refilled array never answers with the key that it held before', () => {
  const keys = new SecretKeys('ed25519')
  const seed = rng.bytes(32)
  const before = keys.get(seed)
  wipe(seed)
  const wiped = keys.get(seed)
  assert.equal(wiped.equals(before), false)
  seed.set(rng.bytes(32))
  assert.equal(keys.get(seed).equals(wiped), false)
})

test('the provider follows the bytes of a seed that is wiped and used again, for every kind of key', async () => {
  const scalar = rng.bytes(32)
  const pair = rng.bytes(64)
  const context = EMPTY
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(native.x25519PublicKey(scalar), noble.x25519PublicKey(scalar))
    assert.deepEqual(native.ed25519Sign(scalar, pair), noble.ed25519Sign(scalar, pair))
    assert.deepEqual(native.kemPublicKey(768, pair), noble.kemPublicKey(768, pair))
    assert.deepEqual(native.kemPublicKey(1024, pair), noble.kemPublicKey(1024, pair))
    const signature = await native.dsaSign(44, scalar, pair, context)
    assert.equal(noble.dsaVerify(44, noble.dsaPublicKey(44, scalar), pair, signature, context), true)
    wipe(scalar, pair)
  }
})

test('one array may carry the seeds of two algorithms', () => {
  const bytes = rng.bytes(32)
  assert.notDeepEqual(native.x25519PublicKey(bytes), native.ed25519PublicKey(bytes))
  assert.deepEqual(native.x25519PublicKey(bytes), noble.x25519PublicKey(bytes))
})

test('public keys are remembered by content, and the least recently used falls out', () => {
  const keys = new PublicKeys('x25519', 2)
  const [a, b, c] = [rng.bytes(32), rng.bytes(32), rng.bytes(32)]
  const [first, second] = [keys.get(a), keys.get(b)]
  assert.equal(keys.get(a.slice()), first)
  keys.get(c)
  assert.equal(keys.get(a), first, 'used after b')
  assert.notEqual(keys.get(b), second, 'fell out')
})

test('bytes that are no key are refused each time and not remembered', () => {
  const keys = new PublicKeys('ml-kem-768', 1)
  const good = noble.kemPublicKey(768, rng.bytes(64))
  const remembered = keys.get(good)
  const bad = new Uint8Array(1_184).fill(255)
  assert.equal(keys.get(bad), undefined)
  assert.equal(keys.get(bad), undefined)
  assert.equal(keys.get(good), remembered)
})

test('a public key array that changes after use is judged by its new bytes', () => {
  const seed = rng.bytes(32)
  const [key, message] = [native.ed25519PublicKey(seed), rng.bytes(9)]
  const signature = native.ed25519Sign(seed, message)
  assert.equal(native.ed25519Verify(key, message, signature), true)
  key.set(native.ed25519PublicKey(rng.bytes(32)))
  assert.equal(native.ed25519Verify(key, message, signature), false)
})
