/** The same log over three ways, for readers that the daemon remembers and those that want some kinds only. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { STREAM_LIMITS } from '../../../src/api/events.ts'
import type { Frame } from '../../../src/api/event-pump.ts'
import { frameView } from '../../../src/api/views/events.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { LockedError } from '../../../src/lib/errors.ts'
import { BOB } from './fake-application.ts'
import type { Harness } from './harness.ts'
import { serve } from './harness.ts'

const V1 = '/api/v1'

/** The frames of a stream as they come, over either way. */
interface Tail {
  readonly frames: Frame[]
  readonly numbers: readonly number[]
  until(done: () => boolean): Promise<void>
  close(): void
}

function tailOf(): { tail: Tail; add: (text: string) => void; stop: (close: () => void) => void } {
  const frames: Frame[] = []
  let wake = (): void => {}
  let close = (): void => {}
  const tail: Tail = {
    frames,
    get numbers() {
      return frames.flatMap((frame) => (frame.type === 'event' ? [frame.event.number] : []))
    },
    async until(done) {
      while (!done()) await new Promise<void>((resolve) => (wake = resolve))
    },
    close: () => {
      close()
    },
  }
  const add = (text: string): void => {
    // What goes out is what the document promises.
    frames.push(frameView.parse(JSON.parse(text)))
    wake()
  }
  return { tail, add, stop: (action) => (close = action) }
}

function overWebSocket(h: Harness, query: string): Tail {
  const { tail, add, stop } = tailOf()
  const socket = new WebSocket(`ws://127.0.0.1:${h.port}${V1}/events?${query}`, {
    headers: { authorization: `Bearer ${h.token}` },
  })
  socket.on('message', (data: Buffer) => {
    add(data.toString())
  })
  stop(() => {
    socket.terminate()
  })
  return tail
}

interface SseTail extends Tail {
  readonly ids: string[]
  readonly comments: string[]
  readonly ends: string[]
  readonly response: Promise<IncomingMessage>
}

function overSse(h: Harness, query: string, headers: Record<string, string> = {}): SseTail {
  const { tail, add, stop } = tailOf()
  const [ids, comments, ends]: [string[], string[], string[]] = [[], [], []]
  const asked: ClientRequest = request({
    host: '127.0.0.1',
    port: h.port,
    path: `${V1}/events/stream?${query}`,
    headers: { authorization: `Bearer ${h.token}`, ...headers },
  })
  const response = new Promise<IncomingMessage>((resolve) => asked.once('response', resolve))
  asked.on('error', () => {})
  asked.end()
  void response.then((message) => {
    let text = ''
    message.setEncoding('utf8')
    message.on('error', () => {})
    message.on('data', (chunk: string) => {
      text += chunk
      const blocks = text.split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) {
        const fields = new Map(
          block.split('\n').map((line) => [line.split(': ', 1)[0] ?? '', line.slice(line.indexOf(': ') + 2)]),
        )
        if (block.startsWith(':')) comments.push(block)
        if (fields.has('id')) ids.push(fields.get('id') ?? '')
        if (fields.get('event') === 'end') ends.push(fields.get('data') ?? '')
        else if (fields.has('data')) add(fields.get('data') ?? '')
      }
    })
  })
  stop(() => asked.destroy())
  return Object.assign(tail, { ids, comments, ends, response })
}

const WAYS = { WebSocket: overWebSocket, SSE: overSse } as const

