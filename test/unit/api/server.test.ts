import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROUTES } from '../../../src/api/routes.ts'
import type { MessageView } from '../../../src/api/application/messages.ts'
import { DEFAULT_API_LIMITS } from '../../../src/api/limits.ts'
import { ApiServer } from '../../../src/api/server.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { IdentityChangedError } from '../../../src/lib/errors.ts'
import { ALICE, BOB, CAROL, accountOf, fakeApplication, hexId, messageView } from './fake-application.ts'
import { recordingLogger } from '../../support/recording-logger.ts'
import { optionsFor, serve, tempHome } from './harness.ts'

const V1 = '/api/v1'
const MIB = 1_048_576

/** A path that fits the route's schema. */
function concrete(path: string): string {
  const id = path.startsWith('/messages') ? hexId(1) : BOB
  return V1 + path.replace(':accountId', BOB).replace(':id', id)
}

test('ID-21 an identity is made once: 201 with account and phrase, then 409', async (t) => {
  const application = fakeApplication()
  application.state = 'empty'
  const { ask } = await serve(t, {}, application)
  const body = { passphrase: 'correct horse' }
  const first = await ask(`${V1}/identity`, { body })
  assert.equal(first.status, 201)
  assert.equal(first.body['accountId'], ALICE)
  assert.equal(String(first.body['phrase']).split(' ').length, 24)
  const second = await ask(`${V1}/identity`, { body })
  assert.equal(second.status, 409)
  assert.equal(second.body['code'], 'conflict')
})

test('ID-22 a wrong passphrase is 401 under its own code, the sixth failure 429 with Retry-After', async (t) => {
  const { ask, application } = await serve(t)
  application.state = 'locked'
  for (let i = 0; i < 5; i++) {
    const wrong = await ask(`${V1}/identity/unlock`, { body: { passphrase: 'wrong' } })
    assert.equal(wrong.status, 401)
    assert.equal(wrong.body['code'], 'passphrase')
  }
  const shut = await ask(`${V1}/identity/unlock`, { body: { passphrase: 'correct horse' } })
  assert.equal(shut.status, 429)
  assert.equal(shut.headers['retry-after'], '30')
})

test('AP-02 ID-22 SE-05 unlock opens, lock seals: what needs keys is 423 in between', async (t) => {
  const { ask } = await serve(t)
  assert.equal((await ask(`${V1}/identity/lock`, { method: 'POST' })).status, 204)
  const sealed = await ask(`${V1}/contacts`)
  assert.equal(sealed.status, 423)
  assert.equal(sealed.body['code'], 'locked')
  assert.equal((await ask(`${V1}/status`)).body['state'], 'locked')
  assert.equal((await ask(`${V1}/identity/unlock`, { body: { passphrase: 'correct horse' } })).status, 200)
  assert.equal((await ask(`${V1}/contacts`)).status, 200)
})

test('without an identity the answer says what to run', async (t) => {
  const { ask, application } = await serve(t)
  application.state = 'empty'
  const answer = await ask(`${V1}/contacts`)
  assert.equal(answer.status, 409)
  assert.match(String(answer.body['detail']), /sotto init/)
})

test('AP-03 a message is taken with 202, id and status', async (t) => {
  const { ask } = await serve(t)
  const answer = await ask(`${V1}/messages`, { body: { to: BOB, text: 'hello' } })
  assert.equal(answer.status, 202)
  assert.match(String(answer.body['id']), /^[0-9a-f]{32}$/)
  assert.equal(answer.body['status'], 'queued')
  const shown = await ask(`${V1}/messages/${String(answer.body['id'])}`)
  assert.equal(shown.body['text'], 'hello')
  const why = await ask(`${V1}/messages/${String(answer.body['id'])}/why`)
  assert.equal(why.body['summary'], 'it waits for a holder')
})

