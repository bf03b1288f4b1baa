/** The client over both its transports: Node's, and the one that needs no more than a browser has. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { openClient } from '../../../src/api/client.ts'
import type { ApiCalls } from '../../../src/api/client/calls.ts'
import { apiCalls } from '../../../src/api/client/calls.ts'
import { fetchTransport } from '../../../src/api/fetch-transport.ts'
import { fromUtf8, utf8 } from '../../../src/lib/bytes.ts'
import { BOB, CAROL, fakeApplication, hexId, messageView } from './fake-application.ts'
import type { Harness } from './harness.ts'
import { serve } from './harness.ts'

function both({ port, token }: Harness): readonly (readonly [string, ApiCalls, () => void])[] {
  const node = openClient({ endpoint: { host: '127.0.0.1', port }, token })
  const origin = `http://127.0.0.1:${port}`
  const page = apiCalls(fetchTransport({ origin, token: () => token }))
  return [
    [
      'node',
      node,
      () => {
        node.close()
      },
    ],
    ['fetch', page, () => {}],
  ]
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += fromUtf8(chunk) ?? ''
  return text
}

test('AP-01 every call of the client reaches its route, over either transport', async (t) => {
  for (const kind of [0, 1]) {
    const application = fakeApplication()
    application.messageList.push(messageView(hexId(1), BOB))
    const h = await serve(t, {}, application)
    const [name, client, close] = both(h)[kind] ?? assert.fail()
    const id = hexId(1)
    assert.equal((await client.conversation(BOB)).contact, BOB, name)
    assert.equal((await client.updateConversation(BOB, { draft: 'to be' })).draft, 'to be')
    assert.equal((await client.editMessage(id, { text: 'better', operation: 'edit-1' })).text, 'better')
    assert.equal((await client.react(id, { emoji: '👍' })).reactions[0]?.emoji, '👍')
    assert.deepEqual((await client.react(id, { emoji: null })).reactions, [])
    assert.equal((await client.flagMessage(id, { starred: true })).starred, true)
    assert.equal((await client.starred({ limit: 5 })).items[0]?.id, id)
    assert.equal((await client.search({ query: 'better', contact: BOB, limit: 5 })).items.length, 1)
    await client.deleteMessage(id, { for: 'both' })
    assert.equal((await client.message(id)).gone, 'deleted')
    await client.clearConversation(BOB)
    assert.deepEqual((await client.messages(BOB, { limit: 5 })).items, [])
    assert.equal((await client.updateProfile({ name: 'Alice', bio: 'hi' })).name, 'Alice')
    assert.equal((await client.profile()).bio, 'hi')
    assert.equal((await client.contactProfile(BOB)).name, 'Bob')
    assert.equal((await client.updateSettings({ typing: false })).typing, false)
    assert.equal((await client.settings()).typing, false)
    await client.setTyping(BOB, true)
    assert.deepEqual(application.typed, [{ accountId: BOB, typing: true }])
    assert.deepEqual(await client.zone(), await application.zone())
    assert.deepEqual(await client.net(), await application.net())
    assert.deepEqual(await client.rotatePrekeys(), await application.prekeys())
    assert.deepEqual(await client.establishSession(BOB), { accountId: BOB, devices: 0 })
    application.emit('contact:added', { contact: CAROL })
    assert.equal((await client.consumer('bot', { from: 0 })).acknowledged, 0)
    assert.equal((await client.eventsFor('bot', 10)).events.length, 1)
    assert.equal((await client.eventsSince(0, 10, 0, ['message'])).events.length, 0)
    assert.equal((await client.acknowledge('bot', 1)).acknowledged, 1)
    assert.equal((await client.consumerNow('bot')).name, 'bot')
    assert.equal((await client.consumers()).length, 1)
    await client.removeConsumer('bot')
    const made = await client.createToken({ name: 'bot', scopes: ['send'], days: 7 })
    assert.equal((await client.tokens())[0]?.id, made.id)
    await client.revokeToken(made.id)
    const { code } = await client.pageCode()
    assert.match((await client.pageSession(code)).token, /^[\w-]{43}$/)
    await assert.rejects(client.pageSession(code), { name: 'UsageError' })
    await client.rotateToken()
    await assert.rejects(client.status(), { name: 'UsageError', message: /token/ })
    close()
  }
})

test('AP-01 a backup streams out and in, over either transport; what is wrong with it comes as its error', async (t) => {
  const h = await serve(t)
  for (const [name, client, close] of both(h)) {
    h.application.passphrase = 'correct horse'
    const backup = await textOf(client.backup({ current: 'correct horse', passphrase: 'paper key' }))
    assert.equal(backup, 'sotto backup\npaper key\nend\n', name)
    await assert.rejects(textOf(client.backup({ current: 'wrong', passphrase: 'paper key' })), {
      name: 'PassphraseError',
    })
    h.application.state = 'empty'
    const opens = { passphrase: 'paper key', newPassphrase: 'battery staple' }
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      for (const piece of backup.match(/[^]{1,7}/g) ?? []) yield utf8(piece)
    }
    const restored = await client.restoreBackup({ backup: pieces(), ...opens })
    assert.equal(restored.contacts, 2)
    assert.equal(h.application.passphrase, 'battery staple')
    h.application.state = 'empty'
    const cut = new Blob([backup.slice(0, -2)])
    await assert.rejects(client.restoreBackup({ backup: cut, ...opens }), { name: 'CodecError' })
    await assert.rejects(client.restoreBackup({ backup: pieces(), ...opens, passphrase: 'wrong' }), {
      name: 'PassphraseError',
    })
    h.application.state = 'ready'
    await client.changePassphrase({ passphrase: 'battery staple', newPassphrase: 'correct horse' })
    assert.equal(h.application.passphrase, 'correct horse')
    close()
  }
})

test('AP-32 the browser’s transport names what is wrong: no daemon, no answer in time, a refusal, an abort', async (t) => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  t.after(() => {
    silent.closeAllConnections()
    silent.close()
  })
  await new Promise((resolve) => silent.once('listening', resolve))
  const { port } = silent.address() as AddressInfo
  const quiet = fetchTransport({ origin: `http://127.0.0.1:${port}`, token: () => 'x' })
  const call = { method: 'GET', path: '/status' } as const
  await assert.rejects(quiet.request({ ...call, timeoutMs: 50 }), { name: 'TimeoutError' })
  await assert.rejects(quiet.request({ ...call, signal: AbortSignal.abort(new TypeError('stop')) }), /stop/)
  const nobody = fetchTransport({ origin: 'http://127.0.0.1:1', token: () => undefined })
  await assert.rejects(nobody.request(call), { name: 'DaemonError' })
  const h = await serve(t)
  const stranger = fetchTransport({ origin: `http://127.0.0.1:${h.port}`, token: () => undefined })
  await assert.rejects(stranger.request(call), { name: 'UsageError', message: /token/ })
})

test('AP-03 a request whose answer was lost with its connection is made once more, and done once', async (t) => {
  const h = await serve(t)
  let runs = 0
  h.application.publishIdentity = async () => ({ receipts: ++runs })
  const lossy = createServer((request, response) => {
    const url = `http://127.0.0.1:${h.port}${request.url ?? ''}`
    const headers = {
      authorization: `Bearer ${h.token}`,
      'idempotency-key': String(request.headers['idempotency-key']),
    }
    void fetch(url, { method: request.method ?? 'GET', headers }).then(async (answer) => {
      const text = await answer.text()
      if (runs === 1 && !request.headers['x-seen'] && first) {
        first = false
        request.socket.destroy()
      } else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text)
    })
  }).listen(0, '127.0.0.1')
  let first = true
  await new Promise((resolve) => lossy.once('listening', resolve))
  t.after(() => lossy.close())
  const client = openClient({
    endpoint: { host: '127.0.0.1', port: (lossy.address() as AddressInfo).port },
    token: 'x',
  })
  assert.deepEqual(await client.publishIdentity(), { receipts: 1 })
  assert.equal(runs, 1)
  client.close()
})

test('AP-35 nothing that the page’s client imports needs Node', () => {
  const root = join(import.meta.dirname, '../../..')
  const seen = new Set<string>()
  const visit = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    const text = readFileSync(join(root, path), 'utf8').replaceAll(/\/\*[^]*?\*\/|\/\/.*$/gm, '')
    assert.ok(!/\b(?:process|Buffer|require|__dirname)\b[.(]/.test(text), path)
    for (const [, specifier = ''] of text.matchAll(/^(?:import|export)\s(?!type\b)[^'\n]*from '([^']+)'/gm)) {
      assert.ok(specifier.startsWith('.'), `${path} imports ${specifier}`)
      visit(normalize(join(dirname(path), specifier)))
    }
  }
  for (const path of [
    ...globSync('src/api/client/*.ts', { cwd: root }),
    'src/api/fetch-transport.ts',
    'src/api/errors.ts',
  ])
    visit(path)
  assert.ok(seen.size > 10)
})
