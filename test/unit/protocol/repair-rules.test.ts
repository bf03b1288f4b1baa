/** Who gets a copy: the rule alone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { REPAIR_BELOW, repairTargets } from '../../../src/protocol/repair-rules.ts'
import type { ZoneMember } from '../../../src/protocol/repair-rules.ts'
import { REPLICAS } from '../../../src/protocol/replicas.ts'

const zone = (...members: readonly [holds: boolean, observedForMs: number][]): ZoneMember[] =>
  members.map(([holds, observedForMs]) => ({ holds, observedForMs }))

const members = fc.array(fc.record({ holds: fc.boolean(), observedForMs: fc.nat({ max: 50 }) }), { maxLength: 24 })

test('MB-17 four or five holders are enough, three are made five', () => {
  assert.deepEqual(repairTargets(zone([true, 1], [true, 1], [true, 1], [true, 1], [false, 9])), [])
  assert.deepEqual(repairTargets(zone([true, 1], [true, 1], [false, 3], [true, 1], [false, 9], [false, 5])), [4, 5])
})

test('MB-17 of the longest observed, and of equally old ones the nearer', () => {
  assert.deepEqual(
    repairTargets(zone([false, 1], [false, 7], [false, 7], [false, 9], [false, 2], [false, 7])),
    [3, 1, 2, 5, 4],
  )
})

test('where the zone is small everybody gets one, and nobody where there is nobody', () => {
  assert.deepEqual(repairTargets(zone([true, 1], [false, 2])), [1])
  assert.deepEqual(repairTargets([]), [])
  assert.deepEqual(repairTargets(zone([true, 1])), [])
})

test('MB-17 I8 for any zone: up to five in all, only those without, none passed over for a younger one', () => {
  fc.assert(
    fc.property(members, (all) => {
      const targets = repairTargets(all)
      const holding = all.filter(({ holds }) => holds).length
      if (holding >= REPAIR_BELOW) return targets.length === 0
      assert.equal(targets.length, Math.min(REPLICAS - holding, all.length - holding))
      assert.equal(new Set(targets).size, targets.length)
      const ageOf = (place: number): number => all[place]?.observedForMs ?? 0
      for (const place of targets) assert.equal(all[place]?.holds, false)
      const oldest = all
        .map((member, place) => ({ ...member, place }))
        .filter(({ holds }) => !holds)
        .sort((a, b) => b.observedForMs - a.observedForMs || a.place - b.place)
        .slice(0, targets.length)
        .map(({ place }) => place)
      assert.deepEqual(targets, oldest)
      assert.deepEqual(
        targets.map(ageOf),
        targets.map(ageOf).toSorted((a, b) => b - a),
      )
      return true
    }),
  )
})

test('after the copies nothing more is to be done', () => {
  fc.assert(
    fc.property(members, (all) => {
      const targets = new Set(repairTargets(all))
      const after = all.map((member, place) => ({ ...member, holds: member.holds || targets.has(place) }))
      const more = repairTargets(after)
      assert.ok(more.length === 0 || after.every(({ holds }) => holds))
    }),
  )
})
