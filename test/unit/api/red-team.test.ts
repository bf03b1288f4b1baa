/** The list of AP-26 and what else an attacker tries first, over the real server and real sockets. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { HTTP_LIMITS } from '../../../src/api/http-limits.ts'
import { REQUEST_PROBLEMS } from '../../../src/api/problems.ts'
import { ERRORS } from '../../../src/api/errors.ts'
import { ROUTES } from '../../../src/api/routes.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { ALICE, BOB, CAROL, accountOf, hexId } from './fake-application.ts'
import type { Harness } from './harness.ts'
import { serve } from './harness.ts'

const V1 = '/api/v1'
const MIB = 1_048_576
const CANARY = 'C4N4RY'

/** Bytes as they are; everything that comes back until the line is cut, or `quietMs` pass. */
async function raw(h: Harness, text: string, quietMs = 400): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(h.port, '127.0.0.1', () => socket.write(text))
    socket.setEncoding('latin1')
    socket.setTimeout(quietMs, () => socket.destroy())
    socket.on('data', (chunk: string) => (answer += chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      resolve(answer)
    })
  })
}
const statusesOf = (answer: string): number[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]))
const head = (h: Harness, line: string, more = ''): string =>
  `${line} HTTP/1.1\r\nHost: 127.0.0.1:${h.port}\r\nAuthorization: Bearer ${h.token}\r\n${more}`

test('AP-26 enumeration: what is not there and what one may not see look alike, and nothing lists what exists', async (t) => {
  const h = await serve(t)
  for (let i = 0; i < 50; i++) {
    const answer = await h.ask(`${V1}/messages/${randomBytes(16).toString('hex')}`)
    assert.deepEqual([answer.status, answer.body['detail']], [404, 'no such message'])
  }
  const texts = new Set<string>()
  for (const path of ['/contacts', '/admin', '/api/v1', '/api/v2/contacts', '/.git/config', '/.env', '/wp-login.php']) {
    const answer = await h.ask(path, { token: null })
    assert.equal(answer.status, 401, path)
    texts.add(answer.text)
  }
  assert.equal(texts.size, 1, 'a route that exists and one that does not')
})

test('AP-26 a burst of 70 is 30 answers and 40 refusals with Retry-After', async (t) => {
  const h = await serve(t, { clock: new VirtualClock() })
  const answers = await Promise.all(Array.from({ length: 70 }, async () => h.ask(`${V1}/keys/${BOB}`)))
  const refused = answers.filter(({ status }) => status === 429)
  assert.equal(refused.length, 40)
  assert.ok(refused.every(({ headers }) => Number(headers['retry-after']) > 0))
})

test('AP-26 10 MB are 413 on every route that takes a body, told by length or not, and are not read to the end', async (t) => {
  const h = await serve(t)
  const takers = ROUTES.filter(({ method, upload, open }) => method !== 'GET' && upload === undefined && !open)
  for (const { method, path } of takers) {
    const url = V1 + path.replace(':id', BOB).replace(':name', 'x').replace(':accountId', BOB)
    const answer = await raw(
      h,
      head(h, `${method} ${url}`, `Content-Type: application/json\r\nContent-Length: ${10 * MIB}\r\n\r\n{`),
    )
    assert.deepEqual(statusesOf(answer), [413], `${method} ${path}`)
  }
  const chunk = `${(70_000).toString(16)}\r\n${'a'.repeat(70_000)}\r\n`
  const chunked = await raw(
    h,
    head(h, `POST ${V1}/contacts`, `Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`),
  )
  assert.deepEqual(statusesOf(chunked), [413])
})

