/** How often what may be asked, row by row. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_API_LIMITS } from '../../../src/api/limits.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { BOB, CAROL, accountOf, contactView, hexId, messageView } from './fake-application.ts'
import { serve } from './harness.ts'

const V1 = '/api/v1'
const DAVE = accountOf('d')
const ERIN = accountOf('e')

const burst = { AP13: ['/identity/publish', 10], AP15: ['/identity/rotate', 5], AP17: ['/contacts', 20] } as const
for (const [row, [path, allowed]] of Object.entries(burst)) {
  test(`${row.replace('AP', 'AP-')} ${path}: request ${allowed + 1} within a minute is 429 with Retry-After`, async (t) => {
    const clock = new VirtualClock()
    const { ask } = await serve(t, { clock })
    const how = path === '/identity/publish' ? { method: 'POST' } : { body: {} }
    for (let i = 0; i < allowed; i++) assert.notEqual((await ask(V1 + path, how)).status, 429)
    const refused = await ask(V1 + path, how)
    assert.equal(refused.status, 429)
    assert.equal(refused.headers['retry-after'], String(60 / allowed))
    await clock.advance(60_000 / allowed)
    assert.notEqual((await ask(V1 + path, how)).status, 429)
  })
}

test('AP-16 AP-26 a burst of 70 key lookups: 30 are answered, the others 429', async (t) => {
  const { ask } = await serve(t, { clock: new VirtualClock() })
  const answers = await Promise.all(Array.from({ length: 70 }, async () => ask(`${V1}/keys/${BOB}`)))
  assert.equal(answers.filter(({ status }) => status === 200).length, 30)
  assert.equal(answers.filter(({ status }) => status === 429).length, 40)
  assert.equal((await ask(`${V1}/status`)).status, 200, 'other routes go on')
})

test('AP-18 messages have a bucket of their own, which the configuration sets', async (t) => {
  const limits = { ...DEFAULT_API_LIMITS, messagesPerMinute: 20 }
  const { ask } = await serve(t, { clock: new VirtualClock(), limits })
  for (let i = 0; i < 20; i++) assert.equal((await ask(`${V1}/messages`, { body: { to: BOB, text: 'x' } })).status, 202)
  assert.equal((await ask(`${V1}/messages`, { body: { to: BOB, text: 'x' } })).status, 429)
  assert.equal((await ask(`${V1}/conversations/${BOB}/read`, { method: 'POST' })).status, 200)
})

test('AP-19 write 301 of a minute is 429; reads are not touched by it', async (t) => {
  const { ask } = await serve(t, { clock: new VirtualClock() })
  const write = async (): Promise<number> => (await ask(`${V1}/conversations/${BOB}/read`, { method: 'POST' })).status
  for (let i = 0; i < 30; i++) {
    const ten = await Promise.all(Array.from({ length: 10 }, write))
    assert.deepEqual([...new Set(ten)], [200])
  }
  assert.equal(await write(), 429)
  assert.equal((await ask(`${V1}/status`)).status, 200)
})

test('AP-24 who has no token takes nothing from the bucket; who has it is counted before the schema is looked at', async (t) => {
  const { ask } = await serve(t, { clock: new VirtualClock() })
  for (let i = 0; i < 40; i++) {
    assert.equal((await ask(`${V1}/keys/${BOB}`, { token: i % 2 === 0 ? null : 'wrong' })).status, 401)
  }
  for (let i = 0; i < 29; i++) assert.equal((await ask(`${V1}/keys/${BOB}`)).status, 200)
  assert.equal((await ask(`${V1}/keys/garbage`)).status, 422)
  assert.equal((await ask(`${V1}/keys/${BOB}`)).status, 429)
})

test('AP-15 AP-21 fresh prekeys five times a minute, the sixth is 429; the answer is ids and counts', async (t) => {
  const clock = new VirtualClock()
  const { ask } = await serve(t, { clock })
  const rotate = async () => ask(`${V1}/prekeys/rotate`, { method: 'POST' })
  for (let i = 0; i < 5; i++) {
    const { status, body } = await rotate()
    assert.equal(status, 200)
    for (const field of ['number', 'total', 'target', 'slices', 'lastRotatedAt']) assert.ok(field in body, field)
  }
  const refused = await rotate()
  assert.deepEqual([refused.status, refused.headers['retry-after']], [429, '12'])
  await clock.advance(12_000)
  assert.equal((await rotate()).status, 200)
})

test('AP-17 AP-23 a session is begun as often as one likes, to the same end, twenty times a minute', async (t) => {
  const { ask } = await serve(t, { clock: new VirtualClock() })
  const begin = async (to: string) => ask(`${V1}/sessions`, { body: { to } })
  const first = await begin(BOB)
  assert.deepEqual([first.status, first.body], [200, { accountId: BOB, devices: 0 }])
  for (let i = 0; i < 17; i++) assert.deepEqual((await begin(BOB)).body, first.body)
  assert.equal((await begin(ERIN)).status, 404, 'nobody of that name')
  assert.equal((await begin('nonsense')).status, 422)
  assert.equal((await begin(BOB)).status, 429)
})

test('AP-18 twenty messages a minute to one who has not accepted, by conversation; whoever asks, and friends without', async (t) => {
  const clock = new VirtualClock()
  const { ask, application } = await serve(t, { clock })
  application.contactList.push(
    contactView(DAVE, 'Dave', { state: 'requested' }),
    contactView(ERIN, 'Erin', { state: 'requested' }),
  )
  const made = await ask(`${V1}/tokens`, { body: { name: 'bot', scopes: ['send'] } })
  const token = String(made.body['token'])
  const say = async (to: string, more = {}) =>
    (await ask(`${V1}/messages`, { body: { to, text: 'x' }, ...more })).status
  for (let i = 0; i < 20; i++) assert.equal(await say(DAVE, i % 2 === 0 ? {} : { token }), 202)
  assert.equal(await say(DAVE), 429)
  assert.equal(await say(DAVE, { token }), 429, 'another token changes nothing')
  assert.equal(await say(ERIN), 202, 'another conversation')
  for (let i = 0; i < 30; i++) assert.equal(await say(CAROL), 202)
  await clock.advance(3_000)
  assert.equal(await say(DAVE), 202)
  assert.equal(await say(DAVE), 429)
  application.contactList.splice(2, 1, contactView(DAVE, 'Dave'))
  assert.equal(await say(DAVE), 202, 'accepted meanwhile')
})

test('AP-18 edits, reactions, deletions for both and timers to one who has not accepted draw from the same bucket', async (t) => {
  const { ask, application } = await serve(t, { clock: new VirtualClock() })
  application.contactList.push(contactView(DAVE, 'Dave', { state: 'requested' }))
  const id = hexId(900)
  application.messageList.push(messageView(id, DAVE), messageView(hexId(901), CAROL))
  const things = [
    [`/messages/${id}/text`, 'PUT', { text: 'x' }, 200],
    [`/messages/${id}/reaction`, 'PUT', { emoji: '👍' }, 200],
    [`/messages/${id}/delete`, 'POST', { for: 'both' }, 204],
    [`/conversations/${DAVE}`, 'PATCH', { timerSeconds: 60 }, 200],
  ] as const
  const all = async (): Promise<number[]> =>
    Promise.all(things.map(async ([path, method, body]) => (await ask(V1 + path, { method, body })).status))
  for (let round = 0; round < 5; round++) assert.deepEqual(await all(), [200, 200, 204, 200])
  assert.deepEqual(await all(), [429, 429, 429, 429])
  const free = [
    [`/messages/${id}/delete`, 'POST', { for: 'me' }, 204],
    [`/conversations/${DAVE}`, 'PATCH', { muted: true }, 200],
    [`/messages/${hexId(901)}/text`, 'PUT', { text: 'x' }, 200],
  ] as const
  for (const [path, method, body, status] of free)
    assert.equal((await ask(V1 + path, { method, body })).status, status, `${path}: nothing that Dave is told`)
})

test('AP-18 the owner sets another limit for messages to strangers', async (t) => {
  const limits = { ...DEFAULT_API_LIMITS, strangerMessagesPerMinute: 2 }
  const { ask, application } = await serve(t, { clock: new VirtualClock(), limits })
  application.contactList.push(contactView(DAVE, 'Dave', { state: 'requested' }))
  const codes: number[] = []
  for (let i = 0; i < 3; i++) codes.push((await ask(`${V1}/messages`, { body: { to: DAVE, text: 'x' } })).status)
  assert.deepEqual(codes, [202, 202, 429])
})

test('AP-19 request 301 of a minute by one token is 429, whatever it asks; other tokens and the owner go on', async (t) => {
  const clock = new VirtualClock()
  const { ask } = await serve(t, { clock })
  const make = async (name: string): Promise<string> =>
    String((await ask(`${V1}/tokens`, { body: { name, scopes: ['send'] } })).body['token'])
  const [bot, other] = [await make('bot'), await make('other')]
  for (let i = 0; i < 30; i++) {
    const ten = Array.from({ length: 10 }, async (_, at) => {
      const how = at % 2 === 0 ? {} : { body: { to: BOB, text: 'x' } }
      return (await ask(V1 + (at % 2 === 0 ? '/contacts' : '/messages'), { ...how, token: bot })).status
    })
    assert.deepEqual(new Set(await Promise.all(ten)), new Set([200, 202]))
  }
  const refused = await ask(`${V1}/contacts`, { token: bot })
  assert.deepEqual([refused.status, refused.body['code'], refused.headers['retry-after']], [429, 'rate', '1'])
  assert.equal((await ask(`${V1}/contacts`, { token: other })).status, 200)
  assert.equal((await ask(`${V1}/contacts`)).status, 200)
  await clock.advance(200)
  assert.equal((await ask(`${V1}/contacts`, { token: bot })).status, 200)
})

test('AP-24 neither a wrong token nor one that is not good for it takes anything from anyone’s bucket', async (t) => {
  const { ask } = await serve(t, { clock: new VirtualClock() })
  const made = await ask(`${V1}/tokens`, { body: { name: 'reader', scopes: ['read'] } })
  const token = String(made.body['token'])
  for (let i = 0; i < 20; i++) {
    assert.equal((await ask(`${V1}/identity/publish`, { method: 'POST', token: 'wrong' })).status, 401)
    assert.equal((await ask(`${V1}/identity/publish`, { method: 'POST', token })).status, 403)
  }
  for (let i = 0; i < 10; i++) assert.equal((await ask(`${V1}/identity/publish`, { method: 'POST' })).status, 200)
  assert.equal((await ask(`${V1}/identity/publish`, { method: 'POST' })).status, 429, 'AP-13 the eleventh')
})

test('AP-22 looking a key up: 200 with sizes, 404 for nobody, 422 for no id, 401 without a token, 403 from elsewhere', async (t) => {
  const { ask } = await serve(t)
  const found = await ask(`${V1}/keys/${BOB}`)
  assert.equal(found.status, 200)
  for (const field of ['accountId', 'suite', 'number', 'devices', 'sizes', 'expiresAt']) assert.ok(field in found.body)
  assert.equal((await ask(`${V1}/keys/${CAROL}`)).body['code'], 'not-found')
  assert.equal((await ask(`${V1}/keys/bob`)).status, 422)
  assert.equal((await ask(`${V1}/keys/${BOB}`, { token: null })).status, 401)
  assert.equal((await ask(`${V1}/keys/${BOB}`, { headers: { origin: 'https://evil.example' } })).status, 403)
})

/** What the other systems call it, what it is here, and what it answers. */
const NAMES: readonly (readonly [theirs: string, method: string, path: string, status: number, body?: object])[] = [
  ['keyserver store', 'POST', '/identity/publish', 200],
  ['keyserver load', 'GET', `/keys/${BOB}`, 200],
  ['message store', 'POST', '/messages', 202, { to: BOB, text: 'hello' }],
  ['messages load', 'GET', `/conversations/${BOB}/messages`, 200],
  ['notifications count', 'GET', '/mailbox', 200],
  ['notifications clear', 'POST', `/conversations/${BOB}/read`, 200],
  ['notify', 'GET', '/events?since=0', 200],
]

test('AP-07 what a key server and a message store offer is here under these names, with these status codes', async (t) => {
  const { ask } = await serve(t)
  for (const [theirs, method, path, status, body] of NAMES) {
    const answer = await ask(V1 + path, { method, ...(body === undefined ? {} : { body }) })
    assert.equal(answer.status, status, `${theirs}: ${answer.text}`)
  }
  for (const path of ['/keyserver/list', '/store', '/users'])
    assert.equal((await ask(V1 + path)).status, 404, 'nobody lists everybody’s keys')
})
