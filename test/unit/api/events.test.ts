import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { STREAM_LIMITS } from '../../../src/api/events.ts'
import { LockedError } from '../../../src/lib/errors.ts'
import { fakeApplication } from './fake-application.ts'
import type { Harness } from './harness.ts'
import { serve } from './harness.ts'

interface Frame {
  readonly type: string
  readonly first?: number
  readonly last?: number
  readonly from?: number
  readonly to?: number
  readonly event?: { readonly number: number; readonly type: string }
}

class Tail {
  readonly frames: Frame[] = []
  readonly socket: WebSocket
  readonly closed: Promise<number>
  constructor(h: Harness, since: number, headers: Record<string, string> = { authorization: `Bearer ${h.token}` }) {
    this.socket = new WebSocket(`ws://127.0.0.1:${h.port}/api/v1/events?since=${since}`, { headers })
    this.socket.on('message', (data: Buffer) => this.frames.push(JSON.parse(data.toString()) as Frame))
    this.closed = new Promise((resolve) => this.socket.once('close', resolve))
  }
  get numbers(): number[] {
    return this.frames.flatMap(({ event }) => (event === undefined ? [] : [event.number]))
  }
  async until(done: () => boolean): Promise<void> {
    while (!done()) await once(this.socket, 'message')
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)

test('AP-06 hello, replay and live are one line without gap or duplicate', async (t) => {
  const h = await serve(t)
  for (let i = 0; i < 300; i++) h.application.emit('message:queued', { i })
  const tail = new Tail(h, 0)
  // Events go on while the replay runs.
  for (let i = 0; i < 100; i++) {
    h.application.emit('message:received', { i })
    if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await tail.until(() => tail.numbers.length >= 400)
  h.application.emit('message:stored', {})
  await tail.until(() => tail.numbers.length >= 401)
  assert.deepEqual(tail.numbers, range(1, 401))
  assert.equal(tail.frames[0]?.type, 'hello')
  assert.equal(tail.frames[0]?.first, 1)
  tail.socket.close()
})

test('AP-06 a dropped stream resumes by number: what came meanwhile is not lost', async (t) => {
  const h = await serve(t)
  for (let i = 0; i < 5; i++) h.application.emit('a', {})
  const before = new Tail(h, 0)
  await before.until(() => before.numbers.length === 5)
  before.socket.terminate()
  // Ten seconds of absence are fifty events here: the log is durable, so only the number counts.
  for (let i = 0; i < 50; i++) h.application.emit('b', {})
  const after = new Tail(h, 5)
  await after.until(() => after.numbers.length === 50)
  assert.deepEqual([...before.numbers, ...after.numbers], range(1, 55))
  after.socket.close()
})

test('AP-06 events that are no longer kept are told as a gap', async (t) => {
  const h = await serve(t)
  for (let i = 0; i < 20; i++) h.application.emit('a', {})
  h.application.first = 11
  const tail = new Tail(h, 3)
  await tail.until(() => tail.numbers.length === 10)
  assert.deepEqual(tail.frames.slice(0, 2), [
    { type: 'hello', first: 11, last: 20, since: 3 },
    { type: 'gap', from: 4, to: 10 },
  ])
  assert.deepEqual(tail.numbers, range(11, 20))
  tail.socket.close()
  const page = await h.ask('/api/v1/events?since=3&limit=2')
  assert.deepEqual(page.body['gap'], { from: 4, to: 10 })
  h.application.first = 21
  assert.deepEqual((await h.ask('/api/v1/events?since=3')).body['gap'], { from: 4, to: 20 })
  assert.equal((await h.ask('/api/v1/events?since=20')).body['gap'], null)
})

test('AP-06 a reader ahead of the log goes on at its end', async (t) => {
  const h = await serve(t)
  h.application.emit('a', {})
  const tail = new Tail(h, 999)
  await tail.until(() => tail.frames.length === 1)
  h.application.emit('b', {})
  await tail.until(() => tail.numbers.length === 1)
  assert.deepEqual(tail.numbers, [2])
  tail.socket.close()
})

test('AP-06 long poll: an event ends the wait, the limit caps the page', async (t) => {
  const h = await serve(t)
  const waiting = h.ask('/api/v1/events?since=0&wait=30')
  setTimeout(() => h.application.emit('a', { x: 1 }), 50)
  const { body } = await waiting
  assert.deepEqual(body['events'], h.application.eventList)
  for (let i = 0; i < 9; i++) h.application.emit('b', {})
  assert.equal(((await h.ask('/api/v1/events?since=2&limit=3')).body['events'] as unknown[]).length, 3)
  for (const bad of ['since=-1', 'since=x', 'wait=31', 'limit=0', 'limit=1001', 'who=me']) {
    assert.equal((await h.ask(`/api/v1/events?${bad}`)).status, 422, bad)
  }
})

test('AP-06 the end of the server ends long polls and streams (1001)', async (t) => {
  const h = await serve(t)
  const tail = new Tail(h, 0)
  await tail.until(() => tail.frames.length === 1)
  const waiting = h.ask('/api/v1/events?since=0&wait=30')
  await new Promise((resolve) => setTimeout(resolve, 30))
  const started = Date.now()
  await h.server.stop()
  assert.equal((await waiting).status, 200)
  assert.equal(await tail.closed, 1001)
  assert.ok(Date.now() - started < 2_000)
})

test('AP-09 without a token the stream is closed with 4401 in under a second', async (t) => {
  const h = await serve(t)
  h.application.emit('secret', {})
  const started = Date.now()
  const tail = new Tail(h, 0, {})
  assert.equal(await tail.closed, 4401)
  assert.ok(Date.now() - started < 1_000, `${Date.now() - started} ms`)
  assert.deepEqual(tail.frames, [])
})

test('AP-09 a first frame with the token opens the stream, any other closes it', async (t) => {
  const h = await serve(t)
  h.application.emit('a', {})
  const good = new Tail(h, 0, {})
  await once(good.socket, 'open')
  good.socket.send(JSON.stringify({ type: 'auth', token: h.token }))
  await good.until(() => good.numbers.length === 1)
  good.socket.send('more')
  assert.equal(await good.closed, 4400)
  const wrong = [
    JSON.stringify({ type: 'auth', token: 'A'.repeat(43) }),
    JSON.stringify({ type: 'auth' }),
    JSON.stringify({ type: 'auth', token: h.token, address: '0x1' }),
    JSON.stringify({ type: 'login', username: 'alice' }),
    '{',
  ]
  for (const frame of wrong) {
    const tail = new Tail(h, 0, {})
    await once(tail.socket, 'open')
    tail.socket.send(frame)
    assert.equal(await tail.closed, 4401, frame)
    assert.deepEqual(tail.frames, [])
  }
})

test('AP-09 AP-10 upgrades with a wrong token, from a foreign page or of another route are refused', async (t) => {
  const h = await serve(t)
  const attempt = async (headers: Record<string, string>, path = '/api/v1/events?since=0'): Promise<number> => {
    const socket = new WebSocket(`ws://127.0.0.1:${h.port}${path}`, { headers })
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }]
    socket.on('error', () => {})
    socket.terminate()
    return response.statusCode
  }
  assert.equal(await attempt({ authorization: 'Bearer wrong' }), 401)
  assert.equal(await attempt({ origin: 'https://evil.example' }), 403)
  assert.equal(await attempt({ host: `evil.example:${h.port}` }), 403)
  assert.equal(await attempt({}, '/api/v1/status'), 401)
  assert.equal(await attempt({ authorization: `Bearer ${h.token}` }, '/api/v1/events?since=x'), 422)
})

