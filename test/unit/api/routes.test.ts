/** Every route of the local API: what a good request gets, and what a bad one. A new route without an entry here fails. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROUTES } from '../../../src/api/routes.ts'
import { ALICE, BOB, CAROL, accountOf, fakeApplication, hexId, messageView } from './fake-application.ts'
import { serve } from './harness.ts'

const V1 = '/api/v1'
const DAVE = accountOf('d')
const NOBODY = accountOf('z')

interface Good {
  readonly path: string
  readonly status: number
  readonly body?: unknown
  /** A field that the answer has. */
  readonly field?: string
}
const good = (path: string, status: number, field?: string, body?: unknown): Good => ({
  path,
  status,
  ...(field === undefined ? {} : { field }),
  ...(body === undefined ? {} : { body }),
})

/** By method and path: one good request for each, in an order in which they can be asked one after another. */
const GOOD: Readonly<Record<string, Good>> = {
  'GET /status': good('/status', 200, 'state'),
  'GET /identity': good('/identity', 200, 'accountId'),
  'GET /prekeys': good('/prekeys', 200, 'slices'),
  'GET /mailbox': good('/mailbox', 200, 'waiting'),
  'GET /invite': good('/invite?token=true', 200, 'link'),
  'GET /keys/:accountId': good(`/keys/${BOB}`, 200, 'devices'),
  'GET /net': good('/net', 200, 'reachability'),
  'GET /peers': good('/peers', 200, 'items'),
  'GET /zone': good('/zone', 200, 'holders'),
  'GET /openapi.json': good('/openapi.json', 200, 'paths'),
  'GET /profile': good('/profile', 200, 'bio'),
  'PATCH /profile': good('/profile', 200, 'name', { name: 'Alice' }),
  'GET /settings': good('/settings', 200, 'typing'),
  'PATCH /settings': good('/settings', 200, 'typing', { typing: false }),
  'POST /sessions': good('/sessions', 200, 'devices', { to: BOB }),
  'GET /contacts': good('/contacts', 200, 'items'),
  'POST /contacts': good('/contacts', 201, 'state', { target: DAVE, name: 'Dave' }),
  'GET /contacts/:id': good(`/contacts/${BOB}`, 200, 'name'),
  'PATCH /contacts/:id': good(`/contacts/${BOB}`, 200, 'name', { name: 'Robert' }),
  'POST /contacts/:id/accept': good(`/contacts/${BOB}/accept`, 200, 'state'),
  'POST /contacts/:id/block': good(`/contacts/${CAROL}/block`, 200, 'state'),
  'POST /contacts/:id/unblock': good(`/contacts/${CAROL}/unblock`, 200, 'state'),
  'GET /contacts/:id/safety-number': good(`/contacts/${BOB}/safety-number`, 200, 'digits'),
  'GET /contacts/:id/profile': good(`/contacts/${BOB}/profile`, 200, 'name'),
  'POST /contacts/:id/verify': good(`/contacts/${BOB}/verify`, 200, 'verified', { verified: true }),
  'GET /conversations': good('/conversations', 200, 'items'),
  'GET /conversations/:id/messages': good(`/conversations/${BOB}/messages?limit=5`, 200, 'items'),
  'POST /conversations/:id/read': good(`/conversations/${BOB}/read`, 200, 'marked'),
  'GET /conversations/:id': good(`/conversations/${BOB}`, 200, 'draft'),
  'PATCH /conversations/:id': good(`/conversations/${BOB}`, 200, 'muted', { muted: true }),
  'POST /conversations/:id/typing': good(`/conversations/${BOB}/typing`, 204, undefined, { typing: true }),
  'GET /starred': good('/starred?limit=5', 200, 'items'),
  'GET /search': good('/search?q=hello', 200, 'items'),
  'POST /messages': good('/messages', 202, 'id', { to: BOB, text: 'hello' }),
  'GET /messages/:id': good(`/messages/${hexId(1)}`, 200, 'text'),
  'GET /messages/:id/why': good(`/messages/${hexId(1)}/why`, 200, 'summary'),
  'PUT /messages/:id/text': good(`/messages/${hexId(1)}/text`, 200, 'editedAt', { text: 'better' }),
  'PUT /messages/:id/reaction': good(`/messages/${hexId(1)}/reaction`, 200, 'reactions', { emoji: '👍' }),
  'PATCH /messages/:id': good(`/messages/${hexId(1)}`, 200, 'starred', { starred: true }),
  'POST /messages/:id/delete': good(`/messages/${hexId(1)}/delete`, 204, undefined, { for: 'me' }),
  'DELETE /messages/:id': good(`/messages/${hexId(1)}`, 200, 'status'),
  'GET /events': good('/events?since=0', 200, 'events'),
  'PUT /events/consumers/:name': good('/events/consumers/bot', 200, 'acknowledged'),
  'GET /events/consumers': good('/events/consumers', 200, 'items'),
  'GET /events/consumers/:name': good('/events/consumers/bot', 200, 'acknowledged'),
  'POST /events/consumers/:name/ack': good('/events/consumers/bot/ack', 200, 'acknowledged', { number: 0 }),
  'DELETE /events/consumers/:name': good('/events/consumers/bot', 204),
  'DELETE /conversations/:id/messages': good(`/conversations/${BOB}/messages`, 204),
  'DELETE /contacts/:id': good(`/contacts/${CAROL}`, 204),
  'POST /identity/publish': good('/identity/publish', 200, 'receipts'),
  'POST /prekeys/rotate': good('/prekeys/rotate', 200, 'slices'),
  'PUT /identity/passphrase': good('/identity/passphrase', 204, undefined, {
    passphrase: 'correct horse',
    newPassphrase: 'battery staple',
  }),
  'POST /identity/rotate': good('/identity/rotate', 201, 'phrase', { passphrase: 'battery staple' }),
  'POST /identity/unlock': good('/identity/unlock', 200, 'accountId', { passphrase: 'battery staple' }),
  'POST /identity/lock': good('/identity/lock', 204),
  'POST /identity': good('/identity', 201, 'phrase', { passphrase: 'correct horse' }),
  'GET /tokens': good('/tokens', 200, 'items'),
  'POST /tokens': good('/tokens', 201, 'token', { name: 'bot', scopes: ['read'] }),
  'POST /page-codes': good('/page-codes', 201, 'url'),
  'POST /use': good('/use', 204),
  'POST /token/rotate': good('/token/rotate', 200, 'remaining'),
}
/** Those that speak no JSON, or need what another answered: each has a test of its own. */
const OTHERS = [
  'DELETE /tokens/:id', // tokens.test.ts
  'GET /events/stream', // event-delivery.test.ts
  'POST /backup', // transports.test.ts
  'POST /backup/restore',
  'POST /page-session', // tokens.test.ts
]
const nameOf = ({ method, path }: { readonly method: string; readonly path: string }): string => `${method} ${path}`

