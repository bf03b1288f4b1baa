import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lifecycle } from '../../../src/lib/lifecycle.ts'
import type { Part } from '../../../src/lib/lifecycle.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import type { Logger } from '../../../src/lib/log.ts'

function part(name: string, seen: string[], fail: 'start' | 'stop' | 'never' = 'never'): Part {
  const act = (verb: 'start' | 'stop') => async (): Promise<void> => {
    await Promise.resolve()
    seen.push(`${verb} ${name}`)
    if (fail === verb) throw new Error(`${name} does not ${verb}`)
  }
  return { name, part: { start: act('start'), stop: act('stop') } }
}

test('SE-07 parts start in order and stop in reverse, once', async () => {
  const seen: string[] = []
  const life = new Lifecycle([part('a', seen), part('b', seen)], silentLogger)
  await life.start()
  await life.stop()
  await life.stop()
  assert.deepEqual(seen, ['start a', 'start b', 'stop b', 'stop a'])
})

test('a part that does not start takes those before it down, and none after it comes up', async () => {
  const seen: string[] = []
  const life = new Lifecycle(
    [part('a', seen), part('b', seen), part('c', seen, 'start'), part('d', seen)],
    silentLogger,
  )
  await assert.rejects(life.start(), /c does not start/)
  assert.deepEqual(seen, ['start a', 'start b', 'start c', 'stop b', 'stop a'])
})

test('SE-07 a part that does not stop does not keep the others up', async () => {
  const seen: string[] = []
  const errors: unknown[] = []
  const log: Logger = { ...silentLogger, error: (message, fields) => errors.push([message, fields]) }
  const life = new Lifecycle([part('a', seen), part('b', seen, 'stop')], log)
  await life.start()
  await life.stop()
  assert.deepEqual(seen, ['start a', 'start b', 'stop b', 'stop a'])
  assert.deepEqual(errors, [['part failed to stop', { part: 'b', error: 'Error' }]])
})

test('a part that is added stops before those that ran already; one that does not start is not stopped', async () => {
  const seen: string[] = []
  const life = new Lifecycle([part('a', seen)], silentLogger)
  await life.start()
  await life.add(part('b', seen))
  await assert.rejects(life.add(part('c', seen, 'start')), /c does not start/)
  await life.stop()
  assert.deepEqual(seen, ['start a', 'start b', 'start c', 'stop b', 'stop a'])
})

test('a stop during the start leaves nothing running', async () => {
  const seen: string[] = []
  const life = new Lifecycle([part('a', seen), part('b', seen), part('c', seen)], silentLogger)
  const started = assert.rejects(life.start(), /stopped while starting/)
  await life.stop()
  await started
  assert.deepEqual(seen, ['start a', 'stop a'])
  await life.start()
  await life.stop()
  assert.equal(seen.length, 8)
})

test('the silent logger says nothing and has silent children', () => {
  const child = silentLogger.child('sotto:test')
  for (const level of ['debug', 'info', 'warn', 'error'] as const) assert.equal(child[level]('x', { a: 1 }), undefined)
})