test('AP-26 injection: what no schema allows is 422, echoed nowhere, and reaches nothing', async (t) => {
  const h = await serve(t)
  const evil = [
    `${CANARY}' OR '1'='1`,
    `${CANARY}"; DROP TABLE messages; --`,
    `<script>${CANARY}</script>`,
    '${7*7}{{7*7}}' + CANARY,
    `../../../../etc/passwd#${CANARY}`,
    `${CANARY}\r\nSet-Cookie: a=b`,
    `$(touch ${CANARY})`,
    `${BOB}\u0000${CANARY}`,
    `${BOB}\u202e${CANARY}`,
    ALICE.toUpperCase() + CANARY,
  ]
  for (const text of evil) {
    for (const [path, body] of [
      ['/messages', { to: text, text: 'x' }],
      ['/contacts', { target: text }],
      ['/sessions', { to: text }],
      ['/messages', { to: BOB, text: 'x', replyTo: text }],
    ] as const) {
      const answer = await h.ask(V1 + path, { body })
      assert.equal(answer.status, 422, `${path} ${text}`)
      assert.ok(!answer.text.includes(CANARY))
    }
    for (const path of [`/contacts/${encodeURIComponent(text)}`, `/search?q=x&contact=${encodeURIComponent(text)}`]) {
      const answer = await h.ask(V1 + path)
      assert.ok([400, 422].includes(answer.status), `${path}: ${answer.status}`)
      assert.ok(!answer.text.includes(CANARY) && answer.headers['set-cookie'] === undefined)
    }
  }
  assert.deepEqual(
    h.application.calls.filter((call) => call !== 'status'),
    [],
  )
  const harmless = await h.ask(`${V1}/messages`, { body: { to: BOB, text: `<script>${CANARY}</script>\u202e` } })
  assert.equal(harmless.status, 202, 'a text is a text: it is the page that must not run it')
})

test('AP-26 overwriting what exists is 409: an identity, a contact, a token, another’s key', async (t) => {
  const h = await serve(t)
  const headers = { 'idempotency-key': 'k' }
  const second = [
    ['/identity', { passphrase: 'another horse' }, {}],
    ['/contacts', { target: BOB }, {}],
  ] as const
  for (const [path, body] of second) assert.equal((await h.ask(V1 + path, { body })).status, 409, path)
  assert.equal((await h.ask(`${V1}/messages`, { body: { to: BOB, text: 'a' }, headers })).status, 202)
  assert.equal((await h.ask(`${V1}/messages`, { body: { to: CAROL, text: 'b' }, headers })).status, 409)
})

test('AP-26 a body of another type is 415, on JSON routes and on those that take bytes', async (t) => {
  const h = await serve(t)
  const types = [
    'text/plain',
    'text/json',
    'application/xml',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
  ]
  for (const type of [...types, 'application/vnd.sotto.restore', 'application/json-patch+json', 'nonsense']) {
    const answer = await h.ask(`${V1}/messages`, { raw: '{"to":1}', headers: { 'content-type': type } })
    assert.equal(answer.status, 415, type)
  }
  for (const { method, path, upload } of ROUTES.filter(({ upload }) => upload !== undefined)) {
    assert.equal((await h.ask(V1 + path, { method, body: {} })).status, 415, `${path} takes ${upload}`)
  }
})

