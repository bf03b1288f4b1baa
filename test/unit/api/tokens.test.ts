/** Named tokens, their scopes, and the codes by which the page gets one. */
import assert from 'node:assert/strict'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { readToken, writePageOpen } from '../../../src/api/files.ts'
import { ROUTES } from '../../../src/api/routes.ts'
import { ApiServer } from '../../../src/api/server.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { DAY_MS } from '../../../src/lib/time.ts'
import { BOB, fakeApplication, hexId } from './fake-application.ts'
import type { Harness } from './harness.ts'
import { optionsFor, serve, tempHome } from './harness.ts'

const V1 = '/api/v1'

async function create({ ask }: Harness, name: string, scopes: readonly string[], days?: number) {
  const made = await ask(`${V1}/tokens`, { body: { name, scopes, ...(days === undefined ? {} : { days }) } })
  assert.equal(made.status, 201, made.text)
  return { id: String(made.body['id']), token: String(made.body['token']) }
}

test('AP-12 the token is 32 bytes in a 0600 file; a wrong one is 401', async (t) => {
  const { ask, token, home } = await serve(t)
  assert.equal(Buffer.from(token, 'base64url').length, 32)
  for (const name of ['api-token', 'api.json', 'api.sock']) {
    assert.equal((await stat(join(home, name))).mode & 0o777, 0o600, name)
  }
  const flipped = (token.startsWith('A') ? 'B' : 'A') + token.slice(1)
  for (const wrong of [flipped, token.slice(1), `${token}A`, 'A'.repeat(43)]) {
    assert.equal((await ask(`${V1}/status`, { token: wrong })).status, 401)
  }
  for (const authorization of ['', 'Bearer', `Basic ${token}`, `Bearer  ${token}`, `Bearer ${token} x`]) {
    assert.equal((await ask(`${V1}/status`, { token: null, headers: { authorization } })).status, 401, authorization)
  }
})

test('AP-12 rotation invalidates the old token at once and writes the new one', async (t) => {
  const harness = await serve(t)
  const { ask, token, home } = harness
  assert.equal((await ask(`${V1}/token/rotate`, { method: 'POST' })).status, 200)
  assert.equal((await ask(`${V1}/status`)).status, 401)
  const fresh = await readToken(home)
  assert.ok(fresh !== undefined && fresh !== token)
  assert.equal((await ask(`${V1}/status`, { token: fresh })).status, 200)
})

test('AP-12 the token survives a restart, a damaged one is replaced', async (t) => {
  const home = await tempHome(t)
  const start = async (): Promise<string | undefined> => {
    const server = new ApiServer(optionsFor(home, fakeApplication()))
    await server.start()
    await server.stop()
    return readToken(home)
  }
  const first = await start()
  assert.equal(await start(), first)
  await writeFile(join(home, 'api-token'), 'short\n')
  const second = await start()
  assert.ok(second !== undefined && second !== first)
})

test('AP-12 a named token is 32 random bytes, told once, kept as a hash in a 0600 file', async (t) => {
  const h = await serve(t)
  const { id, token } = await create(h, 'bot', ['read', 'send'])
  assert.equal(Buffer.from(token, 'base64url').length, 32)
  const file = join(h.home, 'tokens.json')
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.ok(!(await readFile(file, 'utf8')).includes(token))
  const listed = await h.ask(`${V1}/tokens`)
  const [view] = listed.body['items'] as Record<string, unknown>[]
  assert.deepEqual([view?.['id'], view?.['name'], view?.['scope'], view?.['expiresAt']], [id, 'bot', 'send', null])
  assert.ok(!listed.text.includes(token))
  assert.equal((await h.ask(`${V1}/tokens`, { body: { name: 'bot', scopes: ['read'] } })).status, 409)
  for (const body of [
    { name: 'x', scopes: [] },
    { name: '', scopes: ['read'] },
    { name: 'x', scopes: ['root'] },
    { name: 'a\nb', scopes: ['read'] },
    { name: 'x', scopes: ['read'], days: 0 },
  ])
    assert.equal((await h.ask(`${V1}/tokens`, { body })).status, 422, JSON.stringify(body))
})