test('MB-47 a message is taken back with DELETE; unknown is 404, too late is 409', async (t) => {
  const { ask, application } = await serve(t)
  const sent = await ask(`${V1}/messages`, { body: { to: BOB, text: 'hello' } })
  const path = `${V1}/messages/${String(sent.body['id'])}`
  const taken = await ask(path, { method: 'DELETE' })
  assert.deepEqual([taken.status, taken.body['status']], [200, 'taken-back'])
  assert.equal((await ask(path)).body['status'], 'taken-back')
  assert.equal((await ask(`${V1}/messages/${hexId(99)}`, { method: 'DELETE' })).status, 404)
  const late = await ask(`${V1}/messages`, { body: { to: BOB, text: 'gone' } })
  const at = application.messageList.findIndex(({ id }) => id === late.body['id'])
  application.messageList[at] = { ...(application.messageList[at] as MessageView), status: 'delivered' }
  const refused = await ask(`${V1}/messages/${String(late.body['id'])}`, { method: 'DELETE' })
  assert.deepEqual([refused.status, refused.body['code']], [409, 'conflict'])
})

test('AP-03 one Idempotency-Key makes one message, and never stands for another one', async (t) => {
  const { ask, application } = await serve(t)
  const headers = { 'idempotency-key': 'order-17' }
  const first = await ask(`${V1}/messages`, { body: { to: BOB, text: 'once' }, headers })
  const again = await ask(`${V1}/messages`, { body: { to: BOB, text: 'once' }, headers })
  assert.equal(again.status, 202)
  assert.equal(again.body['id'], first.body['id'])
  assert.equal(application.messageList.length, 1)
  const other = await ask(`${V1}/messages`, { body: { to: BOB, text: 'twice' }, headers })
  assert.equal(other.status, 409)
  const elsewhere = await ask(`${V1}/messages`, { body: { to: CAROL, text: 'once' }, headers })
  assert.equal(elsewhere.status, 409)
  const spaced = await ask(`${V1}/messages`, { body: { to: BOB, text: 'x' }, headers: { 'idempotency-key': 'a b' } })
  assert.equal(spaced.status, 422)
})

test('AP-03 the same Idempotency-Key on two homes gives two ids', async (t) => {
  const [one, two] = await Promise.all([serve(t), serve(t)])
  const how = { body: { to: BOB, text: 'x' }, headers: { 'idempotency-key': '1' } }
  const [a, b] = await Promise.all([one.ask(`${V1}/messages`, how), two.ask(`${V1}/messages`, how)])
  assert.notEqual(a.body['id'], b.body['id'])
})

test('AP-04 LS-10 pages by cursor, without gap or duplicate while messages come in', async (t) => {
  const { ask, application } = await serve(t)
  for (let i = 0; i < 120; i++) application.messageList.push(messageView(hexId(i), BOB))
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const query: string = cursor === null ? '?limit=50' : `?limit=50&cursor=${cursor}`
    const { body } = await ask(`${V1}/conversations/${BOB}/messages${query}`)
    seen.push(...(body['items'] as { id: string }[]).map(({ id }) => id))
    cursor = body['next'] as string | null
    application.messageList.push(messageView(hexId(1_000 + seen.length), BOB))
  } while (cursor !== null)
  assert.deepEqual(
    seen,
    Array.from({ length: 120 }, (_, i) => hexId(119 - i)),
  )
  for (const bad of ['limit=0', 'limit=201', 'limit=x', 'limit=1e2', 'cursor=', 'offset=3']) {
    assert.equal((await ask(`${V1}/conversations/${BOB}/messages?${bad}`)).status, 422, bad)
  }
})

test('AP-05 contacts are added, named, accepted, blocked, verified and removed', async (t) => {
  const { ask } = await serve(t)
  const dave = accountOf('d')
  const at = `${V1}/contacts/${dave}`
  const added = await ask(`${V1}/contacts`, { body: { target: dave, name: 'Dave', source: 'invite' } })
  assert.deepEqual([added.status, added.body['state'], added.body['pinSource']], [201, 'requested', 'invite'])
  assert.equal((await ask(`${V1}/contacts`, { body: { target: dave } })).status, 409)
  assert.equal((await ask(at, { method: 'PATCH', body: { name: 'David', favourite: true } })).body['name'], 'David')
  assert.equal((await ask(at, { method: 'PATCH', body: { direct: 'never' } })).body['direct'], 'never')
  assert.equal((await ask(at, { method: 'PATCH', body: { direct: 'sometimes' } })).status, 422)
  assert.equal((await ask(`${at}/accept`, { method: 'POST' })).body['state'], 'accepted')
  assert.equal((await ask(`${at}/accept`, { body: { name: 'Dave' } })).body['name'], 'Dave')
  assert.equal((await ask(`${at}/block`, { method: 'POST' })).body['state'], 'blocked')
  assert.equal((await ask(`${at}/unblock`, { method: 'POST' })).body['state'], 'accepted')
  assert.equal((await ask(`${at}/safety-number`)).body['verified'], false)
  assert.equal((await ask(`${at}/verify`, { body: { verified: true } })).body['verified'], true)
  assert.equal(((await ask(`${V1}/contacts`)).body['items'] as unknown[]).length, 3)
  assert.equal((await ask(at, { method: 'DELETE' })).status, 204)
  assert.equal((await ask(at)).status, 404)
})

