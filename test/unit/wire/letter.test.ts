import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodecError } from '../../../src/lib/errors.ts'
import { decode, encode } from '../../../src/wire/codec.ts'
import { LETTER_BYTES_MAX, letterCodec, listingCodec, policyCodec, putProofCodec } from '../../../src/wire/letter.ts'
import type { Letter } from '../../../src/wire/letter.ts'
import { SIZE_CLASSES_BYTES } from '../../../src/wire/padding.ts'
import { encoded, holdsStrict, refuses } from '../../support/strict.ts'
import { wireSample } from '../../support/wire-samples.ts'

const letter = (): Letter => decode(letterCodec, encoded('letter'))
const HEAD_BYTES = 1 + 1 + 32 + 16 + 4 + 1 + 32 + 1 + 16 + 4

test('SE-19 letter structures: round trip, truncated, trailing', () => {
  const small = ['put proof', 'receipt', 'tombstone', 'owner proof', 'listing', 'cursor']
  for (const name of small) holdsStrict(name, 4)
  for (const name of ['letter', 'policy']) holdsStrict(name, 2)
})

test('MB-24 a letter of each size class fits, the largest within the cap', () => {
  for (const [sizeClass, size] of SIZE_CLASSES_BYTES.entries()) {
    const value = { ...letter(), sizeClass: sizeClass as Letter['sizeClass'], ciphertext: new Uint8Array(size) }
    const bytes = encode(letterCodec, value)
    assert.equal(bytes.length, HEAD_BYTES + size)
    assert.ok(bytes.length <= LETTER_BYTES_MAX)
  }
  assert.throws(() => encode(letterCodec, { ...letter(), ciphertext: new Uint8Array(65_537) }), CodecError)
})

test('MB-25 a letter says its expiry in hours and no finer time', () => {
  const names = Object.keys(letter()).sort()
  assert.deepEqual(names, [
    'address',
    'ciphertext',
    'commitment',
    'expiry',
    'kind',
    'lane',
    'sizeClass',
    'stamp',
    'version',
  ])
})

test('reserved versions, kinds and size classes are refused', () => {
  const { codec } = wireSample('letter')
  for (const [at, values] of [
    [0, [0, 2, 255]],
    [1, [0, 3]],
    [54, [5, 255]],
  ] as const) {
    for (const value of values) {
      const bytes = encoded('letter')
      bytes[at] = value
      refuses(codec, bytes, `byte ${at} is ${value}`)
    }
  }
})

test('a put proof is a lane proof or nothing at all', () => {
  assert.deepEqual(decode(putProofCodec, Uint8Array.of(2, 0)), { kind: 2, body: { reserved: 0 } })
  for (const bytes of [[2, 1], [2], [0], [3, 0], [1]]) {
    refuses(wireSample('put proof').codec, Uint8Array.from(bytes), bytes.join())
  }
})

test('a policy has 256 lanes, always, so that their number says nothing', () => {
  const policy = decode(policyCodec, encoded('policy'))
  for (const count of [0, 255, 257]) {
    const lanes = new Uint8Array(count * 16)
    assert.throws(() => encode(policyCodec, { ...policy, body: { ...policy.body, lanes } }), CodecError)
  }
  assert.equal(encoded('policy').length, 2 + 1_312 + 4 + 4 + 1 + 2 + 256 * 16 + 2_420)
})

test('a listing is bounded on both of its lists', () => {
  const base = decode(listingCodec, encoded('listing'))
  const live = Array.from({ length: 1_025 }, () => ({ id: new Uint8Array(32), expiry: 1, sizeClass: 0 }))
  const dead = Array.from({ length: 1_025 }, () => ({ id: new Uint8Array(32), preimage: new Uint8Array(16) }))
  assert.throws(() => encode(listingCodec, { ...base, live }), CodecError)
  assert.throws(() => encode(listingCodec, { ...base, dead }), CodecError)
  assert.ok(encode(listingCodec, { ...base, live: live.slice(1), dead: dead.slice(1) }).length < 320 * 1_024)
})