test('AP-11 AP-12 a token is good for its scope and what lies below it, on every route; more is 403 forbidden-scope', async (t) => {
  const h = await serve(t)
  const rank = { read: 0, send: 1, admin: 2 }
  for (const scope of ['read', 'send', 'admin'] as const) {
    const { token } = await create(h, `a ${scope} bot`, [scope])
    for (const { method, path, scope: needed, open } of ROUTES) {
      if (open || path === '/events/stream' || path === '/token/rotate') continue
      const id = path.startsWith('/messages') ? hexId(77) : path.startsWith('/tokens') ? 'f'.repeat(16) : BOB
      const url = V1 + path.replace(':accountId', 'x').replace(':id', id).replace(':name', 'x')
      const answer = await h.ask(`${url}?surprise=1`, { method, token })
      const refused = answer.body['code'] === 'forbidden-scope'
      assert.equal(refused, rank[needed] > rank[scope], `${scope}: ${method} ${path} ${answer.text}`)
      if (refused) assert.equal(answer.status, 403)
    }
  }
})

test('AP-12 what a bot may do: read with `read`, talk with `send`, decide with `admin` only', async (t) => {
  const h = await serve(t)
  const { token: read } = await create(h, 'reader', ['read'])
  const { token: send } = await create(h, 'talker', ['send'])
  const say = { body: { to: BOB, text: 'hi' } }
  assert.equal((await h.ask(`${V1}/contacts`, { token: read })).status, 200)
  assert.equal((await h.ask(`${V1}/messages`, { ...say, token: read })).status, 403)
  assert.equal((await h.ask(`${V1}/messages`, { ...say, token: send })).status, 202)
  assert.equal((await h.ask(`${V1}/contacts`, { token: send })).status, 200)
  for (const path of ['/tokens', '/identity/lock', '/page-codes', '/token/rotate'])
    assert.equal((await h.ask(V1 + path, { method: 'POST', token: send })).status, 403, path)
  assert.equal((await h.ask(`${V1}/tokens`, { token: send })).status, 403, 'who has tokens is the owner’s to know')
  assert.equal((await h.ask('/metrics', { token: read })).status, 200)
})

test('AP-12 a token is revoked, runs out, and survives a restart; nobody needs to be told which', async (t) => {
  const clock = new VirtualClock()
  const other = await serve(t, { clock })
  const gone = await create(other, 'gone', ['read'])
  const brief = await create(other, 'brief', ['read'], 2)
  const works = async (token: string): Promise<number> => (await other.ask(`${V1}/status`, { token })).status
  assert.deepEqual([await works(gone.token), await works(brief.token)], [200, 200])
  assert.equal((await other.ask(`${V1}/tokens/${gone.id}`, { method: 'DELETE' })).status, 204)
  assert.equal((await other.ask(`${V1}/tokens/${gone.id}`, { method: 'DELETE' })).status, 404)
  assert.deepEqual([await works(gone.token), await works(brief.token)], [401, 200])
  await other.server.stop()
  await other.server.start()
  assert.equal((await other.ask(`${V1}/status`, { token: brief.token, overSocket: true })).status, 200)
  assert.equal((await other.ask(`${V1}/status`, { token: gone.token, overSocket: true })).status, 401)
  await clock.advance(2 * DAY_MS + 1)
  assert.equal((await other.ask(`${V1}/status`, { token: brief.token, overSocket: true })).status, 401)
  assert.deepEqual((await other.ask(`${V1}/tokens`, { overSocket: true })).body['items'], [])
})

test('AP-12 revoking and rotating close the token’s own event streams with 4401, and no others', async (t) => {
  const h = await serve(t)
  const bot = await create(h, 'bot', ['read'])
  const open = async (token: string): Promise<WebSocket> => {
    const socket = new WebSocket(`ws://127.0.0.1:${h.port}${V1}/events`, {
      headers: { authorization: `Bearer ${token}` },
    })
    await new Promise((resolve) => socket.once('message', resolve))
    return socket
  }
  const closed = async (socket: WebSocket): Promise<number> =>
    new Promise((resolve) =>
      socket.once('close', (code) => {
        resolve(code)
      }),
    )
  const [mine, theirs] = [await open(h.token), await open(bot.token)]
  const end = closed(theirs)
  assert.equal((await h.ask(`${V1}/tokens/${bot.id}`, { method: 'DELETE' })).status, 204)
  assert.equal(await end, 4401)
  assert.equal(mine.readyState, WebSocket.OPEN)
  const own = closed(mine)
  assert.equal((await h.ask(`${V1}/token/rotate`, { method: 'POST' })).status, 200)
  assert.equal(await own, 4401)
})

