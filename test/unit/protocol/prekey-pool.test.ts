import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { equal } from '../../../src/lib/bytes.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { verifyPrekeyCard } from '../../../src/protocol/card-rules.ts'
import {
  bundleHolds,
  leafOf,
  pathHolds,
  pathOf,
  poolTree,
  prekeyStampBits,
  prekeyStampChallenge,
  sliceFits,
  sliceSignatureHolds,
  sliceToken,
  sliceWellFormed,
} from '../../../src/protocol/prekey-pool.ts'
import { encode } from '../../../src/wire/codec.ts'
import { HOLDER_FRAME_BYTES_MAX } from '../../../src/wire/holder.ts'
import { prekeySliceCodec } from '../../../src/wire/prekey-slices.ts'
import type { PrekeySlice } from '../../../src/wire/prekey-slices.ts'
import { prekeyCardCodec } from '../../../src/wire/prekeys.ts'
import type { PrekeyCard } from '../../../src/wire/prekeys.ts'
import { flipped, NOW_S } from './card-fixtures.ts'
import { poolOf } from './pool-fixtures.ts'

test('PK-01 PK-10 every prekey of the five slices has a path to the root, at its own place only', async () => {
  const pool = await poolOf()
  const all = [0, 1, 2, 3, 4].flatMap((i) => pool.body(i).prekeys)
  assert.equal(all.length, 100)
  assert.equal(pool.card.body.pool.count, 100)
  for (const proven of all) assert.ok(pathHolds(crypto, pool.tree.root, proven))
  const [first, second] = all
  assert.ok(first && second)
  assert.ok(!pathHolds(crypto, pool.tree.root, { ...first, place: second.place }))
  assert.ok(!pathHolds(crypto, pool.tree.root, { ...first, path: second.path }))
  assert.ok(!pathHolds(crypto, pool.tree.root, { ...first, path: first.path.slice(1) }))
})

test('PK-10 a node of the tree passes for no leaf, and a leaf for no node', () => {
  const rng = seededRng(3)
  const prekey = { id: 1, key: rng.bytes(32), kem: rng.bytes(1_568) }
  const leaf = leafOf(crypto, 7, prekey)
  assert.ok(!equal(leaf, leafOf(crypto, 8, prekey)))
  const tree = poolTree(crypto, [{ place: 7, leaf }])
  assert.ok(equal(tree.levels[1]?.[3] ?? leaf, crypto.sha256(Uint8Array.of(1), new Uint8Array(32), leaf)))
  assert.deepEqual(poolTree(crypto, []).root, new Uint8Array(32))
})

test('PK-10 any set of places: all paths hold, and with one bit turned none does', () => {
  const places = fc.uniqueArray(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(places, fc.nat(), fc.nat({ max: 8 * 32 - 1 }), (chosen, seed, bit) => {
      const rng = seededRng(seed)
      const prekeys = chosen.map((place, id) => ({ place, prekey: { id, key: rng.bytes(32), kem: rng.bytes(1_568) } }))
      const tree = poolTree(
        crypto,
        prekeys.map(({ place, prekey }) => ({ place, leaf: leafOf(crypto, place, prekey) })),
      )
      for (const { place, prekey } of prekeys) {
        const path = pathOf(tree, place)
        assert.ok(pathHolds(crypto, tree.root, { prekey, place, path }))
        const bent = path.map((sibling, i) => (i === bit >> 5 ? flipped(sibling, bit & 31) : sibling))
        assert.ok(!pathHolds(crypto, tree.root, { prekey, place, path: bent }))
        assert.ok(!pathHolds(crypto, tree.root, { prekey: { ...prekey, id: prekey.id + 1 }, place, path }))
      }
    }),
    { numRuns: 20 },
  )
})