test('AP-12 rotation closes the streams of the old token', async (t) => {
  const h = await serve(t)
  const tail = new Tail(h, 0)
  await tail.until(() => tail.frames.length === 1)
  await h.ask('/api/v1/token/rotate', { method: 'POST' })
  assert.equal(await tail.closed, 4401)
})

test('a stream of a locked daemon is closed with 4423, of a failing one with 1011', async (t) => {
  const application = fakeApplication()
  application.eventsSince = async () => {
    throw new LockedError('the keys are sealed')
  }
  const h = await serve(t, {}, application)
  assert.equal(await new Tail(h, 0).closed, 4423)
  application.eventsSince = async () => {
    throw new TypeError('bug')
  }
  assert.equal(await new Tail(h, 0).closed, 1011)
})

test('a consumer that reads nothing is closed (4408), and the log is not read ahead for it', async (t) => {
  const application = fakeApplication()
  const big = 'x'.repeat(65_536)
  for (let i = 0; i < 2_000; i++) application.emit('a', { big })
  let reads = 0
  const before = application.eventsSince.bind(application)
  application.eventsSince = async (since, limit) => {
    reads++
    return before(since, limit)
  }
  const h = await serve(t, { streamLimits: { ...STREAM_LIMITS, slowMs: 200 } }, application)
  const tail = new Tail(h, 0)
  await once(tail.socket, 'open')
  tail.socket.pause()
  await new Promise((resolve) => setTimeout(resolve, 500))
  assert.ok(reads <= 3, `${reads} batches of 16 were read`)
  tail.socket.resume()
  assert.equal(await tail.closed, 4408)
  assert.deepEqual(tail.numbers, range(1, tail.numbers.length))
})

