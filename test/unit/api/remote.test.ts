/** Beyond loopback: only under TLS 1.3, only from addresses that are allowed, only under this daemon's names. */
import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import type { SecureVersion } from 'node:tls'
import { connect as connectTls } from 'node:tls'
import { WebSocket } from 'ws'
import { allowList, checkCaller, tcpListener } from '../../../src/api/caller.ts'
import { ApiServer } from '../../../src/api/server.ts'
import { TEST_CERT, writeTestCertificate } from '../../support/test-certificate.ts'
import { fakeApplication } from './fake-application.ts'
import type { Harness } from './harness.ts'
import { optionsFor, serve, tempHome } from './harness.ts'

const V1 = '/api/v1'

async function remote(t: TestContext, more: object = {}): Promise<Harness> {
  const tls = await writeTestCertificate(await tempHome(t))
  return serve(t, { host: '0.0.0.0', tls, names: ['sotto.test'], ...more })
}

function externalAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address
}

async function ask(h: Harness, path: string, headers: Record<string, string> = {}): Promise<number> {
  const where = { host: '127.0.0.1', port: h.port, ca: TEST_CERT, servername: 'sotto.test', agent: false, path }
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...where, headers: { authorization: `Bearer ${h.token}`, ...headers } }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    outgoing.on('error', reject).end()
  })
}

test('AP-25 beyond loopback without TLS the server does not start; a certificate that is not there is said', async (t) => {
  const home = await tempHome(t)
  for (const host of ['0.0.0.0', '::', '192.168.1.2', 'sotto.test']) {
    const server = new ApiServer(optionsFor(home, fakeApplication(), { host }))
    await assert.rejects(server.start(), { name: 'UsageError', message: /TLS/ })
  }
  const tls = { cert: join(home, 'no.pem'), key: join(home, 'no.pem') }
  await assert.rejects(new ApiServer(optionsFor(home, fakeApplication(), { host: '0.0.0.0', tls })).start(), {
    name: 'UsageError',
    message: /api\.tls/,
  })
  await writeFile(tls.cert, 'not a certificate')
  await assert.rejects(new ApiServer(optionsFor(home, fakeApplication(), { host: '0.0.0.0', tls })).start(), {
    name: 'UsageError',
  })
  await assert.rejects(stat(join(home, 'api.sock')), { code: 'ENOENT' })
})

test('AP-25 with a certificate the API answers over TLS 1.3 and nothing older, and never in the clear', async (t) => {
  const h = await remote(t)
  assert.equal(await ask(h, `${V1}/status`), 200)
  const offer = async (maxVersion: SecureVersion): Promise<string | null> =>
    new Promise((resolve) => {
      const where = { host: '127.0.0.1', port: h.port, ca: TEST_CERT, servername: 'sotto.test' }
      const socket = connectTls({ ...where, minVersion: 'TLSv1.2', maxVersion }, () => {
        resolve(socket.getProtocol())
        socket.destroy()
      })
      socket.on('error', () => {
        resolve(null)
      })
    })
  assert.deepEqual([await offer('TLSv1.2'), await offer('TLSv1.3')], [null, 'TLSv1.3'])
  await assert.rejects(h.ask(`${V1}/status`), 'plain HTTP')
  const socket = new WebSocket(`wss://127.0.0.1:${h.port}${V1}/events`, {
    ca: TEST_CERT,
    headers: { authorization: `Bearer ${h.token}` },
  })
  const first = await new Promise<string>((resolve) =>
    socket.once('message', (data) => {
      // oxlint-disable-next-line typescript/no-base-to-string -- a Buffer under the default binaryType
      resolve(data.toString())
    }),
  )
  assert.match(first, /"hello"/)
  socket.terminate()
  assert.equal(
    (await h.ask(`${V1}/page-codes`, { method: 'POST', overSocket: true })).body['url']
      ?.toString()
      .startsWith(`https://sotto.test:${h.port}/#code=`),
    true,
  )
})

test('AP-10 AP-25 under TLS too only our own names are answered, and only our own page', async (t) => {
  const h = await remote(t)
  const { port } = h
  for (const host of [`sotto.test:${port}`, `127.0.0.1:${port}`, `SOTTO.test:${port}`])
    assert.equal(await ask(h, `${V1}/status`, { host }), 200, host)
  for (const host of ['evil.example', `evil.example:${port}`, 'sotto.test', `sotto.test.evil.example:${port}`])
    assert.equal(await ask(h, `${V1}/status`, { host }), 403, host)
  assert.equal(await ask(h, `${V1}/status`, { origin: `https://sotto.test:${port}`, host: `sotto.test:${port}` }), 200)
  for (const origin of [`http://sotto.test:${port}`, 'https://sotto.test', 'https://evil.example', 'null'])
    assert.equal(await ask(h, `${V1}/status`, { origin }), 403, origin)
})

