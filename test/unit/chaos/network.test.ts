import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rounds } from '../../chaos/network.ts'

test('everybody meets everybody once, and nobody two at a time', () => {
  for (let count = 1; count <= 10; count++) {
    const people = Array.from({ length: count }, (_, i) => i)
    const met = rounds(people)
    for (const pairs of met) assert.equal(new Set(pairs.flat()).size, 2 * pairs.length, `${count}: ${pairs.join(' ')}`)
    const pairs = met.flat().map((pair) => pair.toSorted((a, b) => a - b).join())
    assert.deepEqual([pairs.length, new Set(pairs).size], [(count * (count - 1)) / 2, pairs.length])
  }
})
