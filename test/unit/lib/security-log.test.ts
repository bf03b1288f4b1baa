import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { SecurityLog } from '../../../src/lib/security-log.ts'
import { recordingLogger } from '../../support/recording-logger.ts'

test('SE-17 an event of security is said at once, then once a minute with how often it happened, each kind for itself', async () => {
  const clock = new VirtualClock()
  const { log, lines } = recordingLogger()
  const security = new SecurityLog(log, clock)
  const told = (): unknown[] => lines.splice(0).map(({ message, fields }) => [message, fields?.['times']])
  for (let i = 0; i < 10_000; i++) security.note('a')
  security.note('b')
  assert.deepEqual(told(), [
    ['a', 1],
    ['b', 1],
  ])
  await clock.advance(59_000)
  security.note('a')
  assert.deepEqual(told(), [])
  await clock.advance(1_000)
  security.note('a')
  security.note('a')
  assert.deepEqual(told(), [['a', 10_001]], 'those that were not told are counted')
  assert.ok(lines.every(({ level }) => level === 'warn'))
})