test('a stream that does not answer pings is dropped; too many streams are refused (1013)', async (t) => {
  const h = await serve(t, { streamLimits: { ...STREAM_LIMITS, heartbeatMs: 150, streamsMax: 1 } })
  const deaf = new WebSocket(`ws://127.0.0.1:${h.port}/api/v1/events`, {
    headers: { authorization: `Bearer ${h.token}` },
    autoPong: false,
  })
  const gone = once(deaf, 'close')
  await once(deaf, 'open')
  assert.equal(await new Tail(h, 0).closed, 1013)
  assert.equal((await gone)[0], 1006)
  const live = new Tail(h, 0)
  await new Promise((resolve) => setTimeout(resolve, 400))
  assert.equal(live.socket.readyState, WebSocket.OPEN)
  live.socket.close()
})

test('AS-08 streams that show no token do not keep out those that do, and are few', async (t) => {
  const h = await serve(t, { streamLimits: { ...STREAM_LIMITS, streamsMax: 1, pendingMax: 3 } })
  const silent = Array.from({ length: 4 }, () => new WebSocket(`ws://127.0.0.1:${h.port}/api/v1/events`))
  const closed = silent.map(async (socket) => (await once(socket, 'close'))[0] as number)
  await Promise.all(silent.map(async (socket) => once(socket, 'open')))
  const live = new Tail(h, 0)
  await once(live.socket, 'open')
  assert.deepEqual(
    (await Promise.all(closed)).toSorted((a, b) => a - b),
    [1013, 4401, 4401, 4401],
  )
  assert.equal(live.socket.readyState, WebSocket.OPEN)
  const second = new WebSocket(`ws://127.0.0.1:${h.port}/api/v1/events`)
  const refused = once(second, 'close')
  await once(second, 'open')
  second.send(JSON.stringify({ type: 'auth', token: h.token }))
  assert.equal((await refused)[0], 1013)
  live.socket.close()
})

test('AP-31 AS-08 an upgrade whose URL cannot be read is answered and hung up on: it keeps no place, and no server from stopping', async (t) => {
  const h = await serve(t)
  const socket = connect(h.port, '127.0.0.1')
  const closed = once(socket, 'close')
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
  // It keeps its own half open, as who means harm would.
  socket.write(`GET /% HTTP/1.1\r\nHost: 127.0.0.1:${h.port}\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n`)
  await closed
  assert.match(text, /^HTTP\/1\.1 400 /)
  await h.server.stop()
})
