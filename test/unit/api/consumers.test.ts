/** Whose a consumer is, and what happens to streams whose reader may no longer read. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { WebSocketServer } from 'ws'
import { CLOSE, EventStreams, STREAM_LIMITS } from '../../../src/api/events.ts'
import { VirtualClock, systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { BOB, fakeApplication } from './fake-application.ts'
import type { Harness } from './harness.ts'
import { serve } from './harness.ts'

const V1 = '/api/v1'
const CONSUMERS = `${V1}/events/consumers`

async function bot({ ask }: Harness, name: string): Promise<{ id: string; token: string }> {
  const { body } = await ask(`${V1}/tokens`, { body: { name, scopes: ['read'] } })
  return { id: String(body['id']), token: String(body['token']) }
}
const namesOf = (body: Record<string, unknown>): unknown[] =>
  (body['items'] as Record<string, unknown>[]).map(({ name }) => name)

test('AP-06 AP-12 a consumer belongs to the token that made it; the owner sees all, and eight are one token’s most', async (t) => {
  const h = await serve(t)
  const [one, two] = [await bot(h, 'one'), await bot(h, 'two')]
  for (let i = 0; i < 5; i++) h.application.receive(BOB, 'x')
  const put = async (name: string, token: string) =>
    h.ask(`${CONSUMERS}/${name}`, { method: 'PUT', body: { from: 0 }, token })
  assert.deepEqual([(await put('a', one.token)).body['name'], (await put('a', two.token)).body['name']], ['a', 'a'])
  const ack = async (name: string, token: string) => h.ask(`${CONSUMERS}/${name}/ack`, { body: { number: 5 }, token })
  assert.equal((await ack('a', one.token)).status, 200)
  const read = async (token: string) => (await h.ask(`${V1}/events?consumer=a`, { token })).body['events'] as unknown[]
  assert.deepEqual([(await read(one.token)).length, (await read(two.token)).length], [0, 5], 'nobody misses anything')
  assert.deepEqual(namesOf((await h.ask(CONSUMERS, { token: one.token })).body), ['a'])
  assert.deepEqual(new Set(namesOf((await h.ask(CONSUMERS)).body)), new Set([`a@${one.id}`, `a@${two.id}`]))
  assert.equal((await h.ask(`${CONSUMERS}/a@${two.id}`, { token: one.token })).status, 404)
  assert.equal((await ack(`a@${two.id}`, one.token)).status, 404, 'another’s')
  assert.equal((await h.ask(`${CONSUMERS}/a@${two.id}`, { method: 'DELETE' })).status, 204, 'the owner’s right')
  for (let i = 1; i < 8; i++) assert.equal((await put(`b-${i}`, one.token)).status, 200)
  assert.equal((await put('ninth', one.token)).status, 413)
  assert.equal((await h.ask(`${V1}/events?consumer=ninth`, { token: one.token })).status, 413, 'nor by reading')
  assert.equal((await put('b-1', one.token)).status, 200, 'what there is goes on')
  assert.equal((await h.ask(`${CONSUMERS}/b-1`, { method: 'DELETE', token: one.token })).status, 204)
  assert.equal((await put('ninth', one.token)).status, 200)
})

test('PR-14 AP-06 the consumer of the message hook is the daemon’s own', async (t) => {
  const h = await serve(t)
  await h.application.consumer('hook')
  h.application.receive(BOB, 'x')
  const reader = await bot(h, 'reader')
  for (const token of [h.token, reader.token]) {
    await h.ask(`${CONSUMERS}/hook`, { method: 'PUT', token })
    await h.ask(`${CONSUMERS}/hook/ack`, { body: { number: 1 }, token })
    await h.ask(`${CONSUMERS}/hook`, { method: 'DELETE', token })
  }
  assert.equal((await h.ask(`${CONSUMERS}/hook/ack`, { body: { number: 1 } })).status, 409)
  const [kept] = await h.application.consumers()
  assert.deepEqual([kept?.name, kept?.acknowledged], ['hook', 0])
})

test('AP-12 a token that is revoked between the upgrade and the stream gets 4401, and SSE 401', async () => {
  const limits = { ...STREAM_LIMITS }
  const nobody = { application: fakeApplication(), clock: systemClock, log: silentLogger, limits }
  const streams = new EventStreams({ ...nobody, ownerOf: () => undefined })
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  server.on('connection', (socket) => {
    streams.attach(socket, {}, 'revoked')
  })
  const { port } = server.address() as { port: number }
  const { WebSocket } = await import('ws')
  const socket = new WebSocket(`ws://127.0.0.1:${port}`)
  const [code] = (await once(socket, 'close')) as [number]
  assert.equal(code, CLOSE.unauthorised)
  assert.equal(streams.size, 0)
  server.close()
  const serveIt = (): unknown => streams.serve({}, 'revoked', new AbortController().signal, () => {})
  assert.throws(serveIt, { code: 'unauthorized' })
})

test('AP-12 SE-05 a stalled reader of SSE that may no longer read gets nothing of what waits, and its line is cut', async (t) => {
  const clock = new VirtualClock()
  const h = await serve(t, { clock })
  const text = 'x'.repeat(60_000)
  for (let i = 0; i < 200; i++) h.application.emit('message:received', { text, number: i })
  const { id, token } = await bot(h, 'reader')
  const socket = connect(h.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(
    `GET ${V1}/events/stream?since=0 HTTP/1.1\r\nHost: 127.0.0.1:${h.port}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
  )
  await once(socket, 'readable')
  // Long enough for the line to be full.
  await new Promise((resolve) => setTimeout(resolve, 300))
  assert.equal((await h.ask(`${V1}/tokens/${id}`, { method: 'DELETE' })).status, 204)
  await clock.advance(1_000)
  let end = ''
  socket.on('data', (chunk: Buffer) => (end = (end + chunk.toString('latin1')).slice(-2_000)))
  await once(socket, 'close')
  assert.ok(!end.includes('"number":199'), 'not to the end')
  assert.ok(!end.includes('event: end'), 'cut off: it had not read so far')
})
