/** The static page: what is served, to whom, and what a browser may do with it. */
import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { serve, tempHome } from './harness.ts'

async function built(t: TestContext): Promise<string> {
  const root = join(await tempHome(t), 'web')
  await mkdir(join(root, 'assets'), { recursive: true })
  await writeFile(join(root, 'index.html'), '<!doctype html><title>Sotto</title>')
  await writeFile(join(root, 'assets', 'app-1a2b3c.js'), 'export {}')
  await writeFile(join(root, 'assets', 'app-1a2b3c.css'), 'body{}')
  await writeFile(join(root, 'assets', '.hidden'), 'C4N4RY')
  await writeFile(join(root, 'secret.txt'), 'C4N4RY')
  await writeFile(join(root, '..', 'api-token'), 'C4N4RY')
  await symlink(join(root, '..', 'api-token'), join(root, 'token-link'))
  return root
}

test('AP-35 the page is open to this machine, on loopback and on the socket, by GET and HEAD', async (t) => {
  const { ask } = await serve(t, { pageRoot: await built(t) })
  for (const overSocket of [false, true]) {
    const page = await ask('/', { token: null, overSocket })
    assert.deepEqual([page.status, page.headers['content-type']], [200, 'text/html; charset=utf-8'])
    assert.match(page.text, /Sotto/)
    const script = await ask('/assets/app-1a2b3c.js', { token: null, overSocket })
    assert.equal(script.status, 200)
    assert.match(String(script.headers['content-type']), /javascript/)
    assert.match(String(script.headers['cache-control']), /immutable/)
    assert.equal(page.headers['cache-control'], 'no-cache')
    const head = await ask('/', { token: null, overSocket, method: 'HEAD' })
    assert.deepEqual([head.status, head.text], [200, ''])
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
      assert.equal((await ask('/', { token: null, overSocket, method })).status, 401, method)
  }
})

test('AP-35 SE-16 the page runs what was built and nothing else: strict CSP, no frame, no other origin', async (t) => {
  const { ask, port } = await serve(t, { pageRoot: await built(t) })
  for (const path of ['/', '/assets/app-1a2b3c.js', '/assets/app-1a2b3c.css']) {
    const { headers } = await ask(path, { token: null })
    const policy = String(headers['content-security-policy'])
    assert.deepEqual(policy.split('; '), [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data: blob:",
      `connect-src 'self' ws://127.0.0.1:${port} wss://127.0.0.1:${port}`,
      "form-action 'none'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ])
    assert.ok(!/unsafe|\*|http:/.test(policy))
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin')
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin')
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['x-frame-options'], 'DENY')
    assert.equal(headers['referrer-policy'], 'no-referrer')
    assert.deepEqual(
      Object.keys(headers).filter((name) => name.startsWith('access-control') || name === 'set-cookie'),
      [],
    )
  }
})

test('AP-10 AP-26 the page is not given under a foreign name, and no path leads out of its folder', async (t) => {
  const { ask, port } = await serve(t, { pageRoot: await built(t) })
  assert.equal((await ask('/', { token: null, headers: { host: 'evil.example' } })).status, 403)
  assert.equal((await ask('/', { token: null, headers: { origin: 'https://evil.example' } })).status, 403)
  const paths = [
    '/assets/../secret.txt',
    '/assets/..%2fsecret.txt',
    '/assets/%2e%2e/secret.txt',
    '/assets/%2e%2e%2fsecret.txt',
    '/assets/..%5csecret.txt',
    '/assets/..%252fsecret.txt',
    '/assets//secret.txt',
    '/assets/.hidden',
    '/assets/',
    '/assets',
    '/assets/%00',
    '/assets/app-1a2b3c.js%00.css',
    '/assets/app-1a2b3c.js/',
    '/../api-token',
    '/..%2fapi-token',
    '/index.html/../../api-token',
    '/secret.txt',
    '/token-link',
    '/api-token',
    '//evil.example/',
    '/%2f%2fevil.example/',
  ]
  for (const path of paths) {
    const answer = await ask(path, { token: null })
    assert.ok([400, 401, 403, 404].includes(answer.status), `${path}: ${answer.status}`)
    assert.ok(!answer.text.includes('C4N4RY'), path)
    assert.equal(answer.headers['location'], undefined, 'no redirect anywhere')
    // As it came, without the client's own tidying.
    const raw = await rawGet(port, path)
    assert.ok(!raw.includes('C4N4RY') && !/^HTTP\/1\.1 (2|3)/.test(raw), `${path}: ${raw.slice(0, 40)}`)
  }
})

test('AP-35 where the page was not built, the answer says how to', async (t) => {
  const { ask } = await serve(t, { pageRoot: join(await tempHome(t), 'web') })
  const answer = await ask('/', { token: null })
  assert.equal(answer.status, 503)
  assert.match(String(answer.headers['content-type']), /^text\/plain/)
  assert.match(answer.text, /npm run build:page/)
  assert.equal((await ask('/assets/app.js', { token: null })).status, 404)
})

async function rawGet(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`)
    })
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => (text += chunk))
    socket.on('close', () => {
      resolve(text)
    })
    socket.on('error', reject)
  })
}
