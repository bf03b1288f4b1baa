import assert from 'node:assert/strict'
import { test } from 'node:test'
import { advance } from '../../../src/protocol/message-status.ts'
import type { MessageStatus } from '../../../src/protocol/message-status.ts'

const ALL: readonly MessageStatus[] = ['queued', 'stored', 'delivered', 'read', 'expired', 'failed', 'taken-back']
/** How far a status is on: what was proved never becomes less. */
const RANK: Readonly<Record<MessageStatus, number>> = {
  queued: 0,
  stored: 1,
  expired: 2,
  failed: 2,
  'taken-back': 2,
  delivered: 3,
  read: 4,
}

test('LS-05 exactly the steps forward are taken', () => {
  const steps = ALL.flatMap((from) =>
    ALL.filter((to) => to !== from && advance(from, to) === to).map((to) => `${from} ${to}`),
  )
  assert.deepEqual(steps, [
    'queued stored',
    'queued delivered',
    'queued read',
    'queued expired',
    'queued failed',
    'queued taken-back',
    'stored delivered',
    'stored read',
    'stored expired',
    'stored failed',
    'stored taken-back',
    'delivered read',
    'expired delivered',
    'expired read',
    'failed delivered',
    'failed read',
    'taken-back delivered',
    'taken-back read',
  ])
})

test('LS-05 no sequence of reports takes a step back', () => {
  for (const first of ALL) {
    for (const second of ALL) {
      for (const third of ALL) {
        let status: MessageStatus = 'queued'
        for (const report of [first, second, third]) {
          const next = advance(status, report)
          assert.ok(next === status || RANK[next] > RANK[status], `${status} to ${next}`)
          status = next
        }
        if ([first, second, third].includes('read')) assert.equal(status, 'read')
      }
    }
  }
})
