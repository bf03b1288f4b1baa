import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffMs, jitterMs } from '../../../src/lib/backoff.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { LimitError } from '../../../src/lib/errors.ts'
import { ExpiringMap } from '../../../src/lib/expiring-map.ts'
import { KeyedQueue } from '../../../src/lib/queue.ts'
import { RateLimiter } from '../../../src/lib/rate-limiter.ts'
import { seededRng } from '../../../src/lib/rng.ts'

test('backoff grows by its factor up to its cap, within 20 %', () => {
  const policy = { firstMs: 1_000, maxMs: 30_000, factor: 2 }
  const rng = seededRng(3)
  const plain = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
  for (const [attempt, expected] of [...plain.entries(), [10_000, 30_000] as const]) {
    for (let i = 0; i < 50; i++) {
      const delay = backoffMs(policy, attempt, rng)
      assert.ok(delay >= expected * 0.8 && delay <= expected * 1.2, `attempt ${attempt}: ${delay}`)
    }
  }
  assert.equal(new Set(Array.from({ length: 20 }, () => jitterMs(10_000, 0.2, rng))).size > 10, true)
})

test('an expiring map forgets by time and by size, the oldest first', async () => {
  const clock = new VirtualClock()
  const map = new ExpiringMap<string, number>(clock, 1_000, 2)
  map.set('a', 1)
  await clock.advance(999)
  assert.equal(map.get('a'), 1)
  await clock.advance(1)
  assert.equal(map.get('a'), undefined)
  assert.equal(map.size, 0)
  map.set('a', 1)
  map.set('b', 2)
  map.set('a', 3)
  map.set('c', 4)
  assert.deepEqual([map.get('a'), map.get('b'), map.get('c'), map.size], [3, undefined, 4, 2])
  assert.equal(map.delete('a'), true)
  assert.equal(map.delete('a'), false)
})

test('a keyed queue keeps the order of a key and lets keys pass one another', async () => {
  const queue = new KeyedQueue(10)
  const seen: string[] = []
  let open = (): void => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  const first = queue.run('a', async () => {
    await gate
    seen.push('a1')
    return 1
  })
  const second = queue.run('a', async () => {
    seen.push('a2')
    return 2
  })
  await queue.run('b', async () => seen.push('b1'))
  assert.deepEqual(seen, ['b1'])
  assert.equal(queue.size, 2)
  open()
  assert.deepEqual(await Promise.all([first, second]), [1, 2])
  await queue.idle()
  assert.deepEqual(seen, ['b1', 'a1', 'a2'])
  assert.equal(queue.size, 0)
})

test('a job that fails does not stop those behind it', async () => {
  const queue = new KeyedQueue(10)
  const failed = assert.rejects(
    queue.run('a', async () => {
      throw new Error('once')
    }),
    /once/,
  )
  assert.equal(await queue.run('a', async () => 'next'), 'next')
  await failed
})

test('a keyed queue is bounded', async () => {
  const queue = new KeyedQueue(2)
  let open = (): void => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  const jobs = [queue.run('a', async () => gate), queue.run('b', async () => gate)]
  await assert.rejects(
    queue.run('c', async () => 1),
    LimitError,
  )
  open()
  await Promise.all(jobs)
  assert.equal(await queue.run('c', async () => 1), 1)
})

test('a rate limiter gives its burst, then its rate, per key', async () => {
  const clock = new VirtualClock()
  const limiter = new RateLimiter({ perSecond: 10, burst: 3 }, clock)
  assert.deepEqual(
    [1, 2, 3, 4].map(() => limiter.take('a')),
    [true, true, true, false],
  )
  assert.equal(limiter.retryAfterMs('a'), 100)
  assert.equal(limiter.take('b'), true)
  await clock.advance(100)
  assert.deepEqual([limiter.take('a'), limiter.take('a')], [true, false])
  await clock.advance(60_000)
  assert.deepEqual([limiter.take('a', 3), limiter.take('a')], [true, false])
  assert.equal(limiter.retryAfterMs('b'), 0)
})

test('a rate limiter does not take what it refuses, and does not pay for a clock that goes back', async () => {
  let now = 10_000
  const limiter = new RateLimiter({ perSecond: 1, burst: 2 }, { now: () => now, after: () => () => {} })
  assert.equal(limiter.take('a', 3), false)
  assert.equal(limiter.take('a', 2), true)
  now = 0
  assert.equal(limiter.take('a'), false)
})

test('a rate limiter remembers a bounded number of keys', () => {
  const limiter = new RateLimiter({ perSecond: 0.001, burst: 1 }, new VirtualClock(), 2)
  assert.deepEqual(
    ['a', 'b', 'b', 'c', 'b'].map((key) => limiter.take(key)),
    [true, true, false, true, false],
  )
  assert.equal(limiter.take('a'), true, 'the longest unused key was dropped')
})