test('a conversation is read, an invite made, the identity rotated and published', async (t) => {
  const { ask, application } = await serve(t)
  application.receive(BOB, 'hi')
  const { body } = await ask(`${V1}/conversations`)
  assert.equal((body['items'] as { unread: number }[])[0]?.unread, 1)
  assert.equal((await ask(`${V1}/conversations/${BOB}/read`, { method: 'POST' })).body['marked'], 1)
  assert.equal((await ask(`${V1}/invite?token=true`)).body['link'], `sotto:${ALICE}?t=1`)
  assert.equal((await ask(`${V1}/invite`)).body['link'], `sotto:${ALICE}`)
  assert.equal((await ask(`${V1}/identity/rotate`, { body: { passphrase: 'correct horse' } })).status, 201)
  assert.equal((await ask(`${V1}/identity/publish`, { method: 'POST' })).body['receipts'], 5)
  assert.equal((await ask(`${V1}/identity`)).body['accountId'], ALICE)
  assert.equal(((await ask(`${V1}/peers`)).body['items'] as unknown[]).length, 1)
  assert.equal((await ask(`${V1}/keys/${BOB}`)).body['number'], 3)
})

test('AP-10 foreign Host and Origin are 403 on loopback, before the token is looked at', async (t) => {
  const { ask, port } = await serve(t)
  const hosts = [
    'evil.example',
    `evil.example:${port}`,
    '127.0.0.1',
    `127.0.0.1:${port + 1}`,
    `127.0.0.1.nip.io:${port}`,
  ]
  for (const host of hosts) assert.equal((await ask(`${V1}/status`, { headers: { host } })).status, 403, host)
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`]) {
    assert.equal((await ask(`${V1}/status`, { headers: { host } })).status, 200, host)
  }
  const origins = [
    'https://evil.example',
    'null',
    `https://127.0.0.1:${port}`,
    `http://localhost:${port + 1}`,
    `http://localhost:${port}`,
    `http://[::1]:${port}`,
    'file://',
  ]
  for (const origin of origins) {
    const answer = await ask(`${V1}/status`, { headers: { origin } })
    assert.equal(answer.status, 403, origin)
    assert.equal(answer.headers['access-control-allow-origin'], undefined)
  }
  assert.equal((await ask(`${V1}/status`, { headers: { origin: `http://127.0.0.1:${port}` } })).status, 200)
  assert.equal((await ask(`${V1}/status`, { headers: { host: 'evil.example' }, token: null })).status, 403)
  assert.equal((await ask(`/healthz`, { headers: { host: 'evil.example' }, token: null })).status, 403)
  assert.equal((await ask(`${V1}/status`, { headers: { origin: 'http://localhost' }, overSocket: true })).status, 403)
})

test('TE-08 AP-11 every route without token is 401, on the unix socket too; only health, the page and its code are open', async (t) => {
  const { ask, application } = await serve(t)
  assert.ok(ROUTES.length >= 27, `${ROUTES.length} routes`)
  for (const overSocket of [false, true]) {
    for (const { method, path } of ROUTES) {
      const answer = await ask(concrete(path), { method, token: null, overSocket })
      assert.equal(answer.status, 401, `${method} ${path}`)
      assert.equal(answer.headers['www-authenticate'], 'Bearer')
    }
    assert.equal((await ask('/healthz', { token: null, overSocket })).text, '{"status":"OK"}')
    assert.equal((await ask('/metrics', { token: null, overSocket })).status, 401)
    assert.equal((await ask('/nothing', { token: null, overSocket })).status, 401)
    assert.equal((await ask(`${V1}/status`, { method: 'OPTIONS', token: null, overSocket })).status, 401)
  }
  assert.deepEqual(
    ROUTES.filter(({ open }) => open).map(({ path }) => path),
    ['/page-session'],
  )
  assert.deepEqual(application.calls, [])
})

