import assert from 'node:assert/strict'
import { test } from 'node:test'
import { orAborted } from '../../../src/net/signals.ts'

test('DT-15 what was called off before it began may fail as it likes: nobody is left to hear it, and the process goes on', async () => {
  const unheard: unknown[] = []
  const hear = (reason: unknown): void => void unheard.push(reason)
  process.on('unhandledRejection', hear)
  const late = Promise.withResolvers<never>()
  await assert.rejects(orAborted(late.promise, AbortSignal.abort(new Error('called off'))), /called off/)
  late.reject(new Error('too late'))
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', hear)
  assert.deepEqual(unheard, [])
})
