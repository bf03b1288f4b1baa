import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../../src/lib/bytes.ts'
import { randomBelow, seededRng, systemRng } from '../../../src/lib/rng.ts'

test('the system generator fills every length, also above what one call gives', () => {
  for (const length of [0, 1, 32, 65_536, 65_537, 200_000]) assert.equal(systemRng.bytes(length).length, length)
  const tail = systemRng.bytes(140_000).subarray(131_072)
  assert.ok(tail.some((byte) => byte !== 0))
  assert.notEqual(toHex(systemRng.bytes(32)), toHex(systemRng.bytes(32)))
})

test('a seed replays, another seed differs', () => {
  const draw = (seed: number): string => {
    const rng = seededRng(seed)
    return toHex(rng.bytes(5)) + toHex(rng.bytes(32))
  }
  assert.equal(draw(7), draw(7))
  const seen = new Set(Array.from({ length: 1_000 }, (_, seed) => draw(seed)))
  assert.equal(seen.size, 1_000)
})

test('randomBelow stays below and reaches every value', () => {
  const rng = seededRng(1)
  const counts = new Map<number, number>()
  for (let i = 0; i < 6_000; i++) {
    const value = randomBelow(rng, 6)
    counts.set(value, (counts.get(value) ?? 0) + 1)
  }
  assert.deepEqual(new Set(counts.keys()), new Set([0, 1, 2, 3, 4, 5]))
  for (const count of counts.values()) assert.ok(count > 800 && count < 1_200, `${count} of 1,000`)
  assert.equal(randomBelow({ bytes: (n) => new Uint8Array(n).fill(255) }, 2 ** 32), 2 ** 32 - 1)
  assert.equal(randomBelow(rng, 1), 0)
})
