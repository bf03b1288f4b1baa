import { test } from 'node:test'
import assert from 'node:assert/strict'
import { hybridPublicKeys, hybridSign, hybridVerify, type HybridSignature } from '../../../src/crypto/hybrid.ts'
import { nativeProvider as native } from '../../../src/crypto/native.ts'
import { concat, utf8 } from '../../../src/lib/bytes.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { agree, BACKENDS, EMPTY, flipped } from './backends.ts'

const rng = seededRng(3)
const LABEL = 'sotto test v1'
const seeds = { ed25519: rng.bytes(32), mldsa65: rng.bytes(32) }
const message = rng.bytes(100)
const key = await agree((p) => hybridPublicKeys(p, seeds))
const signature = await hybridSign(native, seeds, LABEL, message)
const verify = async (s: HybridSignature, label = LABEL, m = message, k = key) =>
  agree((p) => hybridVerify(p, k, label, m, s))

test('each backend signs what both verify; the sizes are those of the standards', async () => {
  assert.deepEqual([key.ed25519.length, key.mldsa65.length], [32, 1_952])
  for (const p of BACKENDS) {
    const made = await hybridSign(p, seeds, LABEL, message)
    assert.deepEqual([made.ed25519.length, made.mldsa65.length], [64, 3_309])
    assert.equal(await verify(made), true)
  }
})

test('both halves must verify', async () => {
  assert.equal(await verify(signature), true)
  assert.equal(await verify({ ...signature, ed25519: flipped(signature.ed25519, 5) }), false)
  assert.equal(await verify({ ...signature, mldsa65: flipped(signature.mldsa65, 5) }), false)
  const other = hybridPublicKeys(native, { ed25519: rng.bytes(32), mldsa65: rng.bytes(32) })
  assert.equal(await verify(signature, LABEL, message, { ...key, ed25519: other.ed25519 }), false)
  assert.equal(await verify(signature, LABEL, message, { ...key, mldsa65: other.mldsa65 }), false)
})

test('the label and the message are both bound, and cannot be shifted into one another', async () => {
  assert.equal(await verify(signature, 'sotto test v2'), false)
  assert.equal(await verify(signature, LABEL, flipped(message, 0)), false)
  const shifted = await hybridSign(native, seeds, 'ab', utf8('c'))
  assert.equal(await verify(shifted, 'ab', utf8('c')), true)
  assert.equal(await verify(shifted, 'a', utf8('bc')), false)
  assert.equal(await verify(shifted, 'abc', EMPTY), false)
})

test('a stripped half is no plain signature of the message', async () => {
  for (const p of BACKENDS) {
    assert.equal(p.ed25519Verify(key.ed25519, message, signature.ed25519), false)
    for (const context of [EMPTY, utf8(LABEL)]) {
      assert.equal(p.dsaVerify(65, key.mldsa65, message, signature.mldsa65, context), false)
    }
  }
})

test('a plain signature does not serve as a half', async () => {
  const plain = {
    ed25519: native.ed25519Sign(seeds.ed25519, message),
    mldsa65: await native.dsaSign(65, seeds.mldsa65, message, utf8(LABEL)),
  }
  assert.equal(await verify({ ...signature, ed25519: plain.ed25519 }), false)
  assert.equal(await verify({ ...signature, mldsa65: plain.mldsa65 }), false)
})

test('the framing is the documented one', () => {
  const framed = concat(utf8('sotto hybrid v1'), Uint8Array.of(LABEL.length), utf8(LABEL), message)
  assert.equal(native.ed25519Verify(key.ed25519, framed, signature.ed25519), true)
  assert.equal(native.dsaVerify(65, key.mldsa65, framed, signature.mldsa65, utf8(LABEL)), true)
})

test('wrong lengths from a peer are false, of the caller’s own an error', async () => {
  for (const bad of [EMPTY, new Uint8Array(63), new Uint8Array(4_000)]) {
    assert.equal(await verify({ ...signature, ed25519: bad }), false)
    assert.equal(await verify({ ...signature, mldsa65: bad }), false)
    assert.equal(await verify(signature, LABEL, message, { ...key, ed25519: bad }), false)
    assert.equal(await verify(signature, LABEL, message, { ...key, mldsa65: bad }), false)
  }
  for (const label of ['', 'x'.repeat(256), 'é'.repeat(128)]) {
    await assert.rejects(hybridSign(native, seeds, label, message), { name: 'UsageError' })
    assert.throws(() => hybridVerify(native, key, label, message, signature), { name: 'UsageError' })
  }
  await assert.rejects(hybridSign(native, { ...seeds, ed25519: EMPTY }, LABEL, message), { name: 'UsageError' })
  await assert.rejects(hybridSign(native, { ...seeds, mldsa65: EMPTY }, LABEL, message), { name: 'UsageError' })
})

test('the seeds may be wiped once hybridSign has returned its promise', async () => {
  for (const p of BACKENDS) {
    const own = { ed25519: rng.bytes(32), mldsa65: rng.bytes(32) }
    const ownKey = hybridPublicKeys(p, own)
    const pending = hybridSign(p, own, LABEL, message)
    own.ed25519.fill(0)
    own.mldsa65.fill(0)
    assert.equal(hybridVerify(p, ownKey, LABEL, message, await pending), true)
  }
})
