import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  compare,
  concat,
  equal,
  fromBase64url,
  fromHex,
  fromUtf8,
  toBase64url,
  toHex,
  u32be,
  u64be,
  utf8,
  wipe,
  xor,
} from '../../../src/lib/bytes.ts'

const bytes = fc.uint8Array({ maxLength: 64 })

test('concat joins into an array of its own', () => {
  const a = Uint8Array.of(1, 2)
  const joined = concat(a, new Uint8Array(), Uint8Array.of(3))
  assert.deepEqual(joined, Uint8Array.of(1, 2, 3))
  joined[0] = 9
  assert.equal(a[0], 1)
  assert.equal(concat().length, 0)
})

test('UTF-8 there and back, and nothing that is not well formed', () => {
  for (const text of ['', 'abc', 'ä€𝄞', '\uFEFFmark']) assert.equal(fromUtf8(utf8(text)), text)
  const wrong = [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82], [0xf4, 0x90, 0x80, 0x80]]
  for (const sequence of wrong) assert.equal(fromUtf8(Uint8Array.from(sequence)), undefined)
  assert.equal(fromUtf8(utf8('still works after a refusal')), 'still works after a refusal')
})

test('equal and compare agree with the bytes', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.equal(equal(a, b), toHex(a) === toHex(b))
      assert.equal(Math.sign(compare(a, b)), Math.sign(Buffer.compare(a, b)))
      assert.equal(compare(a, b) === 0, equal(a, b))
    }),
  )
  assert.ok(equal(Uint8Array.of(1, 2, 3), Uint8Array.of(0, 1, 2, 3).subarray(1)))
})

test('SE-18 equal reads every byte of both, wherever the first difference is', () => {
  const reads = (bytes: Uint8Array): { readonly seen: Uint8Array; readonly at: string[] } => {
    const at: string[] = []
    const get = (target: Uint8Array, name: string): unknown => {
      if (name !== 'length') at.push(name)
      return target[name as keyof Uint8Array]
    }
    return { seen: new Proxy(bytes, { get: get as ProxyHandler<Uint8Array>['get'] & object }), at }
  }
  for (const different of [0, 1, 16, 31, undefined]) {
    const other = new Uint8Array(32)
    if (different !== undefined) other[different] = 1
    const [a, b] = [reads(new Uint8Array(32)), reads(other)]
    assert.equal(equal(a.seen, b.seen), different === undefined)
    assert.deepEqual([a.at.length, b.at.length], [32, 32])
  }
})

test('xor undoes itself and refuses other lengths', () => {
  fc.assert(
    fc.property(bytes, (a) => {
      const mask = a.map((byte) => byte ^ 0x5a)
      assert.deepEqual(xor(xor(a, mask), mask), a)
    }),
  )
  assert.throws(() => xor(Uint8Array.of(1), Uint8Array.of(1, 2)), RangeError)
})

test('integers are big-endian and never wrap', () => {
  assert.deepEqual(u32be(0x01020304), Uint8Array.of(1, 2, 3, 4))
  assert.deepEqual(u64be(2 ** 33 + 5), Uint8Array.of(0, 0, 0, 2, 0, 0, 0, 5))
  assert.deepEqual(u64be(2n ** 64n - 1n), new Uint8Array(8).fill(255))
  for (const value of [-1, 1.5, 2 ** 32, NaN]) assert.throws(() => u32be(value), RangeError)
  for (const value of [-1, 1.5, 2 ** 53, NaN, -1n, 2n ** 64n]) assert.throws(() => u64be(value), RangeError)
})

test('hex and base64url: there and back, one spelling each', () => {
  fc.assert(
    fc.property(bytes, (a) => {
      assert.deepEqual(fromHex(toHex(a)), a)
      assert.deepEqual(fromBase64url(toBase64url(a)), a)
    }),
  )
  assert.deepEqual(fromHex('AbCd'), Uint8Array.of(0xab, 0xcd))
  for (const text of ['0', 'zz', '0x', 'a b ']) assert.equal(fromHex(text), undefined)
  // "AB" has four bits too many set; "A" is no byte at all; padding and the other alphabet are not ours.
  for (const text of ['AB', 'A', 'AA==', 'a+/a', 'AA\n']) assert.equal(fromBase64url(text), undefined)
  assert.equal(toHex(Uint8Array.of(1, 2, 3, 4).subarray(1, 3)), '0203')
  assert.equal(toBase64url(Uint8Array.of(9, 255, 9).subarray(1, 2)), '_w')
})

test('SE-02 wipe zeroes and does not mind what is not there', () => {
  const secret = Uint8Array.of(1, 2, 3)
  wipe(secret, undefined)
  assert.deepEqual(secret, new Uint8Array(3))
})