test('AP-26 JSON that would change what objects are, or is deeper than anything of ours, is refused', async (t) => {
  const h = await serve(t)
  for (const body of [
    '{"__proto__":{"scope":"admin"}}',
    '{"constructor":{"prototype":{"scope":"admin"}}}',
    `{"to":"${BOB}","text":"x","__proto__":{"isAdmin":true}}`,
    '{"to":{"__proto__":[]},"text":"x"}',
    '[[[',
    '{"a":1,}',
    'NaN',
    '\ufeff{}x',
  ])
    assert.equal((await h.ask(`${V1}/messages`, { raw: body })).status, 400, body)
  for (const deep of ['['.repeat(30_000) + ']'.repeat(30_000), '{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000)]) {
    const { status } = await h.ask(`${V1}/contacts`, { raw: deep })
    assert.ok([400, 422].includes(status), String(status))
  }
  assert.equal(({} as Record<string, unknown>)['isAdmin'], undefined)
  for (const twice of [`{"to":"${BOB}","to":"${CAROL}","text":"x"}`])
    assert.equal((await h.ask(`${V1}/messages`, { raw: twice })).body['contact'], CAROL, 'the last one, as JSON.parse')
})

test('AP-26 unicode: lone surrogates, NUL and odd forms are text in texts, and refused in names and paths', async (t) => {
  const h = await serve(t)
  for (const name of ['\u0000', 'a\u0007b', 'a\nb', '\u009b31m', ' ', ''])
    assert.equal((await h.ask(`${V1}/contacts/${BOB}`, { method: 'PATCH', body: { name } })).status, 422)
  for (const raw of ['"\\ud800"', '"\\u0000"', '"\\udfff\\ud800"'])
    assert.ok((await h.ask(`${V1}/messages`, { raw: `{"to":"${BOB}","text":${raw}}` })).status < 500)
  for (const path of ['/contacts/%ff%fe', '/contacts/%c0%ae%c0%ae', '/contacts/%ed%a0%80', '/contacts/%'])
    assert.ok([400, 422].includes((await h.ask(V1 + path)).status), path)
  assert.equal((await h.ask(`${V1}/messages`, { raw: Buffer.from([0x22, 0xff, 0xfe, 0x22]) })).status, 422)
})

test('AP-26 methods: overriding, tracing and tunnelling do nothing', async (t) => {
  const h = await serve(t)
  const headers = { 'x-http-method-override': 'DELETE', 'x-method-override': 'DELETE', 'x-http-method': 'DELETE' }
  assert.equal((await h.ask(`${V1}/contacts/${BOB}?_method=DELETE`, { headers })).status, 422)
  assert.equal((await h.ask(`${V1}/contacts/${BOB}`, { headers })).body['accountId'], BOB)
  for (const method of ['TRACE', 'OPTIONS', 'PROPFIND', 'SEARCH']) {
    const answer = await h.ask(`${V1}/contacts`, { method })
    assert.equal(answer.status, 404, method)
    assert.ok(!answer.text.includes(h.token))
  }
  const tunnel = await raw(h, `CONNECT 10.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:${h.port}\r\n\r\n`)
  assert.ok(!statusesOf(tunnel).includes(200))
  for (const path of ['http://evil.example/', `http://evil.example${V1}/status`]) {
    const proxied = await raw(
      h,
      `GET ${path} HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer ${h.token}\r\n\r\n`,
    )
    assert.ok(
      statusesOf(proxied).every((status) => status >= 400),
      path,
    )
  }
})

test('AP-26 what two readers of HTTP could read differently is refused, and the line is cut', async (t) => {
  const h = await serve(t)
  const smuggled = `GET ${V1}/contacts HTTP/1.1\r\nHost: 127.0.0.1:${h.port}\r\nAuthorization: Bearer ${h.token}\r\n\r\n`
  const start = head(h, `POST ${V1}/identity/publish`, 'Content-Type: application/json\r\n')
  const lies = [
    `${start}Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    `${start}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    `${start}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
    `${start}Transfer-Encoding: xchunked\r\n\r\n${smuggled}`,
    `${start}Content-Length: +5\r\n\r\n${smuggled}`,
    `${start}Content-Length: -1\r\n\r\n${smuggled}`,
    `${start}Content-Length : 0\r\n\r\n${smuggled}`,
    `${start}Content-Length: 0\r\n X: folded\r\n\r\n${smuggled}`,
    `${start}Transfer-Encoding: chunked\r\n\r\nzz\r\n${smuggled}`,
    `GET ${V1}/contacts HTTP/1.1\r\nHost: 127.0.0.1:${h.port}\r\nHost: evil.example\r\nAuthorization: Bearer ${h.token}\r\n\r\n`,
    `GET ${V1}/contacts HTTP/1.1\r\nHost: 127.0.0.1:${h.port}\r\nAuthorization: Bearer x\r\nAuthorization: Bearer ${h.token}\r\n\r\n`,
    `GET ${V1}/contacts HTTP/1.1\r\nAuthorization: Bearer ${h.token}\r\n\r\n`,
    `GET ${V1}/contacts HTTP/9.9\r\nHost: 127.0.0.1:${h.port}\r\n\r\n`,
    `${CANARY}\r\n\r\n`,
    '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
  ]
  for (const [at, text] of lies.entries()) {
    const answer = await raw(h, text)
    const statuses = statusesOf(answer)
    assert.ok(statuses.length <= 1 && statuses.every((status) => [400, 403, 415].includes(status)), `${at}: ${answer}`)
    assert.ok(!answer.includes(CANARY) && !answer.includes(CAROL), String(at))
    if (statuses[0] === 400 && answer.includes('problem+json')) assert.match(answer, /connection: close/i)
  }
})

test('AP-26 headers over 16 KiB are 431, and so many connections at once are all there are', async (t) => {
  const h = await serve(t)
  const huge = await raw(h, head(h, `GET ${V1}/status`, `X-Big: ${'a'.repeat(17_000)}\r\n\r\n`))
  assert.deepEqual(statusesOf(huge), [431])
  assert.match(huge, /"code":"headers-too-large"/)
  const many = await raw(h, head(h, `GET ${V1}/status`, 'A: b\r\n'.repeat(2_500) + '\r\n'))
  assert.ok([200, 431].includes(statusesOf(many)[0] ?? 0))
})

test('AP-26 slowloris: headers that do not end are cut off after 10 s, a body that does not come after 30', async (t) => {
  assert.equal(HTTP_LIMITS.server.headersTimeout, 10_000)
  const clock = new VirtualClock()
  const h = await serve(t, { clock })
  const cut = new Promise<string>((resolve) => {
    let answer = ''
    const socket = connect(h.port, '127.0.0.1', () => {
      socket.write(head(h, `POST ${V1}/messages`, 'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{'))
    })
    socket.on('data', (chunk) => (answer += String(chunk)))
    socket.on('error', () => {})
    socket.on('close', () => {
      resolve(answer)
    })
  })
  const waiting = { over: false }
  void cut.then(() => (waiting.over = true))
  for (let steps = 0; !waiting.over && steps < 10_000; steps++) {
    await clock.advance(1_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(await cut, '', 'without an answer')
  assert.equal((await h.ask(`${V1}/status`)).status, 200, 'and the others go on')
})

test('AP-26 who is refused keeps no connection, nor who lets one lie idle or does not read the page', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'sotto-page-'))
  t.after(async () => rm(root, { recursive: true, force: true }))
  await mkdir(join(root, 'assets'))
  await writeFile(join(root, 'index.html'), 'page')
  await writeFile(join(root, 'assets', 'big.js'), Buffer.alloc(32 * MIB))
  const h = await serve(t, { idleMs: 300, pageRoot: root })
  const keep = (line: string, more = ''): string => `${head(h, line, more)}Connection: keep-alive\r\n\r\n`
  const json = 'Content-Type: application/json\r\n'
  const refused: readonly (readonly [status: number, text: string])[] = [
    [400, keep(`POST ${V1}/contacts`, `${json}Content-Length: 1\r\n`) + '{'],
    [401, `GET ${V1}/status HTTP/1.1\r\nHost: 127.0.0.1:${h.port}\r\n\r\n`],
    [403, `GET ${V1}/status HTTP/1.1\r\nHost: evil.example\r\n\r\n`],
    [413, keep(`POST ${V1}/contacts`, `${json}Content-Length: 100000\r\n`) + '{'],
    [415, keep(`POST ${V1}/contacts`, 'Content-Type: text/plain\r\nContent-Length: 1\r\n') + '{'],
  ]
  for (const [status, text] of refused) {
    const answer = await lived(h, text)
    assert.deepEqual([statusesOf(answer.text), answer.cut], [[status], true], text)
    assert.match(answer.text, /connection: close/i)
  }
  for (const path of [`${V1}/status`, '/healthz']) assert.equal((await lived(h, keep(`GET ${path}`), 100)).cut, false)
  assert.equal((await lived(h, keep('GET /healthz'), 5_000)).cut, true, 'idle')
  const reader = connect(h.port, '127.0.0.1', () => reader.write(keep('GET /assets/big.js')))
  await once(reader, 'readable')
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  let size = 0
  reader.on('data', (chunk: Buffer) => (size += chunk.length))
  reader.on('error', () => {})
  await once(reader, 'close')
  assert.ok(size < 32 * MIB, `${size} bytes came, and the rest was not kept for who does not read`)
})

/** The answer, and whether the daemon hung up before `quietMs` of silence. */
async function lived(h: Harness, text: string, quietMs = 5_000): Promise<{ text: string; cut: boolean }> {
  return new Promise((resolve) => {
    let answer = ''
    let cut = true
    const socket = connect(h.port, '127.0.0.1', () => socket.write(text))
    socket.setEncoding('latin1')
    socket.setTimeout(quietMs, () => {
      cut = false
      socket.destroy()
    })
    socket.on('data', (chunk: string) => (answer += chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      resolve({ text: answer, cut })
    })
  })
}

test('AP-10 DNS rebinding: a page under its own name that now points here is refused on every route, page and health too', async (t) => {
  const h = await serve(t)
  const paths = [
    ...new Set(ROUTES.map(({ path }) => V1 + path.replace(/:\w+/, BOB))),
    '/',
    '/healthz',
    '/readyz',
    '/metrics',
  ]
  for (const path of paths) {
    for (const headers of [
      { host: `rebound.evil.example:${h.port}` },
      { host: `rebound.evil.example:${h.port}`, origin: `http://rebound.evil.example:${h.port}` },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `http://127.0.0.1:${h.port}.evil.example` },
    ]) {
      const answer = await h.ask(path, { headers })
      assert.equal(answer.status, 403, `${path} ${JSON.stringify(headers)}`)
    }
  }
  assert.deepEqual(h.application.calls, [])
})