for (const [way, open] of Object.entries(WAYS)) {
  test(`AP-06 AP-08 ${way}: hello, replay and live are one line, and every frame fits its schema`, async (t) => {
    const h = await serve(t)
    for (let i = 0; i < 300; i++) h.application.emit('message:queued', { i })
    const tail = open(h, 'since=100')
    for (let i = 0; i < 100; i++) {
      h.application.emit('message:received', { i })
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await tail.until(() => tail.numbers.length >= 300)
    assert.deepEqual(
      tail.numbers,
      Array.from({ length: 300 }, (_, i) => 101 + i),
    )
    assert.deepEqual({ ...tail.frames[0], last: 0 }, { type: 'hello', first: 1, last: 0, since: 100 })
    tail.close()
  })

  test(`AP-06 ${way}: a consumer goes on after what it acknowledged, whatever was on its way to it`, async (t) => {
    const h = await serve(t)
    h.application.emit('a:b', {})
    await h.ask(`${V1}/events/consumers/bot`, { method: 'PUT', body: { from: 0 } })
    for (let i = 0; i < 9; i++) h.application.emit('a:b', {})
    const first = open(h, 'consumer=bot')
    await first.until(() => first.numbers.length === 10)
    assert.equal((await h.ask(`${V1}/events/consumers/bot/ack`, { body: { number: 4 } })).body['acknowledged'], 4)
    first.close()
    const second = open(h, 'consumer=bot')
    await second.until(() => second.numbers.length === 6)
    assert.deepEqual(second.numbers, [5, 6, 7, 8, 9, 10])
    h.application.first = 9
    const third = open(h, 'consumer=bot')
    await third.until(() => third.numbers.length === 2)
    assert.deepEqual(
      third.frames.map(({ type }) => type),
      ['hello', 'gap', 'event', 'event'],
    )
    second.close()
    third.close()
  })

  test(`AP-06 ${way}: what is not wanted moves the reader on`, async (t) => {
    const h = await serve(t)
    for (let i = 0; i < 500; i++) h.application.emit(i % 100 === 0 ? 'message:received' : 'outbox:tried', {})
    const tail = open(h, 'since=0&types=message:received,contact')
    await tail.until(() => tail.frames.some((frame) => frame.type === 'passed'))
    assert.deepEqual(tail.numbers, [1, 101, 201, 301, 401])
    assert.deepEqual(tail.frames.at(-1), { type: 'passed', number: 500 })
    h.application.emit('message:delivered', {})
    h.application.emit('contact:pinned', {})
    await tail.until(() => tail.numbers.length === 6)
    assert.equal(tail.numbers.at(-1), 502)
    tail.close()
  })

  test(`AP-06 ${way}: what is live has no number, and is dropped with a filter that does not name it`, async (t) => {
    const h = await serve(t)
    const [all, some, named] = [open(h, ''), open(h, 'types=message'), open(h, 'types=message,live')]
    for (const tail of [all, some, named]) await tail.until(() => tail.frames.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 20))
    h.application.emitLive({ type: 'typing', contact: BOB, typing: true })
    h.application.emit('message:received', {})
    for (const tail of [all, some, named]) await tail.until(() => tail.numbers.length === 1)
    const live = { type: 'live', event: { type: 'typing', contact: BOB, typing: true } }
    assert.deepEqual(all.frames[1], live)
    assert.deepEqual(named.frames[1], live)
    assert.equal(some.frames.length, 2)
    assert.equal(h.application.eventList.length, 1, 'nothing of it is in the log')
    for (const tail of [all, some, named]) tail.close()
  })
}

test('AP-06 SSE: a reader that comes back says by Last-Event-ID what it has seen', async (t) => {
  const h = await serve(t)
  for (let i = 0; i < 10; i++) h.application.emit('a:b', {})
  const first = overSse(h, 'since=2')
  await first.until(() => first.numbers.length === 8)
  assert.equal((await first.response).headers['content-type'], 'text/event-stream')
  assert.deepEqual(first.ids, ['2', '3', '4', '5', '6', '7', '8', '9', '10'])
  first.close()
  const second = overSse(h, 'since=2', { 'last-event-id': '9' })
  await second.until(() => second.numbers.length === 1)
  assert.deepEqual(second.numbers, [10])
  second.close()
  assert.equal((await h.ask(`${V1}/events/stream`, { headers: { 'last-event-id': 'x' } })).status, 422)
})

test('AP-06 SSE: comments keep a quiet line alive; the end of the server ends it with a reason', async (t) => {
  const h = await serve(t, { streamLimits: { ...STREAM_LIMITS, heartbeatMs: 20 } })
  const tail = overSse(h, '')
  const response = await tail.response
  while (tail.comments.length < 2) await once(response, 'data')
  const ended = once(response, 'close')
  await h.server.stop()
  await ended
  assert.deepEqual(tail.ends, ['{"type":"end","reason":"going-away"}'])
})

