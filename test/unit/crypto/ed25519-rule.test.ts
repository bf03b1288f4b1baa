/** Signatures made to be judged differently by different libraries. Both backends must give one answer. */

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { ed25519 } from '@noble/curves/ed25519.js'
import { ed25519Plausible } from '../../../src/crypto/ed25519-rule.ts'
import { nativeProvider as native } from '../../../src/crypto/native.ts'
import { concat, equal } from '../../../src/lib/bytes.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { agree, EMPTY, hex } from './backends.ts'

const rng = seededRng(25)
const { Point } = ed25519
const L = Point.Fn.ORDER
const P = Point.Fp.ORDER
const T8 = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05') // a point of order 8

const toLittleEndian = (value: bigint) =>
  Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n))
const fromLittleEndian = (bytes: Uint8Array) => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
const randomScalar = () => (fromLittleEndian(rng.bytes(32)) % (L - 1n)) + 1n
const challenge = (r: Uint8Array, a: Uint8Array, message: Uint8Array) =>
  fromLittleEndian(native.sha512(r, a, message)) % L

/** S = s + k·a for encodings of R and A that the caller has bent. */
function forge(r: Uint8Array, s: bigint, a: Uint8Array, secret: bigint, message: Uint8Array): Uint8Array {
  return concat(r, toLittleEndian((s + challenge(r, a, message) * secret) % L))
}

const both = async (a: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
  agree((p) => p.ed25519Verify(a, message, signature))

/** The bare cofactorless equation, without the rule in front: what some releases of Node answer, and some do not. */
function equationHolds(a: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const [r, s] = [signature.subarray(0, 32), fromLittleEndian(signature.subarray(32))]
  const kA = Point.fromBytes(a).multiplyUnsafe(challenge(r, a, message))
  return equal(Point.BASE.multiplyUnsafe(s).subtract(kA).toBytes(), r)
}

const SMALL_ORDER = Array.from({ length: 8 }, (_, i) => T8.multiplyUnsafe(BigInt(i)).toBytes())

test('a signature with a torsion part in R verifies on neither backend, though noble alone would take it', async () => {
  for (let i = 0; i < 25; i++) {
    const [secret, nonce, message] = [randomScalar(), randomScalar(), rng.bytes(20)]
    const a = Point.BASE.multiply(secret).toBytes()
    const r = Point.BASE.multiply(nonce).add(T8).toBytes()
    const signature = forge(r, nonce, a, secret, message)
    assert.equal(ed25519.verify(signature, message, a, { zip215: false }), true)
    assert.equal(await both(a, message, signature), false)
  }
})

test('a public key with a torsion part verifies exactly where k is a multiple of 8, on both', async () => {
  const verdicts = new Set<boolean>()
  for (let i = 0; i < 60; i++) {
    const [secret, nonce, message] = [randomScalar(), randomScalar(), rng.bytes(20)]
    const a = Point.BASE.multiply(secret).add(T8).toBytes()
    const r = Point.BASE.multiply(nonce).toBytes()
    const expected = challenge(r, a, message) % 8n === 0n
    assert.equal(await both(a, message, forge(r, nonce, a, secret, message)), expected)
    verdicts.add(expected)
  }
  assert.equal(verdicts.size, 2)
})

test('the eight small-order points are refused as keys on both, where the equation alone would hold', async () => {
  assert.equal(new Set(SMALL_ORDER.map(String)).size, 8)
  let held = 0
  for (const a of SMALL_ORDER) {
    for (let tries = 0; tries < 12; tries++) {
      const [nonce, message] = [randomScalar(), rng.bytes(8)]
      const signature = forge(Point.BASE.multiply(nonce).toBytes(), nonce, a, 0n, message)
      if (equationHolds(a, message, signature)) held++
      assert.equal(await both(a, message, signature), false)
    }
  }
  assert.ok(held >= 12, `seed 25: the equation held ${held} times`)
})

test('the eight small-order points are refused as R on both, where the equation alone would hold', async () => {
  const secret = randomScalar()
  const mixed = Point.BASE.multiply(secret).add(T8).toBytes()
  let held = 0
  for (const r of SMALL_ORDER) {
    for (let tries = 0; tries < 12; tries++) {
      const message = rng.bytes(8)
      const signature = forge(r, 0n, mixed, secret, message)
      if (equationHolds(mixed, message, signature)) held++
      assert.equal(await both(mixed, message, signature), false)
    }
  }
  assert.ok(held >= 4, `seed 25: the equation held ${held} times`)
})

test('S must be below L on both', async () => {
  const seed = rng.bytes(32)
  const [a, message] = [native.ed25519PublicKey(seed), rng.bytes(20)]
  const signature = native.ed25519Sign(seed, message)
  const s = fromLittleEndian(signature.subarray(32))
  assert.equal(await both(a, message, signature), true)
  for (const more of [1n, 2n, 7n]) {
    assert.equal(await both(a, message, concat(signature.subarray(0, 32), toLittleEndian(s + more * L))), false)
  }
})

test('A and R must be canonical: y below p, no sign on x = 0', () => {
  const base = Point.BASE.toBytes()
  const plausible = (point: Uint8Array, s: bigint) => {
    const asKey = ed25519Plausible(point, concat(base, toLittleEndian(s)))
    assert.equal(ed25519Plausible(base, concat(point, toLittleEndian(s))), asKey, 'one answer for A and R')
    return asKey
  }
  for (let above = 0n; above < 19n; above++) {
    const y = toLittleEndian(P + above)
    assert.equal(plausible(y, 0n), false)
    assert.equal(plausible(y.with(31, 0xff), 0n), false)
  }
  assert.equal(plausible(toLittleEndian(1n + (1n << 255n)), 0n), false)
  assert.equal(plausible(toLittleEndian(P - 1n + (1n << 255n)), 0n), false)
  assert.equal(plausible(base, 0n), true)
  assert.equal(plausible(base, L - 1n), true)
  assert.equal(plausible(base, L), false)
  assert.equal(plausible(toLittleEndian(P - 2n), 0n), true, 'the greatest y that is not of small order')
  assert.equal(plausible(EMPTY, 0n), false)
})

test('a key that is no point of the curve is refused on both', async () => {
  const offCurve = hex('0200000000000000000000000000000000000000000000000000000000000000')
  assert.throws(() => Point.fromBytes(offCurve))
  assert.equal(await both(offCurve, EMPTY, concat(Point.BASE.toBytes(), toLittleEndian(1n))), false)
})
