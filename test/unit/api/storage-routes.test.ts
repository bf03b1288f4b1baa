/** What the routes of storage let through: shapes, bounds, kinds of bodies. What they do is shown by transports.test.ts and e2e/backup.test.ts. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { RESTORE_TYPE } from '../../../src/api/client/storage.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { serve } from './harness.ts'

const LINE = JSON.stringify({ passphrase: 'paper key', newPassphrase: 'a fresh home' })

test('LS-20 AP-24 a restore begins with one line of passphrases; anything else is refused before the file is looked at', async (t) => {
  const { ask } = await serve(t)
  const restore = async (raw: string, type = RESTORE_TYPE): Promise<number> =>
    (await ask('/api/v1/backup/restore', { method: 'POST', raw, headers: { 'content-type': type } })).status
  assert.equal(await restore(LINE), 400)
  assert.equal(await restore('not JSON\nfile'), 400)
  assert.equal(await restore(`${'x'.repeat(40_000)}\nfile`), 400)
  assert.equal(await restore('{"passphrase":"paper key"}\nfile'), 422)
  assert.equal(await restore('{"passphrase":"paper key","newPassphrase":"short"}\nfile'), 422)
  assert.equal(await restore(LINE, 'application/json'), 415)
  assert.equal(await restore(`${LINE}\nno backup at all`), 422)
})

test('LS-01 AP-24 a new passphrase has eight characters at least, and both are asked for', async (t) => {
  const { ask } = await serve(t)
  const change = async (body: unknown): Promise<number> =>
    (await ask('/api/v1/identity/passphrase', { method: 'PUT', body })).status
  assert.equal(await change({ passphrase: 'correct horse', newPassphrase: 'short' }), 422)
  assert.equal(await change({ newPassphrase: 'long enough' }), 422)
  assert.equal(await change({ passphrase: 'correct horse', newPassphrase: 'long enough', more: 1 }), 422)
  assert.equal(await change({ passphrase: 'wrong', newPassphrase: 'long enough' }), 401)
  assert.equal(await change({ passphrase: 'correct horse', newPassphrase: 'long enough' }), 204)
})

test('LS-20 SE-05 a backup that nobody waits for is called off: gone before its first byte, gone later, or stalled', async (t) => {
  const clock = new VirtualClock()
  const { application, port, token } = await serve(t, { clock })
  const log: string[] = []
  let begin = (): void => {}
  let chunks = 0
  application.backup = async function* () {
    chunks = 0
    try {
      log.push('begun')
      await new Promise<void>((resolve) => (begin = resolve))
      for (;;) {
        chunks++
        yield Buffer.alloc(65_536)
      }
    } finally {
      log.push('wiped')
    }
  }
  const body = JSON.stringify({ current: 'correct horse', passphrase: 'paper key' })
  const open = (): ClientRequest => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const outgoing = request({ host: '127.0.0.1', port, method: 'POST', path: '/api/v1/backup', headers, agent: false })
    outgoing.on('error', () => {})
    outgoing.end(body)
    return outgoing
  }
  const until = async (what: () => boolean, why: string): Promise<void> => {
    for (let step = 0; step < 1_000 && !what(); step++) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.ok(what(), why)
  }
  const wiped = (times: number): boolean => log.filter((line) => line === 'wiped').length === times
  const early = open()
  await until(() => log.includes('begun'), 'asked')
  early.destroy()
  await new Promise((resolve) => setTimeout(resolve, 50))
  begin()
  await until(() => wiped(1), 'gone before the first byte')
  for (const end of ['leave', 'stall']) {
    log.length = 0
    const outgoing = open()
    await until(() => log.includes('begun'), 'asked')
    begin()
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    response.on('error', () => {})
    let before = 0
    while (before < chunks) {
      before = chunks
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    if (end === 'leave') response.destroy()
    else {
      assert.equal(wiped(0), true, 'still there')
      await clock.advance(59_000)
      assert.equal(wiped(0), true, 'a minute')
      await clock.advance(1_000)
    }
    await until(() => wiped(1), end)
    outgoing.destroy()
  }
})
