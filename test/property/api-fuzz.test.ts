/**
 * Requests of every kind to every route: no 5xx, no answer without end, nothing without a token, and every answer as its schema
 * says. `SOTTO_FUZZ_RUNS` for more of them, `SOTTO_FUZZ_SEED` for others.
 */
import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { DEFAULT_API_LIMITS } from '../../src/api/limits.ts'
import type { ApiLimits } from '../../src/api/limits.ts'
import { readToken } from '../../src/api/files.ts'
import { ROUTES } from '../../src/api/routes.ts'
import { anyRequest, checkAnswer, exchange } from '../support/api-fuzz.ts'
import { ALICE, accountOf, BOB, CAROL, fakeApplication, hexId } from '../unit/api/fake-application.ts'
import { serve } from '../unit/api/harness.ts'

const RUNS = Number(process.env['SOTTO_FUZZ_RUNS'] ?? 2_000)
const SEED = Number(process.env['SOTTO_FUZZ_SEED'] ?? 20_261_121)
const NO_LIMITS = Object.fromEntries(Object.keys(DEFAULT_API_LIMITS).map((name) => [name, 1e9])) as unknown as ApiLimits
const KNOWN = [
  ALICE,
  BOB,
  CAROL,
  hexId(0x1001),
  hexId(0x1002),
  'sotto:invite',
  'bot',
  'hook',
  'message:received',
  '1',
  '👍',
  'correct horse',
]

test(`AP-31 AP-11 AP-01 ${RUNS} requests from the document: no 5xx, no answer without a token, each as its schema says`, async (t) => {
  console.log(`seed ${SEED}`)
  const application = fakeApplication()
  const addContact = application.addContact.bind(application)
  // The fake does not read links.
  application.addContact = async (input) =>
    addContact({ ...input, target: input.target.startsWith('sotto:') ? accountOf('d') : input.target })
  const h = await serve(t, { limits: NO_LIMITS }, application)
  for (let i = 0; i < 5; i++) application.receive(BOB, `message ${i}`)
  await application.consumer('bot', { from: 0 })
  const where = { port: h.port, agent: new Agent({ keepAlive: true, maxSockets: 4 }) }
  t.after(() => {
    where.agent.destroy()
  })
  let token = h.token
  const statuses = new Map<number, number>()
  const answered = new Set<string>()
  const restored = { contacts: [...application.contactList], messages: [...application.messageList] }
  let asks = 0
  await fc.assert(
    fc.asyncProperty(anyRequest(ROUTES, KNOWN), async (asked) => {
      // What a request may have sealed, rotated away or deleted is there again for the next one.
      application.state = ++asks % 12 === 0 ? 'empty' : 'ready'
      application.passphrase = 'correct horse'
      await application.consumer('bot', { from: 0 })
      if (application.messageList.length < 3) application.messageList.push(...restored.messages)
      if (!application.contactList.some(({ accountId }) => accountId === BOB))
        application.contactList.splice(0, Infinity, ...restored.contacts)
      const answer = await exchange(where, token, asked)
      checkAnswer(asked, answer)
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      if (answer.status < 300) answered.add(`${asked.route.method} ${asked.route.path}`)
      if (asked.route.path === '/token/rotate') token = (await readToken(h.home)) ?? ''
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: false },
  )
  console.log(
    [...statuses]
      .toSorted(([a], [b]) => a - b)
      .map(([status, count]) => `${status}: ${count}`)
      .join(', '),
  )
  // Fuzz that is refused everywhere shows nothing.
  const never = ROUTES.map(({ method, path }) => `${method} ${path}`).filter((line) => !answered.has(line))
  console.log(`never answered well: ${never.join(', ') || 'none'}`)
  assert.ok(answered.size > ROUTES.length * 0.8, `only ${answered.size} of ${ROUTES.length} routes answered`)
  assert.equal((await h.ask('/api/v1/status', { token })).status, 200)
})

test('AP-31 bytes that are no HTTP are answered with 4xx or hung up on, and the server lives', async (t) => {
  const h = await serve(t)
  await fc.assert(
    fc.asyncProperty(anyBytes(h.token), async (bytes) => {
      const answer = await raw(h.port, bytes)
      const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]
      assert.ok(status === undefined || /^[1234]/.test(status), answer.slice(0, 200))
      assert.ok(answer.length < 65_536)
    }),
    { numRuns: Math.min(150, RUNS), seed: SEED, endOnFailure: true },
  )
  assert.equal((await h.ask('/healthz', { token: null })).status, 200)
})

test('AP-31 bytes where JSON belongs are 415, also under an Idempotency-Key', async (t) => {
  const h = await serve(t)
  const headers = { 'content-type': 'application/vnd.sotto.restore', 'idempotency-key': 'one' }
  const answer = await h.ask(`/api/v1/contacts/${BOB}/verify`, { raw: '{', headers })
  assert.deepEqual([answer.status, answer.body['code']], [415, 'media-type'])
})

function anyBytes(token: string): fc.Arbitrary<Buffer> {
  const head = `Host: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n`
  const text = fc
    .tuple(
      fc.constantFrom('GET', 'POST', 'BREW', 'get', '\u0000'),
      fc.oneof(
        fc.constantFrom('/api/v1/status', '/api/v1//status', '/%', '//evil/', '*', 'http://x/api/v1/status'),
        fc.webPath(),
      ),
      fc.constantFrom('HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/9.9', ''),
      fc.constantFrom(
        '',
        'Content-Length: 5\r\n',
        'Content-Length: -1\r\n',
        'Transfer-Encoding: chunked\r\n',
        'Content-Length: 1\r\nContent-Length: 2\r\n',
        `X: ${'y'.repeat(20_000)}\r\n`,
        'Upgrade: websocket\r\nConnection: upgrade\r\n',
        'A\u0000: b\r\n',
      ),
      fc.constantFrom('', 'hello', '5\r\nhello\r\n0\r\n\r\n', 'zz\r\n'),
    )
    .map(([method, path, version, headers, body]) =>
      Buffer.from(`${method} ${path} ${version}\r\n${head}${headers}\r\n${body}`, 'latin1'),
    )
  return fc.oneof(
    text,
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  )
}

/** What comes back until it hangs up, or until it has nothing more to say. */
async function raw(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    const end = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(text)
    }
    const timer = setTimeout(end, 100)
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      end()
    })
    socket.on('error', end)
    socket.on('close', end)
    socket.end(bytes)
  })
}
