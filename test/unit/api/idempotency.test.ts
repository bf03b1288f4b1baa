/** Idempotency-Key on whatever changes something, and the time that a request may take. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROUTES } from '../../../src/api/routes.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { BOB, CAROL, accountOf, fakeApplication, hexId, messageView } from './fake-application.ts'
import { serve } from './harness.ts'

const V1 = '/api/v1'
const DAVE = accountOf('d')
const keyed = (key: string) => ({ 'idempotency-key': key })

test('AP-03 the same key with the same request gets the first answer and does nothing more, on every kind of route', async (t) => {
  const { ask, application } = await serve(t)
  const add = { body: { target: DAVE, name: 'Dave' }, headers: keyed('add-1') }
  const first = await ask(`${V1}/contacts`, add)
  const again = await ask(`${V1}/contacts`, add)
  assert.deepEqual([first.status, again.status, again.text], [201, 201, first.text])
  assert.equal(application.calls.filter((call) => call.startsWith('add')).length, 1)
  const remove = { method: 'DELETE', headers: keyed('remove-1') }
  assert.deepEqual(
    [(await ask(`${V1}/contacts/${DAVE}`, remove)).status, (await ask(`${V1}/contacts/${DAVE}`, remove)).status],
    [204, 204],
  )
  assert.equal((await ask(`${V1}/contacts/${DAVE}`, { method: 'DELETE' })).status, 404)
  const rename = { method: 'PATCH', body: { name: 'Rob' }, headers: keyed('rename-1') }
  assert.equal((await ask(`${V1}/contacts/${BOB}`, rename)).status, 200)
  await ask(`${V1}/contacts/${BOB}`, { method: 'PATCH', body: { name: 'Robert' } })
  assert.equal((await ask(`${V1}/contacts/${BOB}`, rename)).body['name'], 'Rob', 'the first answer')
  assert.equal((await ask(`${V1}/contacts/${BOB}`)).body['name'], 'Robert', 'and no second change')
})

test('AP-03 a key is refused with another body, path or method, and is each token’s own', async (t) => {
  const { ask } = await serve(t)
  const headers = keyed('k')
  assert.equal((await ask(`${V1}/contacts`, { body: { target: DAVE }, headers })).status, 201)
  for (const [path, how] of [
    ['/contacts', { body: { target: CAROL } }],
    [`/contacts/${DAVE}/accept`, { method: 'POST' }],
    [`/contacts/${DAVE}`, { method: 'DELETE' }],
  ] as const) {
    const refused = await ask(V1 + path, { ...how, headers })
    assert.deepEqual([refused.status, refused.body['code']], [409, 'conflict'], path)
  }
  const made = await ask(`${V1}/tokens`, { body: { name: 'bot', scopes: ['send'] } })
  const token = String(made.body['token'])
  assert.equal((await ask(`${V1}/messages`, { body: { to: BOB, text: 'x' }, headers, token })).status, 202)
  assert.equal((await ask(`${V1}/messages`, { body: { to: BOB, text: 'x' }, headers: keyed('a b') })).status, 422)
})

test('AP-03 who comes while the first is under way waits for it', async (t) => {
  const { ask, application } = await serve(t)
  let finish = (): void => {}
  const seen = { runs: 0 }
  application.publishIdentity = async () => {
    seen.runs++
    await new Promise<void>((resolve) => (finish = resolve))
    return { receipts: seen.runs }
  }
  const how = { method: 'POST', headers: keyed('publish') }
  const both = [ask(`${V1}/identity/publish`, how), ask(`${V1}/identity/publish`, how)]
  while (seen.runs === 0) await new Promise((resolve) => setImmediate(resolve))
  // The second is on its way or waits already; either way it must not run.
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
  finish()
  const answers = await Promise.all(both)
  assert.deepEqual(
    answers.map(({ status, body }) => [status, body['receipts']]),
    [
      [200, 1],
      [200, 1],
    ],
  )
})

test('AP-03 what failed is not kept: the same key tries again; after 24 hours it is a new one', async (t) => {
  const clock = new VirtualClock()
  const { ask, application } = await serve(t, { clock })
  const headers = keyed('unlock-1')
  application.state = 'locked'
  const accept = { method: 'POST', headers: keyed('accept') }
  assert.equal((await ask(`${V1}/contacts/${BOB}/accept`, accept)).status, 423)
  assert.equal((await ask(`${V1}/identity/unlock`, { body: { passphrase: 'correct horse' }, headers })).status, 200)
  assert.equal((await ask(`${V1}/contacts/${BOB}/accept`, accept)).status, 200)
  const add = { body: { target: DAVE }, headers: keyed('day') }
  assert.equal((await ask(`${V1}/contacts`, add)).status, 201)
  assert.equal((await ask(`${V1}/contacts`, add)).status, 201)
  await clock.advance(24 * 3_600_000)
  assert.equal((await ask(`${V1}/contacts`, add)).status, 409)
})

test('AP-03 SE-05 secrets are not kept for a repetition, and nothing that was kept is told while the keys are sealed', async (t) => {
  const { ask, application } = await serve(t)
  const rotate = { body: { passphrase: 'correct horse' }, headers: keyed('rotate') }
  assert.match(String((await ask(`${V1}/identity/rotate`, rotate)).body['phrase']), /zoo/)
  const again = await ask(`${V1}/identity/rotate`, rotate)
  assert.deepEqual([again.status, again.body['code']], [409, 'conflict'])
  const token = { body: { name: 'bot', scopes: ['read'] }, headers: keyed('token') }
  assert.equal((await ask(`${V1}/tokens`, token)).status, 201)
  assert.equal((await ask(`${V1}/tokens`, token)).status, 409)
  const rename = { method: 'PATCH', body: { name: 'Canary' }, headers: keyed('name') }
  assert.equal((await ask(`${V1}/contacts/${BOB}`, rename)).status, 200)
  application.state = 'locked'
  const sealed = await ask(`${V1}/contacts/${BOB}`, rename)
  assert.equal(sealed.status, 423)
  assert.ok(!sealed.text.includes('Canary'))
  application.state = 'ready'
  assert.equal((await ask(`${V1}/contacts/${BOB}`, rename)).status, 409, 'done, but the answer went with the lock')
})

test('AP-03 SE-05 keys that seal themselves take kept answers along, without anybody asking', async (t) => {
  const application = fakeApplication()
  const watchers = new Set<() => void>()
  application.onLock = (watcher) => {
    watchers.add(watcher)
    return () => watchers.delete(watcher)
  }
  const h = await serve(t, {}, application)
  const rename = { method: 'PATCH', body: { name: 'Canary' }, headers: keyed('name') }
  assert.equal((await h.ask(`${V1}/contacts/${BOB}`, rename)).status, 200)
  assert.equal((await h.ask(`${V1}/contacts/${BOB}`, rename)).status, 200, 'kept')
  for (const watcher of watchers) watcher()
  assert.equal((await h.ask(`${V1}/contacts/${BOB}`, rename)).status, 409, 'done, but the answer went with the lock')
  await h.server.stop()
  assert.equal(watchers.size, 0)
})

test('AP-03 a message is one over a restart of the daemon, and its answer tells how it stands by then', async (t) => {
  const application = fakeApplication()
  const h = await serve(t, {}, application)
  const body = { to: BOB, text: 'once' }
  const first = await h.ask(`${V1}/messages`, { body, headers: keyed('order') })
  application.messageList[0] = { ...messageView(String(first.body['id']), BOB), text: 'once', status: 'delivered' }
  const again = await h.ask(`${V1}/messages`, { body, headers: keyed('order') })
  assert.deepEqual([again.status, again.body['id'], again.body['status']], [202, first.body['id'], 'delivered'])
  await h.server.stop()
  await h.server.start()
  const later = await h.ask(`${V1}/messages`, { body, headers: keyed('order'), overSocket: true })
  assert.deepEqual([later.status, later.body['id']], [202, first.body['id']])
  assert.equal(application.messageList.length, 1)
})

test('AP-32 a request has five seconds, then it is 504; what was begun goes on, and the same key waits for it', async (t) => {
  const clock = new VirtualClock()
  const { ask, application } = await serve(t, { clock })
  let finish = (): void => {}
  const seen = { runs: 0 }
  application.updateContact = async () => {
    seen.runs++
    await new Promise<void>((resolve) => (finish = resolve))
    return application.contact(BOB)
  }
  const how = { method: 'PATCH', body: { name: 'Rob' }, headers: keyed('slow') }
  const first = ask(`${V1}/contacts/${BOB}`, how)
  while (seen.runs === 0) await new Promise((resolve) => setImmediate(resolve))
  await clock.advance(5_000)
  const late = await first
  assert.deepEqual([late.status, late.body['code']], [504, 'timeout'])
  assert.match(String(late.body['detail']), /Idempotency-Key/)
  const second = ask(`${V1}/contacts/${BOB}`, how)
  finish()
  assert.equal((await second).status, 200)
  assert.equal(seen.runs, 1)
})

test('AP-32 what asks the network, derives a key or clears much has longer, everything else five seconds; only streams have no end', () => {
  const longer = ROUTES.filter(({ deadlineMs }) => deadlineMs > 5_000).map(({ method, path }) => `${method} ${path}`)
  const KNOWN =
    /^(GET \/keys|GET \/invite|GET \/events$|GET \/events\/stream|POST \/(contacts|sessions|backup|prekeys\/rotate|token\/rotate|identity)|PUT \/identity\/passphrase|DELETE \/(contacts\/:id|conversations\/:id\/messages)$)/
  assert.deepEqual(
    longer.filter((name) => !KNOWN.test(name)),
    [],
  )
  assert.ok(ROUTES.every(({ deadlineMs, path }) => deadlineMs <= 3_600_000 || path === '/events/stream'))
})

test('AP-32 keys of messages fit the operation ids of edits and reactions: one key, one id', async (t) => {
  const { ask, application } = await serve(t)
  application.messageList.push(messageView(hexId(1), BOB))
  const edit = { method: 'PUT', body: { text: 'better' }, headers: keyed('edit-1') }
  assert.equal((await ask(`${V1}/messages/${hexId(1)}/text`, edit)).status, 200)
  assert.equal((await ask(`${V1}/messages/${hexId(1)}/text`, edit)).status, 200)
  const operations = application.calls.filter((call) => call.startsWith('edit '))
  assert.match(operations[0] ?? '', /^edit [0-9a-f]{32}$/)
  assert.equal(new Set(operations).size, 1)
})