/** Every leaf value of a tree of objects, changed by the least there is. */
function* variants<T>(value: T): Generator<T> {
  if (value instanceof Uint8Array) {
    yield flipped(value, value.length - 1) as T
  } else if (typeof value === 'number') {
    yield (value + 1) as T
  } else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) for (const other of variants(item)) yield value.with(i, other) as T
    yield value.slice(1) as T
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value))
      for (const other of variants(item)) yield { ...value, [key]: other }
  }
}

test('PK-10 a slice with any field flipped is refused, and so is one for another holder', async () => {
  const pool = await poolOf({ perSlice: 2 })
  const slice = await pool.slice(3, 'holder')
  const { signingKey } = pool.card.body.certificate.body
  const good = (each: PrekeySlice, holder = 'holder'): boolean =>
    sliceWellFormed(each.body) &&
    equal(each.body.card, pool.key) &&
    sliceFits(crypto, each, pool.card) &&
    sliceSignatureHolds(crypto, signingKey, holder, each)
  assert.ok(good(slice))
  assert.ok(!good(slice, 'another'))
  let count = 0
  for (const variant of variants(slice)) {
    assert.ok(!good(variant), `variant ${count}`)
    count++
  }
  assert.ok(count > 30, `${count} variants`)
})

test('PK-10 PK-13 PK-14 a prekey card with any field flipped is refused', async () => {
  const { card } = await poolOf({ perSlice: 1 })
  assert.ok(verifyPrekeyCard(crypto, card, NOW_S))
  let count = 0
  const written = encode(prekeyCardCodec, card)
  for (const variant of variants<PrekeyCard>(card)) {
    // Version and suite are constants: no other value can be written or read.
    if (equal(encode(prekeyCardCodec, variant), written)) continue
    assert.ok(!verifyPrekeyCard(crypto, variant, NOW_S), `variant ${count}`)
    count++
  }
  assert.equal(count, 28)
})

test('PK-10 a bundle holds by its own card only, with a prekey and without', async () => {
  const pool = await poolOf({ perSlice: 1 })
  const other = await poolOf({ perSlice: 1, firstId: 900 })
  const [oneTime] = pool.body(0).prekeys
  assert.ok(bundleHolds(crypto, { card: pool.card, oneTime }))
  assert.ok(bundleHolds(crypto, { card: pool.card, oneTime: undefined }))
  assert.ok(!bundleHolds(crypto, { card: other.card, oneTime }))
})

test('PK-15 a slice of 20 fits into one frame, and sizes are checked before any hash', async () => {
  const pool = await poolOf()
  const slice = await pool.slice(0, 'holder')
  const { length } = encode(prekeySliceCodec, slice)
  assert.ok(length < 42_000, `${length} bytes`)
  assert.ok(length < HOLDER_FRAME_BYTES_MAX)
  const { body } = slice
  assert.ok(sliceWellFormed(body))
  const [first] = body.prekeys
  assert.ok(first)
  assert.ok(!sliceWellFormed({ ...body, slice: 5 }))
  assert.ok(!sliceWellFormed({ ...body, slice: 1 }), 'places of another slice')
  assert.ok(!sliceWellFormed({ ...body, count: 19 }))
  assert.ok(!sliceWellFormed({ ...body, count: 101 }))
  assert.ok(!sliceWellFormed({ ...body, prekeys: [first, first] }))
})

test('PK-21 a stamp is for one card, one holder, one hour; tokens differ by holder', () => {
  const input = { card: new Uint8Array(32), holder: 'a', hour: 5, bits: 3 }
  const seen = [
    input,
    { ...input, card: new Uint8Array(32).fill(1) },
    { ...input, holder: 'b' },
    { ...input, hour: 6 },
    { ...input, bits: 4 },
  ].map((each) => Buffer.from(prekeyStampChallenge(crypto, each)).toString('hex'))
  assert.equal(new Set(seen).size, 5)
  assert.deepEqual([0, 1, 2, 10].map(prekeyStampBits), [0, 0, 0, 8])
  const secret = new Uint8Array(32).fill(9)
  assert.ok(!equal(sliceToken(crypto, secret, 'a'), sliceToken(crypto, secret, 'b')))
})
