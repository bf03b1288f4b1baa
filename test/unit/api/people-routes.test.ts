/** Profile, settings and typing over the API: shapes, bounds, and what a token must be good for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { ROUTES } from '../../../src/api/routes.ts'
import { showsUser } from '../../../src/api/use.ts'
import { BOB } from './fake-application.ts'
import type { Answer, Ask } from './harness.ts'
import { serve } from './harness.ts'

/** A server, asked below the API's prefix. */
async function served(t: TestContext) {
  const { ask, application } = await serve(t)
  return { application, ask: async (path: string, how?: Ask): Promise<Answer> => ask(`/api/v1${path}`, how) }
}

const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(24 * 1_024 - 8)])

test('PR-08 the profile goes through the API with a picture of 24 KiB; what is too long is refused', async (t) => {
  const { ask } = await served(t)
  const avatar = { type: 'image/png', data: png.toString('base64') }
  const changed = await ask('/profile', { method: 'PATCH', body: { name: 'Alice', bio: 'hi', avatar } })
  assert.equal(changed.status, 200, changed.text.slice(0, 200))
  assert.deepEqual((await ask('/profile')).body['avatar'], avatar)
  assert.equal((await ask('/profile', { method: 'PATCH', body: { avatar: null } })).body['avatar'], null)
  const wrong = [
    { bio: 'b'.repeat(513) },
    { name: 'n'.repeat(65) },
    { avatar: { type: 'image/svg+xml', data: 'AAAA' } },
    { avatar: { type: 'image/png', data: '<svg>' } },
    { avatar: { type: 'image/png', data: 'A'.repeat(32_772) } },
    { nickname: 'x' },
  ]
  for (const body of wrong)
    assert.equal((await ask('/profile', { method: 'PATCH', body })).status, 422, JSON.stringify(body).slice(0, 80))
  assert.equal((await ask(`/contacts/${BOB}/profile`)).status, 200)
})

test('PR-05 settings are read and changed; numbers have bounds', async (t) => {
  const { ask } = await served(t)
  const change = { readReceipts: false, retentionDays: 30, autoLockMinutes: null }
  assert.equal((await ask('/settings', { method: 'PATCH', body: change })).status, 200)
  const { body } = await ask('/settings')
  assert.deepEqual([body['readReceipts'], body['retentionDays']], [false, 30])
  const wrong = [
    { retentionDays: 0 },
    { autoLockMinutes: 0.5 },
    { defaultTimerSeconds: 4 },
    { typing: 'yes' },
    { all: 1 },
  ]
  for (const bad of wrong) assert.equal((await ask('/settings', { method: 'PATCH', body: bad })).status, 422)
})

test('PR-04 typing is told with 204 and nothing else', async (t) => {
  const { ask, application } = await served(t)
  const path = `/conversations/${BOB}/typing`
  for (const typing of [true, false]) {
    const answer = await ask(path, { method: 'POST', body: { typing } })
    assert.deepEqual([answer.status, answer.text], [204, ''])
  }
  assert.deepEqual(application.typed, [
    { accountId: BOB, typing: true },
    { accountId: BOB, typing: false },
  ])
  assert.equal((await ask(path, { method: 'POST', body: {} })).status, 422)
})

test('what weakens privacy takes a token for everything; typing one that may send', () => {
  const scope = (method: string, path: string) =>
    ROUTES.find((route) => route.method === method && route.path === path)?.scope
  assert.equal(scope('PATCH', '/settings'), 'admin')
  assert.equal(scope('PATCH', '/profile'), 'admin')
  assert.equal(scope('POST', '/conversations/:id/typing'), 'send')
  assert.equal(scope('GET', '/settings'), 'read')
  assert.equal(scope('GET', '/contacts/:id/profile'), 'read')
})

test('SE-05 auto-lock: what the owner changes counts, and POST /use; reading does not, nor do other programs', async (t) => {
  const { ask, application } = await served(t)
  let used = 0
  let looked = 0
  application.noteUse = () => void used++
  application.lockIfDue = () => void looked++
  for (const path of ['/status', '/events?wait=0', '/net', '/contacts', '/conversations', '/settings']) await ask(path)
  await ask('/contacts', { token: 'wrong' })
  const bot = await ask('/tokens', { body: { name: 'bot', scopes: ['send'] } })
  assert.deepEqual(
    [used, looked],
    [1, 6],
    'who made the token was the owner; each reading looks whether the time is over',
  )
  const token = String(bot.body['token'])
  const say = { body: { to: BOB, text: 'hi' } }
  assert.equal((await ask('/messages', { ...say, token })).status, 202)
  assert.equal((await ask(`/conversations/${BOB}/read`, { method: 'POST' })).status, 200)
  assert.equal((await ask('/events/consumers/x', { method: 'PUT' })).status, 200)
  assert.equal(used, 1, 'neither a bot, nor what the page does when something comes')
  await ask('/messages', say)
  assert.equal(used, 2)
  assert.equal((await ask('/use', { method: 'POST' })).status, 204)
  assert.equal((await ask('/use', { method: 'POST', token })).status, 204)
  assert.equal(used, 4)
  assert.ok(ROUTES.filter(({ method }) => method === 'GET').every((route) => !showsUser(route, { scope: 'admin' })))
})