test('AP-12 at most 64 tokens; a damaged file of tokens is no empty one', async (t) => {
  const h = await serve(t)
  for (let i = 0; i < 64; i++) await create(h, `bot ${i}`, ['read'])
  const more = await h.ask(`${V1}/tokens`, { body: { name: 'one more', scopes: ['read'] } })
  assert.deepEqual([more.status, more.body['code']], [413, 'limit'])
  await h.server.stop()
  await writeFile(join(h.home, 'tokens.json'), '{"version":1,"tokens":[{}]}')
  await assert.rejects(h.server.start(), { name: 'StorageError', message: /tokens\.json/ })
})

const traded = async ({ ask }: Harness): Promise<{ code: string; token: string }> => {
  const code = String((await ask(`${V1}/page-codes`, { method: 'POST' })).body['code'])
  const session = await ask(`${V1}/page-session`, { method: 'POST', token: code })
  return { code, token: String(session.body['token']) }
}

test('AP-35 a page code is good once, for a minute; its token is in no file and ends with the daemon', async (t) => {
  const clock = new VirtualClock()
  const h = await serve(t, { clock })
  const { ask, port } = h
  const codeOf = async (): Promise<string> => {
    const made = await ask(`${V1}/page-codes`, { method: 'POST' })
    assert.equal(made.status, 201)
    const code = String(made.body['code'])
    assert.equal(made.body['url'], `http://127.0.0.1:${port}/#code=${code}`)
    return code
  }
  const trade = async (code: string) => ask(`${V1}/page-session`, { method: 'POST', token: code })
  const code = await codeOf()
  assert.equal((await ask(`${V1}/status`, { token: code })).status, 401, 'a code is no token')
  const session = await trade(code)
  assert.deepEqual([session.status, session.body['expiresAt']], [201, null])
  const token = String(session.body['token'])
  const late = await codeOf()
  await clock.advance(60_000)
  assert.equal((await trade(late)).status, 401, 'a minute')
  for (const nothing of ['A'.repeat(43), null]) {
    const how = nothing === null ? { method: 'POST', token: null } : { method: 'POST', token: nothing }
    assert.equal((await ask(`${V1}/page-session`, how)).status, 401)
  }
  await clock.advance(100 * DAY_MS)
  assert.equal((await ask(`${V1}/status`, { token })).status, 200)
  await create(h, 'bot', ['read'])
  const id = String((await ask(`${V1}/tokens`)).text.match(/"id":"([0-9a-f]{16})","name":"page"/)?.[1])
  assert.ok(!(await readFile(join(h.home, 'tokens.json'), 'utf8')).includes(id), 'nowhere on the disk')
  await h.server.stop()
  await h.server.start()
  assert.equal((await ask(`${V1}/status`, { token, overSocket: true })).status, 401)
})

test('AP-35 AP-12 a code that comes a second time ends the session that it made, with a line in the log', async (t) => {
  const clock = new VirtualClock()
  const lines: string[] = []
  const log = { ...silentLogger, warn: (line: string) => void lines.push(line) }
  const h = await serve(t, { clock, log })
  const [mine, other] = [await traded(h), await traded(h)]
  const again = await h.ask(`${V1}/page-session`, { method: 'POST', token: mine.code })
  assert.equal(again.status, 401)
  assert.equal((await h.ask(`${V1}/status`, { token: mine.token })).status, 401, 'one of the two was a stranger')
  assert.equal((await h.ask(`${V1}/status`, { token: other.token })).status, 200)
  assert.ok(lines.some((line) => line.includes('used twice')))
  await clock.advance(60_000)
  await h.ask(`${V1}/page-session`, { method: 'POST', token: other.code })
  assert.equal((await h.ask(`${V1}/status`, { token: other.token })).status, 200, 'remembered for a minute')
})