test('AP-30 while nothing happens, who watches costs nothing: no look at the log in ten minutes', async (t) => {
  const clock = new VirtualClock()
  const h = await serve(t, { clock })
  const tails = [overWebSocket(h, ''), overSse(h, ''), overWebSocket(h, 'types=message')]
  for (const tail of tails) await tail.until(() => tail.frames.length === 1)
  await clock.advance(1_000)
  let looks = 0
  const look = h.application.eventsSince.bind(h.application)
  h.application.eventsSince = async (since, limit) => {
    looks++
    return look(since, limit)
  }
  for (let seconds = 0; seconds < 600; seconds += 15) {
    await clock.advance(15_000)
    // Pongs come in the machine's own time.
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.equal(looks, 0)
  h.application.emit('message:received', {})
  for (const tail of tails) await tail.until(() => tail.numbers.length === 1)
  for (const tail of tails) tail.close()
})

test('AP-06 SSE and WebSocket share 64 places, and one that hangs up gives its place back', async (t) => {
  const h = await serve(t, { streamLimits: { ...STREAM_LIMITS, streamsMax: 3 } })
  const tails = [overSse(h, ''), overWebSocket(h, ''), overSse(h, '')]
  for (const tail of tails) await tail.until(() => tail.frames.length === 1)
  const refused = await h.ask(`${V1}/events/stream`)
  assert.deepEqual([refused.status, refused.body['code']], [429, 'too-many-streams'])
  tails[0]?.close()
  for (let steps = 0; ; steps++) {
    const next = overSse(h, '')
    const { statusCode } = await next.response
    if (statusCode === 200) {
      next.close()
      break
    }
    assert.ok(steps < 200)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  for (const tail of tails) tail.close()
})

test('AP-06 SSE: without a token 401, with sealed keys 423 as a problem, not as a stream', async (t) => {
  const h = await serve(t)
  assert.equal((await h.ask(`${V1}/events/stream`, { token: null })).status, 401)
  assert.equal((await h.ask(`${V1}/events/stream?since=1&consumer=a`)).status, 422)
  h.application.eventsSince = async () => Promise.reject(new LockedError('the keys are sealed'))
  const sealed = await h.ask(`${V1}/events/stream`)
  assert.deepEqual([sealed.status, sealed.body['code']], [423, 'locked'])
})

test('AP-06 SSE: who reads nothing is cut off and costs no more than one batch', async (t) => {
  const h = await serve(t, { streamLimits: { ...STREAM_LIMITS, slowMs: 100 } })
  const big = 'x'.repeat(60_000)
  for (let i = 0; i < 400; i++) h.application.emit('a:b', { big })
  const asked = request({
    host: '127.0.0.1',
    port: h.port,
    path: `${V1}/events/stream`,
    headers: { authorization: `Bearer ${h.token}` },
  })
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  response.pause()
  const closed = once(response, 'close')
  await new Promise((resolve) => setTimeout(resolve, 400))
  response.on('error', () => {})
  response.resume()
  let received = 0
  response.on('data', (chunk: Buffer) => (received += chunk.length))
  await closed
  assert.ok(received < 400 * 60_000, `${received} bytes`)
})

test('AP-06 long poll: a consumer, a filter, and a wait that other events do not end', async (t) => {
  const h = await serve(t)
  await h.ask(`${V1}/events/consumers/bot`, { method: 'PUT', body: {} })
  const waiting = h.ask(`${V1}/events?consumer=bot&types=message:received&wait=30`)
  await new Promise((resolve) => setTimeout(resolve, 20))
  for (let i = 0; i < 5; i++) h.application.emit('outbox:tried', {})
  await new Promise((resolve) => setTimeout(resolve, 20))
  h.application.emit('message:received', { x: 1 })
  const { body } = await waiting
  assert.deepEqual(
    (body['events'] as { number: number }[]).map(({ number }) => number),
    [6],
  )
  assert.equal(body['next'], 6)
  for (let i = 0; i < 2_500; i++) h.application.emit('outbox:tried', {})
  const passed = await h.ask(`${V1}/events?consumer=bot&types=contact`)
  assert.deepEqual([passed.body['events'], passed.body['next'], passed.body['last']], [[], 2_506, 2_506])
  const late = await h.ask(`${V1}/events?since=2506&types=contact&wait=1`)
  assert.deepEqual([late.status, late.body['next']], [200, 2_506])
  for (const bad of [
    'types=',
    'types=a,,b',
    'types=A',
    'consumer=',
    'consumer=A',
    'consumer=a&since=1',
    `consumer=${'a'.repeat(65)}`,
  ]) {
    assert.equal((await h.ask(`${V1}/events?${bad}`)).status, 422, bad)
  }
})

test('AP-06 consumers: made, listed, read, acknowledged, forgotten', async (t) => {
  const h = await serve(t)
  for (let i = 0; i < 3; i++) h.application.emit('a:b', {})
  const put = await h.ask(`${V1}/events/consumers/bot`, { method: 'PUT' })
  assert.deepEqual([put.status, put.body['name'], put.body['acknowledged']], [200, 'bot', 3])
  assert.equal((await h.ask(`${V1}/events/consumers/other`)).status, 404)
  assert.equal((await h.ask(`${V1}/events/consumers/bot`)).body['acknowledged'], 3)
  const list = (await h.ask(`${V1}/events/consumers`)).body['items'] as { name: string }[]
  assert.deepEqual(
    list.map(({ name }) => name),
    ['bot'],
  )
  assert.equal((await h.ask(`${V1}/events/consumers/bot/ack`, { body: { number: 2 } })).body['acknowledged'], 3)
  assert.equal((await h.ask(`${V1}/events/consumers/bot/ack`, { body: { number: 9 } })).status, 409)
  assert.equal((await h.ask(`${V1}/events/consumers/bot/ack`, { body: { number: -1 } })).status, 422)
  assert.equal((await h.ask(`${V1}/events/consumers/Bot/ack`, { body: { number: 1 } })).status, 422)
  assert.equal((await h.ask(`${V1}/events/consumers/bot`, { method: 'DELETE' })).status, 204)
  assert.equal((await h.ask(`${V1}/events/consumers/bot`, { method: 'DELETE' })).status, 404)
})
