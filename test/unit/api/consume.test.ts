/** The client's end of the event log: a bot's loop, and the page's line. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { openClient } from '../../../src/api/client.ts'
import type { ApiClient } from '../../../src/api/client.ts'
import { follow } from '../../../src/api/client/follow.ts'
import { webLine } from '../../../src/api/client/web-line.ts'
import { DaemonError } from '../../../src/lib/errors.ts'
import type { Harness } from './harness.ts'
import { serve } from './harness.ts'

function clientOf(t: TestContext, h: Harness): ApiClient {
  const client = openClient({ endpoint: { host: '127.0.0.1', port: h.port }, token: h.token })
  t.after(() => {
    client.close()
  })
  return client
}

test('AP-06 consume(): acknowledged after it was handled, nothing twice in one life, all again after a crash', async (t) => {
  const h = await serve(t)
  const client = clientOf(t, h)
  const stop = new AbortController()
  const handled: number[] = []
  await client.consumer('bot')
  for (let i = 0; i < 50; i++) h.application.emit('message:received', { i })
  const first = client.consume({ name: 'bot', signal: stop.signal }, async ({ number }) => {
    handled.push(number)
    if (number === 30) throw new Error('the process dies here')
  })
  await assert.rejects(first, /dies here/)
  assert.equal((await client.consumer('bot')).acknowledged, 29)
  const done = Promise.withResolvers<void>()
  const second = client.consume({ name: 'bot', signal: stop.signal }, ({ number }) => {
    handled.push(number)
    if (number === 60) done.resolve()
  })
  for (let i = 0; i < 10; i++) h.application.emit('message:received', { i })
  await done.promise
  stop.abort()
  await second
  assert.equal((await client.consumer('bot')).acknowledged, 60)
  assert.deepEqual(handled, [
    ...Array.from({ length: 30 }, (_, i) => i + 1),
    ...Array.from({ length: 31 }, (_, i) => i + 30),
  ])
})

test('AP-06 consume(): a server that restarts hands on what was not acknowledged, and each event is handled once', async (t) => {
  const h = await serve(t)
  const client = openClient({ endpoint: { socketPath: `${h.home}/api.sock` }, token: h.token })
  t.after(() => {
    client.close()
  })
  const stop = new AbortController()
  const handled: number[] = []
  await client.consumer('bot')
  const consuming = client.consume({ name: 'bot', signal: stop.signal, types: ['message'] }, async ({ number }) => {
    await new Promise((resolve) => setTimeout(resolve, 2))
    handled.push(number)
  })
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 20; i++) h.application.emit(i % 4 === 3 ? 'outbox:tried' : 'message:received', { i })
    await new Promise((resolve) => setTimeout(resolve, 15))
    await h.server.stop()
    await h.server.start()
  }
  while (handled.length < 45) await new Promise((resolve) => setTimeout(resolve, 5))
  stop.abort()
  await consuming
  assert.equal(new Set(handled).size, 45)
  assert.deepEqual(
    handled,
    handled.toSorted((a, b) => a - b),
  )
  assert.equal((await client.consumer('bot')).acknowledged, 60, 'what was passed over is acknowledged, too')
})

test('AP-06 the page’s line: the platform’s WebSocket brings the token in its first frame, and resumes', async (t) => {
  const h = await serve(t)
  for (let i = 0; i < 5; i++) h.application.emit('a:b', {})
  const stop = new AbortController()
  const open = webLine({ origin: `ws://127.0.0.1:${h.port}`, token: () => h.token })
  const seen: number[] = []
  for await (const item of follow(open, { since: 2 }, stop.signal)) {
    if (item.type === 'event') seen.push(item.event.number)
    if (seen.length === 3) stop.abort()
  }
  assert.deepEqual(seen, [3, 4, 5])
  const wrong = webLine({ origin: `ws://127.0.0.1:${h.port}`, token: () => 'A'.repeat(43) })
  await assert.rejects(async () => follow(wrong, {}).next(), /no longer valid/)
  const nobody = webLine({ origin: 'ws://127.0.0.1:1', token: () => h.token })
  await assert.rejects(async () => follow(nobody, {}).next(), DaemonError)
})