test('AP-14 who is not on the list of addresses gets 403, before the token is looked at; loopback always may', async (t) => {
  const strict = allowList(['192.0.2.0/24', '2001:db8::/32', '198.51.100.7'])
  for (const [address, may] of [
    ['192.0.2.1', true],
    ['::ffff:192.0.2.255', true],
    ['192.0.3.1', false],
    ['198.51.100.7', true],
    ['198.51.100.8', false],
    ['2001:db8:1::9', true],
    ['2001:db9::1', false],
    ['127.0.0.1', true],
    ['127.1.2.3', true],
    ['::1', true],
    ['', false],
    ['nonsense', false],
  ] as const)
    assert.equal(strict(address), may, address)
  assert.equal(allowList([])('203.0.113.9'), true)
  for (const bad of [
    'nonsense',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/8x',
    '10.0.0.0/8/9',
    '10.0.0.0/8/',
    '10.0.0/8',
  ])
    assert.throws(() => allowList([bad]), { name: 'UsageError' }, bad)
  const h = await remote(t, { allow: ['192.0.2.0/24'] })
  assert.equal(await ask(h, `${V1}/status`), 200)
})

test('AP-14 an address that is not allowed is refused on every path, health and page among them', async (t) => {
  const outside = externalAddress()
  if (outside === undefined) {
    t.diagnostic('this machine has no address but loopback: the list itself is tested above')
    return
  }
  const h = await remote(t, { allow: ['203.0.113.77'], names: [outside] })
  for (const path of [`${V1}/status`, '/healthz', '/', '/metrics']) {
    const where = { host: outside, localAddress: outside, port: h.port, rejectUnauthorized: false, agent: false, path }
    const status = await new Promise((resolve, reject) => {
      request({ ...where, headers: { authorization: `Bearer ${h.token}` } }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end()
    })
    assert.equal(status, 403, path)
  }
})

test('AP-10 AP-35 a page under a name of loopback that somebody else may have is refused as an Origin', async (t) => {
  const check = (origin: string, bound: readonly string[], names: readonly string[] = []): boolean => {
    try {
      checkCaller({ host: '127.0.0.1:7', origin: `http://${origin}:7` }, tcpListener(names, 7, false, bound))
      return true
    } catch {
      return false
    }
  }
  const may = (bound: readonly string[]): boolean[] =>
    ['127.0.0.1', '[::1]', 'localhost'].map((origin) => check(origin, bound, ['127.0.0.1', 'localhost']))
  assert.deepEqual(may(['127.0.0.1']), [true, false, false])
  assert.deepEqual(may(['::1']), [false, true, false])
  assert.deepEqual(may(['127.0.0.1', '::1']), [true, true, true])
  assert.deepEqual(
    [may(['::']), may(['0.0.0.0'])],
    [
      [true, true, true],
      [true, false, false],
    ],
  )
  assert.equal(check('sotto.test', ['192.0.2.1'], ['sotto.test']), true)
  const { server, ask: plain, port, home } = await serve(t, { host: 'localhost' })
  const { host } = server.address
  assert.notEqual(isIP(host), 0, 'an address, not a name that two may have')
  assert.equal((JSON.parse(await readFile(join(home, 'api.json'), 'utf8')) as { host: string }).host, host)
  const code = await plain(`${V1}/page-codes`, { method: 'POST', overSocket: true })
  const shown = isIP(host) === 6 ? `[${host}]` : host
  assert.ok(String(code.body['url']).startsWith(`http://${shown}:${port}/#code=`), code.text)
})

test('AP-10 a port may be left out where it is the scheme’s own', () => {
  const check = (host: string, port: number, tls: boolean): void => {
    checkCaller({ host }, tcpListener(['sotto.test', '2001:db8::1'], port, tls, ['0.0.0.0']))
  }
  for (const host of ['sotto.test', 'sotto.test:443', '[2001:db8::1]', 'localhost:443']) check(host, 443, true)
  check('localhost', 80, false)
  for (const [host, port] of [
    ['sotto.test', 8443],
    ['sotto.test:444', 443],
    ['2001:db8::1', 443],
  ] as const)
    assert.throws(
      () => {
        check(host, port, true)
      },
      { code: 'forbidden-host' },
    )
})
