/** A storm that fits a test run: `npm run chaos` with fewer daemons and less time. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Testbed } from '../support/daemons.ts'
import { SEED } from '../support/strict.ts'
import { loopback } from '../chaos/network.ts'
import { Storm } from '../chaos/storm.ts'

const bed = new Testbed()
after(() => bed.close())

test(`TE-03 TE-07 I1 I1b I1c I2 I4 I5 I6 eight daemons killed, stopped and frozen at random: everything arrives once, and what status and why say is true (seed ${SEED})`, async (t) => {
  const times = { repairIntervalMs: 4_000, collectIntervalMs: 4_000 }
  const ground = loopback(bed, { nodes: 8, people: 3, smallDisks: 1, ...times })
  const say = (line: string): void => t.diagnostic(line)
  const storm = new Storm(ground, { minutes: 0.4, seed: SEED, faultEveryMs: 2_000, say })
  const result = await storm.run()
  assert.deepEqual(storm.violations, [])
  assert.deepEqual([result.lost, result.duplicates], [0, 0])
  const { kills = 0, stops = 0 } = result.faults
  assert.ok(kills > 0 && kills + stops > 2 && result.accepted > 20, JSON.stringify(result))
  assert.equal(result.delivered, result.accepted)
})
