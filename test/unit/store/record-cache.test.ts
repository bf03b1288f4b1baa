/** What is kept in memory is bounded by records and by bytes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CACHE_BYTES_MAX, RecordCache } from '../../../src/store/record-cache.ts'

const key = (i: number): Uint8Array => Uint8Array.of(i)
const keptOf = (cache: RecordCache<number>, count: number): number[] =>
  Array.from({ length: count }, (_, i) => i).filter((i) => cache.get(key(i)) !== undefined)

test('LS-02 large records do not fill the memory: the least recently used go, and bytes count once', () => {
  const cache = new RecordCache<number>(200)
  const part = CACHE_BYTES_MAX / 4
  for (let i = 0; i < 6; i++) cache.changed(key(i), i, part)
  assert.deepEqual(keptOf(cache, 6), [2, 3, 4, 5])
  for (let i = 0; i < 10; i++) cache.changed(key(5), i, part)
  assert.deepEqual(keptOf(cache, 6), [2, 3, 4, 5], 'written again, it is there once')
  cache.forget(key(2))
  cache.changed(key(7), 7, part)
  assert.deepEqual(keptOf(cache, 8), [3, 4, 5, 7], 'what is forgotten makes room')
  cache.at(1)
  for (let i = 0; i < 4; i++) cache.changed(key(i), i, part)
  assert.deepEqual(keptOf(cache, 8), [0, 1, 2, 3])
  cache.changed(key(9), 9, 2 * CACHE_BYTES_MAX)
  assert.deepEqual(keptOf(cache, 10), [], 'one that is larger than all is not kept')
})

test('LS-02 small records are kept up to their number', () => {
  const cache = new RecordCache<number>(3)
  for (let i = 0; i < 5; i++) cache.changed(key(i), i, 1)
  assert.deepEqual(keptOf(cache, 5), [2, 3, 4])
})