test('AP-26 no answer redirects, sets a cookie, names the server or lets another origin read', async (t) => {
  const h = await serve(t)
  for (const path of [
    '/',
    '/healthz',
    `${V1}/status`,
    `${V1}//status`,
    `${V1}/status/`,
    '//evil.example',
    '/\\evil.example',
  ])
    for (const token of [h.token, null]) {
      const { status, headers } = await h.ask(path, { token })
      assert.ok(status < 300 || status >= 400, path)
      for (const name of ['location', 'set-cookie', 'server', 'x-powered-by', 'access-control-allow-origin'])
        assert.equal(headers[name], undefined, `${path} ${name}`)
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin')
    }
})

test('AP-34 every code that a refusal carries is in the documented table', async (t) => {
  const h = await serve(t)
  const documented = new Set([...ERRORS, ...REQUEST_PROBLEMS].map(({ code }) => code))
  documented.add('internal')
  h.application.peers = async () => {
    throw new TypeError('secret detail')
  }
  const answers = [
    await h.ask(`${V1}/peers`),
    await h.ask(`${V1}/status`, { token: null }),
    await h.ask(`${V1}/nothing`),
    await h.ask(`${V1}/contacts/${accountOf('z')}`),
    await h.ask(`${V1}/contacts/x`),
    await h.ask(`${V1}/contacts`, { raw: '{' }),
    await h.ask(`${V1}/contacts`, { raw: 'x', headers: { 'content-type': 'text/plain' } }),
    await h.ask(`${V1}/contacts`, { body: { target: BOB } }),
    await h.ask(`${V1}/status`, { headers: { host: 'evil.example' } }),
    await h.ask(`${V1}/status`, { headers: { origin: 'https://evil.example' } }),
    await h.ask(`${V1}/contacts/${'a'.repeat(5_000)}`),
    await h.ask(`${V1}/identity/unlock`, { body: { passphrase: 'wrong' } }),
    await h.ask(`${V1}/messages/${hexId(99)}/why`),
  ]
  const codes = answers.map(({ body }) => String(body['code']))
  assert.deepEqual(
    codes.filter((code) => !documented.has(code)),
    [],
  )
  assert.equal(new Set(codes).size, 12, codes.join(' '))
})