function application() {
  const fake = fakeApplication()
  fake.messageList.push(messageView(hexId(1), BOB))
  return fake
}

test('TE-04 every route answers a good request as it says', async (t) => {
  const { ask, application: fake } = await serve(t, {}, application())
  assert.deepEqual(ROUTES.map(nameOf).sort(), [...Object.keys(GOOD), ...OTHERS].sort())
  for (const [name, { path, status, body, field }] of Object.entries(GOOD)) {
    const [method = ''] = name.split(' ')
    if (name === 'POST /identity') fake.state = 'empty'
    const answer = await ask(V1 + path, { method, ...(body === undefined ? {} : { body }) })
    assert.equal(answer.status, status, `${name}: ${answer.text}`)
    if (field === undefined) assert.equal(answer.text, '', name)
    else assert.ok(field in answer.body, `${name} has ${field}`)
  }
})

test('TE-04 every route refuses a field or a query that it does not know, naming no value', async (t) => {
  const { ask, application: fake } = await serve(t, {}, application())
  for (const [name, { path }] of Object.entries(GOOD)) {
    const [method = ''] = name.split(' ')
    const bodiless = method === 'GET' || method === 'DELETE'
    const how = bodiless ? { method } : { method, body: { surprise: 'C4N4RY' } }
    const query = `${path.includes('?') ? '&' : '?'}surprise=C4N4RY`
    const answer = await ask(V1 + path + (bodiless ? query : ''), how)
    assert.equal(answer.status, 422, `${name}: ${answer.text}`)
    assert.ok(!answer.text.includes('C4N4RY'), name)
  }
  assert.equal(fake.state, 'ready')
})

test('TE-04 every route with a name in its path says 404 for one that nobody has, and 422 for none at all', async (t) => {
  const { ask } = await serve(t, {}, application())
  const named = Object.entries(GOOD).filter(([, { path }]) => /[^/]{20,}/.test(path.split('?')[0] ?? ''))
  for (const [name, { path, body }] of named) {
    const [method = ''] = name.split(' ')
    const how = { method, ...(body === undefined ? {} : { body }) }
    const wrong = await ask(V1 + path.replace(/[^/]{20,}/, 'x'), how)
    assert.equal(wrong.status, 422, `${name}: ${wrong.text}`)
    // A conversation with nobody is an empty one; whether an account exists only the network knows.
    if (/conversations|keys/.test(name)) continue
    const id = path.startsWith('/messages') ? hexId(99) : NOBODY
    assert.equal((await ask(V1 + path.replace(/[^/]{20,}/, id), how)).status, 404, name)
  }
})

test('PK-17 what the API gives of keys is counts, dates and sizes: no private key goes in or out', async (t) => {
  const { ask } = await serve(t, {}, application())
  for (const path of ['/prekeys', `/keys/${BOB}`, '/identity', '/mailbox']) {
    const names = fieldsOf((await ask(V1 + path)).body)
    const secret = names.filter((name) => /private|secret|seed|signature|mnemonic/i.test(name))
    assert.deepEqual(secret, [], path)
  }
  const foreign = { target: ALICE, identityKey: [97, 110, 45], signedPrekey: 'AAAA' }
  assert.equal((await ask(`${V1}/contacts`, { body: foreign })).status, 422)
})

function fieldsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [name, ...fieldsOf(inner)])
}
