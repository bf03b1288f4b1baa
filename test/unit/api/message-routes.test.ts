/** Messages and conversations over the API: shapes, bounds, and what a token must be good for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { ROUTES } from '../../../src/api/routes.ts'
import { BOB, fakeApplication, hexId, messageView } from './fake-application.ts'
import type { Answer, Ask } from './harness.ts'
import { serve } from './harness.ts'

const ID = hexId(1)

/** A server with one message of the user's, asked below the API's prefix. */
async function served(t: TestContext) {
  const fake = fakeApplication()
  fake.messageList.push(messageView(ID, BOB))
  const { ask, application } = await serve(t, {}, fake)
  return { application, ask: async (path: string, how?: Ask): Promise<Answer> => ask(`/api/v1${path}`, how) }
}

test('PR-13 PR-18 what is done to a message is checked: one text, one emoji, flags, whose copy', async (t) => {
  const { ask } = await served(t)
  const wrong: readonly (readonly ['PUT' | 'PATCH' | 'POST', string, unknown])[] = [
    ['PUT', `/messages/${ID}/text`, { text: '' }],
    ['PUT', `/messages/${ID}/text`, {}],
    ['PUT', `/messages/${ID}/reaction`, { emoji: '' }],
    ['PUT', `/messages/${ID}/reaction`, { emoji: 'x'.repeat(33) }],
    ['PUT', `/messages/${ID}/reaction`, {}],
    ['PATCH', `/messages/${ID}`, { starred: 'yes' }],
    ['PATCH', `/messages/${ID}`, { text: 'x' }],
    ['POST', `/messages/${ID}/delete`, {}],
    ['POST', `/messages/${ID}/delete`, { for: 'all' }],
  ]
  for (const [method, path, body] of wrong) {
    assert.equal((await ask(path, { method, body })).status, 422, `${path} ${JSON.stringify(body)}`)
  }
  assert.equal((await ask(`/messages/${ID}/reaction`, { method: 'PUT', body: { emoji: null } })).status, 200)
  const large = await ask(`/messages/${ID}/text`, { method: 'PUT', body: { text: 'é'.repeat(600_000) } })
  assert.ok([413, 429].includes(large.status), String(large.status))
})

test('PR-12 PR-15 a conversation’s choices have bounds', async (t) => {
  const { ask } = await served(t)
  const path = `/conversations/${BOB}`
  const right = [
    { timerSeconds: 5 },
    { timerSeconds: 2_419_200 },
    { timerSeconds: null },
    { draft: 'd'.repeat(65_536) },
  ]
  for (const body of right) assert.equal((await ask(path, { method: 'PATCH', body })).status, 200)
  const wrong = [
    { timerSeconds: 4 },
    { timerSeconds: 2_419_201 },
    { timerSeconds: 0.5 },
    { draft: 'd'.repeat(65_537) },
    { name: 'x' },
  ]
  for (const body of wrong) assert.equal((await ask(path, { method: 'PATCH', body })).status, 422)
})

test('PR-18 LS-02 search and stars come in pages', async (t) => {
  const { ask, application } = await served(t)
  for (let i = 2; i <= 9; i++)
    application.messageList.push(messageView(hexId(i), BOB, { text: 'hello', starred: true }))
  for (const path of ['/search?q=hello', '/starred?']) {
    const found: unknown[] = []
    for (let cursor = ''; ;) {
      const { status, body } = await ask(`${path}&limit=3${cursor}`)
      assert.equal(status, 200)
      found.push(...(body['items'] as unknown[]))
      if (typeof body['next'] !== 'string') break
      cursor = `&cursor=${body['next']}`
    }
    assert.ok(found.length >= 8, path)
  }
  for (const query of ['', '?q=', `?q=${'x'.repeat(257)}`, '?q=x&limit=0', '?q=x&limit=201', '?q=x&contact=bob']) {
    assert.equal((await ask(`/search${query}`)).status, 422, query)
  }
})

test('AP-12 what a token for sending may do with messages; clearing a conversation needs admin', () => {
  const scopes = new Map(ROUTES.map(({ method, path, scope }) => [`${method} ${path}`, scope]))
  const sending = [
    'POST /messages',
    'PUT /messages/:id/text',
    'PUT /messages/:id/reaction',
    'PATCH /messages/:id',
    'POST /messages/:id/delete',
    'DELETE /messages/:id',
    'PATCH /conversations/:id',
    'POST /conversations/:id/read',
  ]
  for (const name of sending) assert.equal(scopes.get(name), 'send', name)
  assert.equal(scopes.get('DELETE /conversations/:id/messages'), 'admin')
  for (const name of ['GET /search', 'GET /starred', 'GET /conversations/:id']) assert.equal(scopes.get(name), 'read')
})
