import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect, openClient } from '../../../src/api/client.ts'
import type { StreamItem } from '../../../src/api/client/follow.ts'
import { ERRORS } from '../../../src/api/errors.ts'
import { ApiServer } from '../../../src/api/server.ts'
import { RateError } from '../../../src/lib/errors.ts'
import { ALICE, BOB, accountOf, fakeApplication } from './fake-application.ts'
import { optionsFor, serve, tempHome } from './harness.ts'

test('the client is the application, over the unix socket and over loopback', async (t) => {
  const h = await serve(t)
  const { application } = h
  const clients = [await connect(h.home), openClient({ endpoint: { host: '127.0.0.1', port: h.port }, token: h.token })]
  for (const [at, client] of clients.entries()) {
    const dave = accountOf(at === 0 ? 'd' : 'e')
    assert.deepEqual(await client.status(), await application.status())
    assert.deepEqual(await client.identity(), await application.identity())
    assert.deepEqual(await client.invite({ token: true }), await application.invite({ token: true }))
    assert.deepEqual(await client.lookup(BOB), await application.lookup(BOB))
    assert.deepEqual(await client.publishIdentity(), { receipts: 5 })
    assert.equal((await client.rotateIdentity({ passphrase: 'correct horse' })).identity.accountId, ALICE)
    assert.equal((await client.addContact({ target: dave, name: 'Dave', note: 'hi', source: 'qr' })).pinSource, 'qr')
    assert.equal((await client.acceptContact(dave, {})).state, 'accepted')
    assert.equal((await client.updateContact(dave, { favourite: true })).favourite, true)
    assert.equal((await client.blockContact(dave)).state, 'blocked')
    assert.equal((await client.unblockContact(dave)).state, 'accepted')
    assert.equal((await client.verifyContact(dave, { verified: true })).verified, true)
    assert.equal((await client.safetyNumber(dave)).verified, true)
    assert.deepEqual(await client.contact(dave), await application.contact(dave))
    await client.removeContact(dave)
    assert.deepEqual(await client.contacts(), await application.contacts())
    const sent = await client.send(BOB, { text: 'grüße', id: `key-${at}` })
    assert.equal((await client.send(BOB, { text: 'grüße', id: `key-${at}` })).id, sent.id)
    assert.deepEqual(await client.message(sent.id), sent)
    assert.equal((await client.why(sent.id)).status, 'queued')
    assert.equal((await client.takeBack(sent.id)).status, 'taken-back')
    assert.deepEqual(await client.messages(BOB, { limit: 1 }), await application.messages(BOB, { limit: 1 }))
    assert.equal((await client.messages(BOB, { limit: 1, cursor: sent.cursor })).items.length, at)
    assert.deepEqual(await client.conversations(), await application.conversations())
    assert.deepEqual(await client.markRead(BOB, {}), { marked: 0 })
    assert.deepEqual(await client.peers(), await application.peers())
    assert.deepEqual(await client.prekeys(), await application.prekeys())
    assert.deepEqual(await client.mailbox(), await application.mailbox())
    assert.equal((await client.eventsSince(0, 1)).events.length, 1)
    await client.lock()
    assert.equal((await client.unlock('correct horse')).accountId, ALICE)
    client.close()
  }
})

test('every error of the table comes out of the client as it went into the server', async (t) => {
  const h = await serve(t)
  const client = await connect(h.home)
  for (const row of ERRORS) {
    h.application.identity = async () => {
      throw row.make('it happened', 7_000)
    }
    await assert.rejects(client.identity(), (error: Error) => {
      assert.equal(error.name, row.name)
      if (row.name !== 'DecryptError') assert.equal(error.message, 'it happened')
      if (error instanceof RateError) assert.equal(error.retryAfterMs, 7_000)
      return true
    })
  }
  await assert.rejects(client.contact('nonsense'), { name: 'UsageError', message: /id \(invalid_format\)/ })
  client.close()
})

test('DaemonError where no daemon is, where it was killed, and with a token of another home', async (t) => {
  const home = await tempHome(t)
  await assert.rejects(connect(home), { name: 'DaemonError', message: /sotto daemon/ })
  const h = await serve(t)
  const client = openClient({ endpoint: { socketPath: join(home, 'none.sock') }, token: h.token })
  await assert.rejects(client.status(), { name: 'DaemonError' })
  const wrong = openClient({ endpoint: { socketPath: join(h.home, 'api.sock') }, token: 'A'.repeat(43) })
  await assert.rejects(wrong.status(), { name: 'UsageError', message: /token/ })
  await assert.rejects(
    async () => {
      for await (const item of wrong.events(0)) assert.fail(item.type)
    },
    { name: 'UsageError' },
  )
})

test('TimeoutError where the daemon does not answer in time', async (t) => {
  const application = fakeApplication()
  application.status = () => new Promise(() => {})
  const h = await serve(t, {}, application)
  const client = await connect(h.home, 100)
  await assert.rejects(client.status(), { name: 'TimeoutError' })
  client.close()
})

test('AP-06 the client follows events over a restart of the daemon: each once, in order', async (t) => {
  const home = await tempHome(t)
  const application = fakeApplication()
  const options = optionsFor(home, application)
  let server = new ApiServer(options)
  await server.start()
  const client = await connect(home)
  const stop = new AbortController()
  const seen: number[] = []
  const follow = async (): Promise<void> => {
    for await (const item of client.events(0, stop.signal) as AsyncIterable<StreamItem>) {
      if (item.type === 'event') seen.push(item.event.number)
      if (seen.length === 30) stop.abort()
    }
  }
  const following = follow()
  for (let i = 0; i < 10; i++) application.emit('a', {})
  while (seen.length < 10) await new Promise((resolve) => setTimeout(resolve, 5))
  await server.stop()
  for (let i = 0; i < 10; i++) application.emit('b', {})
  server = new ApiServer(options)
  await server.start()
  t.after(async () => server.stop())
  while (seen.length < 20) await new Promise((resolve) => setTimeout(resolve, 5))
  for (let i = 0; i < 10; i++) application.emit('c', {})
  await following
  assert.deepEqual(
    seen,
    Array.from({ length: 30 }, (_, i) => i + 1),
  )
  client.close()
})
