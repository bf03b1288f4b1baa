import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dropOldest, eachBounded, runsOf } from '../../../src/lib/bounded.ts'
import { StorageError } from '../../../src/lib/errors.ts'

test('side by side means so many at once, and the first failure is told when the others are over', async () => {
  let [running, most, done] = [0, 0, 0]
  const work = eachBounded([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    most = Math.max(most, ++running)
    await Promise.resolve()
    running--
    done++
    if (item === 2) throw new StorageError('item two')
  })
  await assert.rejects(work, StorageError)
  assert.equal(most, 3)
  assert.equal(done, 7)
})

test('runs have the items in their order, the last one what is left', () => {
  assert.deepEqual(runsOf([1, 2, 3, 4, 5], 2), [[1, 2], [3, 4], [5]])
  assert.deepEqual(runsOf([], 2), [])
})

test('the entries set first go until as many are left as may be', () => {
  const map = new Map([3, 1, 2].map((key) => [key, key]))
  dropOldest(map, 3)
  assert.deepEqual([...map.keys()], [3, 1, 2])
  dropOldest(map, 1)
  assert.deepEqual([...map.keys()], [2])
  dropOldest(map, 0)
  assert.equal(map.size, 0)
})
