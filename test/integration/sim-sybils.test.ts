import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSeed } from '../sim/scenario.ts'
import type { Size } from '../sim/scenario.ts'
import { HOUR_MS } from '../../src/lib/time.ts'

const SEED = Number(process.env['SOTTO_SEED'] ?? 700)
const SEEDS = 3
const SYBILS = 0.2
/** Twenty holders, of which the four nearest to the one mailbox there is lie, each seed in another way. */
const SIZE: Size = { holders: 20, pairs: 1, messages: 64, faultsMs: 6 * HOUR_MS }

test(`AS-07 a fifth of all holders are Sybils around one mailbox, on top of every other fault: 99 % is delivered (seeds from ${SEED})`, async (t) => {
  const runs = []
  for (let i = 0; i < SEEDS; i++) runs.push(await runSeed(SEED + i, { size: SIZE, sybils: SYBILS }))
  const [messages, delivered] = [
    runs.reduce((sum, run) => sum + run.messages, 0),
    runs.reduce((sum, run) => sum + run.delivered, 0),
  ]
  const kinds = new Set(runs.flatMap(({ mix }) => mix.liars.filter((kind) => kind !== '')))
  t.diagnostic(`${delivered} of ${messages} delivered; lies: ${[...kinds].join(', ')}`)
  for (const { mix } of runs) assert.equal(mix.liars.filter((kind) => kind !== '').length, SIZE.holders * SYBILS)
  assert.ok(messages >= 100 && kinds.size >= 2)
  assert.ok(delivered >= 0.99 * messages, `${delivered} of ${messages}`)
  for (const { seed, violations } of runs) assert.deepEqual(violations, [], `seed ${seed}`)
})
