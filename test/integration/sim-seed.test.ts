import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSeed } from '../sim/scenario.ts'
import type { Size } from '../sim/scenario.ts'
import { HOUR_MS } from '../../src/lib/time.ts'

const SMALL: Size = { holders: 5, pairs: 1, messages: 8, faultsMs: 3 * HOUR_MS }

test('TE-01 TE-02 a seed has one history, to the last event; another seed has another', async () => {
  const [first, again, other] = [
    await runSeed(3, { size: SMALL }),
    await runSeed(3, { size: SMALL }),
    await runSeed(4, { size: SMALL }),
  ]
  assert.deepEqual([first.hash, first.events, first.delivered], [again.hash, again.events, again.delivered])
  assert.notEqual(first.hash, other.hash)
  assert.ok(first.messages > 0 && first.events > 1_000)
  for (const { seed, violations } of [first, other]) assert.deepEqual(violations, [], `seed ${seed}`)
})