test('SE-17 who asks without a token, or from elsewhere, is in the log once a minute, and no token of theirs', async (t) => {
  const clock = new VirtualClock()
  const { log, lines } = recordingLogger()
  const { ask } = await serve(t, { clock, log })
  const guess = 'A'.repeat(43)
  for (let i = 0; i < 40; i++) assert.equal((await ask(`${V1}/identity`, { token: guess })).status, 401)
  assert.equal((await ask(`${V1}/status`, { headers: { origin: 'https://evil.example' } })).status, 403)
  assert.equal((await ask('/nothing')).status, 404)
  await clock.advance(60_000)
  assert.equal((await ask(`${V1}/contacts`, { token: null })).status, 401)
  const told = lines.filter(({ fields }) => fields?.['security'] === true)
  assert.deepEqual(
    told.map(({ level, fields }) => [level, fields?.['times']]),
    [
      ['warn', 1],
      ['warn', 1],
      ['warn', 40],
    ],
  )
  assert.ok(!/AAAA|evil/.test(JSON.stringify(lines)))
})

test('AP-20 every refusal has one shape: problem+json with type, title, status, code and detail', async (t) => {
  const { ask, application } = await serve(t, { limits: { ...DEFAULT_API_LIMITS, lookupsPerMinute: 1 } })
  await ask(`${V1}/keys/${BOB}`)
  application.why = async () => {
    throw new IdentityChangedError('the keys of this account have changed')
  }
  application.peers = async () => {
    throw new TypeError('secret detail')
  }
  const refusals = [
    [429, 'rate', await ask(`${V1}/keys/${BOB}`)],
    [401, 'unauthorized', await ask(`${V1}/status`, { token: null })],
    [404, 'no-route', await ask(`${V1}/nothing`)],
    [404, 'not-found', await ask(`${V1}/messages/${hexId(99)}`)],
    [422, 'invalid', await ask(`${V1}/messages/xyz`)],
    [409, 'identity-changed', await ask(`${V1}/messages/${hexId(99)}/why`)],
    [500, 'internal', await ask(`${V1}/peers`)],
  ] as const
  for (const [status, code, answer] of refusals) {
    assert.equal(answer.status, status)
    assert.match(String(answer.headers['content-type']), /^application\/problem\+json/)
    const { type, title, detail } = answer.body
    assert.deepEqual([answer.body['status'], answer.body['code'], type], [status, code, `urn:sotto:problem:${code}`])
    assert.ok(typeof title === 'string' && typeof detail === 'string')
    assert.ok(!answer.text.includes('secret detail'))
  }
})

test('AP-26 red team: 404, 409, 413, 415, 422 and 400, without an echo', async (t) => {
  const { ask } = await serve(t)
  for (let i = 0; i < 20; i++) assert.equal((await ask(`${V1}/messages/${hexId(i)}`)).status, 404)
  assert.equal((await ask(`${V1}/identity`, { body: { passphrase: 'something else' } })).status, 409)
  const huge = Buffer.alloc(10 * MIB, 0x61)
  assert.equal((await ask(`${V1}/contacts`, { raw: huge })).status, 413)
  for (const type of [
    'text/plain',
    'application/xml',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded',
  ]) {
    const answer = await ask(`${V1}/messages`, { raw: '{}', headers: { 'content-type': type } })
    assert.equal(answer.status, 415, type)
  }
  for (const raw of ['{', '{"to":1}}', 'null x', '{"__proto__":{"admin":true}}', '\u0000']) {
    assert.equal((await ask(`${V1}/messages`, { raw })).status, 400, raw)
  }
  const canary = 'C4N4RY'
  const bodies = [
    {},
    [],
    'text',
    { to: canary, text: 'x' },
    { to: BOB, text: { $ne: canary } },
    { to: BOB, text: '' },
    { to: [BOB], text: 'x' },
    { to: BOB, text: 'x', [canary]: 1 },
    { to: `${BOB}' OR 1=1 --`, text: 'x' },
    { to: '../../etc/passwd', text: 'x' },
  ]
  for (const body of bodies) {
    const answer = await ask(`${V1}/messages`, { body })
    assert.equal(answer.status, 422, JSON.stringify(body))
    assert.ok(Array.isArray(answer.body['fields']))
    assert.ok(!answer.text.includes(canary) && !answer.text.includes('passwd'))
  }
  for (const path of ['/contacts/..%2f..%2fetc', '/contacts/%00', '/contacts/sotto1', `/contacts/${BOB}?x=1`]) {
    assert.equal((await ask(V1 + path)).status, 422, path)
  }
  for (const path of ['/contacts/%ff', `/contacts/${'a'.repeat(5_000)}`])
    assert.equal((await ask(V1 + path)).status, 400)
})

