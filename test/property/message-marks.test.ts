/** Marks: whatever order, however often, before or after the message, the same is shown in the end. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { apply, counts, NO_MARKS, shown } from '../../src/protocol/message-marks.ts'
import type { Marks, Operation, Side } from '../../src/protocol/message-marks.ts'
import {
  hasLostCount,
  LAMPORT_AHEAD_MAX,
  LAMPORT_MAX,
  lamportOf,
  nextLamport,
  orderOf,
  receivedLamport,
} from '../../src/protocol/message-order.ts'
import { SEED } from '../support/strict.ts'

interface Said {
  readonly side: Side
  readonly operation: Operation
}

/** Few ids and numbers, so that stamps meet. */
const stamp = fc
  .tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 5 }))
  .map(([lamport, last]) => ({ lamport, operation: new Uint8Array(16).fill(last, 15) }))
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(stamp, fc.constantFrom('a', 'b', 'c'))
      .map(([s, text]) => ({ kind: 'edit' as const, edit: { ...s, text, at: 1 } })),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(stamp, fc.constantFrom('👍', '❤️', ''))
      .map(([s, emoji]) => ({ kind: 'react' as const, reaction: { ...s, emoji, at: 1 } })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'delete' as const }) },
)
const side = fc.constantFrom<Side>('own', 'theirs')
const said: fc.Arbitrary<Said> = fc.record({ side, operation }, { noNullPrototype: true })

const all = (list: readonly Said[], from: Marks = NO_MARKS): Marks =>
  list.reduce((marks, each) => apply(marks, each.side, each.operation), from)
const shuffled = fc
  .array(said, { maxLength: 12 })
  .chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: list.length * 2 }), side),
  )

test('PR-13 PR-18 any order and any repetition of operations gives the same marks', () => {
  fc.assert(
    fc.property(shuffled, ([list, mixed]) => {
      assert.deepEqual(all(mixed), all(list))
    }),
    { seed: SEED, numRuns: 500 },
  )
})

test('PR-13 an operation that was applied changes nothing, not even the object', () => {
  fc.assert(
    fc.property(fc.array(said, { maxLength: 12 }), (list) => {
      const marks = all(list)
      for (const each of list) assert.equal(apply(marks, each.side, each.operation), marks)
    }),
    { seed: SEED },
  )
})

test('PR-17 what others say of the text does not count: only its author edits and deletes', () => {
  fc.assert(
    fc.property(fc.array(said, { maxLength: 12 }), side, (list, author) => {
      const allowed = list.filter((each) => counts(each.side, author, each.operation))
      assert.deepEqual(shown(all(list), author), shown(all(allowed), author))
    }),
    { seed: SEED },
  )
})

test('PR-17 PR-18 what its author deleted stays deleted, whatever comes before or after', () => {
  fc.assert(
    fc.property(fc.array(said), fc.array(said), side, (before, after, author) => {
      const marks = all([...before, { side: author, operation: { kind: 'delete' } }, ...after])
      assert.deepEqual(shown(marks, author), {
        deleted: true,
        edit: undefined,
        reactions: { own: undefined, theirs: undefined },
      })
    }),
    { seed: SEED },
  )
})

test('an answer stands after what it answers, on both sides alike, however messages crossed', () => {
  const id = fc.uint8Array({ minLength: 16, maxLength: 16 })
  const step = fc.record({ who: fc.boolean(), id, heard: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const highest = { a: 0, b: 0 }
      const waiting: { readonly a: number[]; readonly b: number[] } = { a: [], b: [] }
      for (const { who, id: name, heard } of steps) {
        const [me, other] = who ? (['a', 'b'] as const) : (['b', 'a'] as const)
        if (heard)
          for (const lamport of waiting[me].splice(0))
            highest[me] = Math.max(highest[me], receivedLamport(lamport, highest[me]))
        const seen = highest[me]
        highest[me] = nextLamport(seen)
        assert.ok(orderOf(highest[me], name) > orderOf(seen, new Uint8Array(16).fill(255)), 'after everything seen')
        assert.equal(lamportOf(orderOf(highest[me], name)), highest[me])
        waiting[other].push(highest[me])
      }
    }),
    { seed: SEED },
  )
})

test('LS-20 who lost count is told by its own clock: what it says now is not what came late', () => {
  const heard = { lamport: 50, sentAt: 1_000 }
  assert.equal(hasLostCount(heard, { lamport: 2, sentAt: 1_001 }), true, 'restored, and says something new')
  assert.equal(hasLostCount(heard, { lamport: 2, sentAt: 999 }), false, 'late')
  assert.equal(hasLostCount(heard, { lamport: 50, sentAt: 2_000 }), false)
  assert.equal(hasLostCount(heard, { lamport: 51, sentAt: 2 }), false, 'its clock was set back')
  assert.equal(hasLostCount(undefined, { lamport: 2, sentAt: 1 }), false)
})

test('a number from far ahead moves a conversation by no more than 2^12, and never beyond the last one; what the user says stands behind it', () => {
  assert.equal(receivedLamport(2 ** 52, 7), 7 + LAMPORT_AHEAD_MAX)
  assert.equal(receivedLamport(undefined, 7), 8, 'an old version’s stands last')
  assert.equal(receivedLamport(3, 7), 3, 'what came late stands where it was written')
  assert.ok(LAMPORT_AHEAD_MAX <= 2 ** 12)
  assert.equal(receivedLamport(2 ** 52, LAMPORT_MAX - 1), LAMPORT_MAX)
  assert.equal(receivedLamport(undefined, LAMPORT_MAX), LAMPORT_MAX)
  assert.equal(nextLamport(LAMPORT_MAX), LAMPORT_MAX + 1)
  const last = nextLamport(2 ** 40)
  assert.equal(nextLamport(last), last)
  assert.ok(Number.isSafeInteger(orderOf(last, new Uint8Array(16).fill(255))))
})