test('AP-35 AP-12 the file for the browser is gone once the code was used, after a minute, and with the daemon', async (t) => {
  const clock = new VirtualClock()
  const h = await serve(t, { clock })
  const file = join(h.home, 'page-open.html')
  const there = async (): Promise<boolean> => (await stat(file).catch(() => undefined)) !== undefined
  const gone = async (): Promise<void> => {
    for (let step = 0; step < 100 && (await there()); step++) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.equal(await there(), false)
  }
  const open = async (): Promise<string> => {
    const { code, url } = (await h.ask(`${V1}/page-codes`, { method: 'POST' })).body
    assert.equal(await writePageOpen(h.home, String(url)), file)
    assert.ok((await readFile(file, 'utf8')).includes(String(code)))
    return String(code)
  }
  await h.ask(`${V1}/page-session`, { method: 'POST', token: await open() })
  await gone()
  await open()
  await clock.advance(60_000)
  await gone()
  await open()
  await h.server.stop()
  assert.equal(await there(), false)
  await writePageOpen(h.home, 'http://127.0.0.1:1/#code=x')
  await h.server.start()
  assert.equal(await there(), false, 'what a killed daemon left')
})

test('AP-12 a revocation that cannot be written holds, and is written later: by asking again, or by itself', async (t) => {
  const clock = new VirtualClock()
  const h = await serve(t, { clock })
  const file = join(h.home, 'tokens.json')
  const [one, two] = [await create(h, 'one', ['read']), await create(h, 'two', ['read'])]
  const block = async (): Promise<void> => {
    await rm(file)
    await mkdir(join(file, 'x'), { recursive: true })
  }
  const revoke = async ({ id }: { id: string }) => (await h.ask(`${V1}/tokens/${id}`, { method: 'DELETE' })).status
  await block()
  assert.equal(await revoke(one), 507)
  assert.equal((await h.ask(`${V1}/status`, { token: one.token })).status, 401)
  await rm(file, { recursive: true })
  assert.equal(await revoke(one), 204, 'the same once more')
  assert.ok(!(await readFile(file, 'utf8')).includes(one.id))
  assert.equal(await revoke(one), 404, 'now it is done')
  await block()
  assert.equal(await revoke(two), 507)
  assert.equal((await h.ask(`${V1}/tokens`, { body: { name: 'three', scopes: ['read'] } })).status, 507)
  await rm(file, { recursive: true })
  assert.deepEqual((await h.ask(`${V1}/tokens`)).body['items'], [], 'nor is there one that nobody was told')
  await clock.advance(300_000)
  for (let step = 0; step < 100; step++) {
    if ((await stat(file).catch(() => undefined)) !== undefined) break
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  assert.ok(!(await readFile(file, 'utf8')).includes(two.id))
})

test('AP-12 rotating ends the page’s tokens too, and says which other admin tokens remain', async (t) => {
  const h = await serve(t)
  const { token } = await traded(h)
  const deputy = await create(h, 'deputy', ['admin'])
  await create(h, 'reader', ['read'])
  const rotated = await h.ask(`${V1}/token/rotate`, { method: 'POST' })
  const remaining = rotated.body['remaining'] as Record<string, unknown>[]
  assert.deepEqual([rotated.status, remaining.map(({ id }) => id)], [200, [deputy.id]])
  assert.equal((await h.ask(`${V1}/status`, { token })).status, 401)
  assert.equal((await h.ask(`${V1}/status`, { token: deputy.token })).status, 200)
})

test('AP-35 browsers that were forgotten make room: at most eight pages, the longest unused one goes', async (t) => {
  const clock = new VirtualClock()
  const { ask } = await serve(t, { clock })
  const tokens: string[] = []
  for (let i = 0; i < 9; i++) {
    const made = await ask(`${V1}/page-codes`, { method: 'POST' })
    const session = await ask(`${V1}/page-session`, { method: 'POST', token: String(made.body['code']) })
    tokens.push(String(session.body['token']))
    await clock.advance(60_000)
  }
  const states = await Promise.all(tokens.map(async (token) => (await ask(`${V1}/status`, { token })).status))
  assert.deepEqual(states, [401, ...Array.from({ length: 8 }, () => 200)])
  assert.equal((await ask(`${V1}/tokens`, { body: { name: 'page', scopes: ['read'] } })).status, 409)
})