test('AP-26 every answer carries the security headers and no CORS header', async (t) => {
  const { ask } = await serve(t)
  for (const path of ['/healthz', `${V1}/status`, `${V1}/nothing`]) {
    const { headers } = await ask(path)
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['cache-control'], 'no-store')
    assert.match(String(headers['content-security-policy']), /default-src 'none'/)
    assert.deepEqual(
      Object.keys(headers).filter((name) => name.startsWith('access-control')),
      [],
    )
  }
})

test('DT-17 a text of 1 MiB passes, one byte more is 413', async (t) => {
  const { ask, application } = await serve(t)
  const send = async (text: string) => ask(`${V1}/messages`, { body: { to: BOB, text } })
  assert.equal((await send('x'.repeat(MIB))).status, 202)
  assert.equal((await send('\u0001'.repeat(MIB))).status, 202, 'six characters of JSON for each byte')
  assert.equal((await send('é'.repeat(MIB / 2))).status, 202)
  for (const text of ['x'.repeat(MIB + 1), '\u0001'.repeat(MIB + 1), 'é'.repeat(MIB / 2) + 'x']) {
    const refused = await send(text)
    assert.equal(refused.status, 413)
    assert.equal(refused.body['code'], 'limit')
  }
  assert.equal(application.messageList.length, 3)
})

test('a second server on one home is refused; the socket of a killed one is taken over', async (t) => {
  const { home, server } = await serve(t)
  const second = new ApiServer(optionsFor(home, fakeApplication()))
  await assert.rejects(second.start(), { name: 'ConflictError' })
  assert.equal((await readFile(join(home, 'api.json'), 'utf8')).includes(String(process.pid)), true)
  await server.stop()
  for (const name of ['api.json', 'api.sock']) await assert.rejects(stat(join(home, name)), { code: 'ENOENT' })
  // A socket file that nobody listens on: what kill -9 leaves.
  const left = createServer().listen(join(home, 'left.sock'))
  await new Promise((resolve) => left.once('listening', resolve))
  await rename(join(home, 'left.sock'), join(home, 'api.sock'))
  await new Promise((resolve) => left.close(resolve))
  const third = new ApiServer(optionsFor(home, fakeApplication()))
  await third.start()
  await third.stop()
  await writeFile(join(home, 'api.sock'), 'not a socket')
  await assert.rejects(new ApiServer(optionsFor(home, fakeApplication())).start(), { name: 'ConflictError' })
})

test('a busy port is a NetworkError and leaves nothing behind', async (t) => {
  const { port } = await serve(t)
  const home = await tempHome(t)
  const server = new ApiServer(optionsFor(home, fakeApplication(), { port }))
  await assert.rejects(server.start(), { name: 'NetworkError', message: /port \d+: the port is busy/ })
  await assert.rejects(stat(join(home, 'api.sock')), { code: 'ENOENT' })
})

test('a socket directory that others can enter, or that is a link, is refused', async (t) => {
  const home = await tempHome(t)
  const target = await tempHome(t)
  await symlink(target, join(home, 'away'))
  const server = new ApiServer(optionsFor(home, fakeApplication(), { socketPath: join(home, 'away', 'api.sock') }))
  await assert.rejects(server.start(), { name: 'StorageError' })
})
