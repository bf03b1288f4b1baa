import { test } from 'node:test'
import assert from 'node:assert/strict'
import { seededRng } from '../../../src/lib/rng.ts'
import { RoutingSim } from '../../support/routing-sim.ts'
import type { SimLookup } from '../../support/routing-sim.ts'

const SEED = 20_261_121
const LOOKUPS = 25
const ROUND_TRIP_MS = 40

async function lookups(sim: RoutingSim): Promise<SimLookup[]> {
  const done: SimLookup[] = []
  const options = { roundTripMs: ROUND_TRIP_MS }
  for (let i = 0; i < LOOKUPS; i++) done.push(await sim.lookup(20, options))
  return done
}
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

test('MB-30 MB-37 OP-12 among 100 and 300 peers a find has all of the true 20 nearest, in log2(N) / 2 + 2 hops at most', async () => {
  for (const peers of [100, 300]) {
    const sim = await RoutingSim.grown({ peers, rng: seededRng(SEED), findsEach: 1 })
    for (const { hops, found, queries } of await lookups(sim)) {
      assert.ok(hops <= Math.log2(peers) / 2 + 2, `${hops} hops among ${peers}, seed ${SEED}`)
      assert.equal(found, 20, `of the true 20 among ${peers}, seed ${SEED}`)
      assert.ok(queries <= 64)
    }
  }
})

test('MB-33 with 3, 5 or 10 queries side by side the same is found; more is faster and asks a little more', async () => {
  const sim = await RoutingSim.grown({ peers: 150, rng: seededRng(SEED), findsEach: 1 })
  const done = new Map<number, SimLookup[]>([3, 5, 10].map((alpha) => [alpha, []]))
  for (let i = 0; i < LOOKUPS; i++) {
    // In turns, since the tables learn from every find.
    for (const [alpha, seen] of done) seen.push(await sim.lookup(20, { alpha, roundTripMs: ROUND_TRIP_MS }))
  }
  const [three, five, ten] = [...done.values()].map((seen) => {
    assert.ok(seen.every(({ found }) => found === 20))
    return { ms: mean(seen.map(({ ms }) => ms)), queries: mean(seen.map(({ queries }) => queries)) }
  })
  assert.ok(three && five && ten)
  const text = JSON.stringify([three, five, ten])
  assert.ok(three.ms > five.ms && five.ms > ten.ms, text)
  assert.ok(ten.queries < 1.5 * three.queries, text)
})

test('MB-37 with half of the peers gone a find still has most of the 20 that are left, and does not run away', async () => {
  const sim = await RoutingSim.grown({ peers: 200, rng: seededRng(SEED), findsEach: 1 })
  for (let i = 0; i < 200; i += 2) sim.dead.add(`peer ${i}`)
  const done = await lookups(sim)
  assert.ok(done.every(({ queries }) => queries <= 64))
  assert.ok(mean(done.map(({ found }) => found)) >= 17, JSON.stringify(mean(done.map(({ found }) => found))))
})
