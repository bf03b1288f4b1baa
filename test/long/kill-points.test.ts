/** `kill -9` in each of the things that a daemon does; `npm run chaos -- --kills 200` does it more often. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Testbed } from '../support/daemons.ts'
import { SEED } from '../support/strict.ts'
import { KillPoints, ROLES } from '../chaos/kill-points.ts'

const EACH = 2
const PROVES = {
  put: 'TE-07 I1b a sender killed while it puts',
  serve: 'TE-07 MB-41 holders killed while letters come in',
  repair: 'TE-07 MB-17 holders killed while they repair',
  collect: 'TE-07 MB-40 a reader killed while it collects',
  delete: 'TE-07 MB-16 MB-47 reader or sender killed while letters are deleted',
  rotate: 'TE-07 ID-12 a person killed while the account is rotated',
} as const

const bed = new Testbed()
const lines: string[] = []
const points = new KillPoints(bed, { seed: SEED, say: (line) => lines.push(line) })

before(() => points.start())
after(() => bed.close())

for (const role of ROLES) {
  test(`${PROVES[role]}: nothing acknowledged is gone (seed ${SEED})`, async () => {
    await points.play(role, EACH)
    assert.deepEqual(points.faults, [], lines.join('\n'))
  })
}

test('TE-07 I1 I1c I2 after all these kills everything accepted is there once, and everything deleted is gone', async () => {
  const result = await points.finish()
  assert.deepEqual(points.faults, [], lines.join('\n'))
  assert.ok(result.kills >= EACH * ROLES.length, JSON.stringify(result))
  assert.equal(result.delivered, result.accepted)
})
