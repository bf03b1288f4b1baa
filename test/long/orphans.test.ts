/** No peer is needed: the churn of `npm run docker -- churn` on loopback, with fewer daemons and less time. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Churn } from '../chaos/churn.ts'
import { loopback } from '../chaos/network.ts'
import { Storm } from '../chaos/storm.ts'
import { Testbed } from '../support/daemons.ts'
import { SEED } from '../support/strict.ts'

const EVERY_MS = 2_500
const bed = new Testbed()
after(() => bed.close())

test(`VI-01 SE-11 OP-14 the only peer that everybody joined by is killed for good, and the others come and go: everything arrives once (seed ${SEED})`, async (t) => {
  const ground = loopback(bed, {
    nodes: 7,
    people: 2,
    smallDisks: 0,
    repairIntervalMs: 4_000,
    collectIntervalMs: 4_000,
  })
  const storm = new Storm(ground, {
    minutes: 0.3,
    seed: SEED,
    faultEveryMs: EVERY_MS,
    say: (line) => t.diagnostic(line),
    trouble: (given) => {
      const [bootstrap, ...holders] = given.network.holders
      assert.ok(bootstrap !== undefined)
      const others = [...holders, ...given.network.people]
      return new Churn(given, { bootstraps: [bootstrap], others, everyMs: EVERY_MS })
    },
  })
  const result = await storm.run()
  assert.deepEqual(storm.violations, [])
  const { kills = 0, stops = 0 } = result.faults
  assert.ok(kills + stops > 1 && result.accepted > 10, JSON.stringify(result))
  assert.deepEqual([result.delivered, result.faults['bootstrap peers gone']], [result.accepted, 1])
})
