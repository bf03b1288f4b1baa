/** A home is copied, lost, and brought back on another machine, where its owner goes on talking to the same people. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { ContactView } from '../../src/api/application/contacts.ts'
import type { MessageView, Page } from '../../src/api/application/messages.ts'
import type { BackupSummary } from '../../src/api/application/storage.ts'
import { befriend, PASSPHRASE, startNetwork, Testbed, until } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'

const BACKUP_PASSPHRASE = 'kept in a drawer'
const NEW_PASSPHRASE = 'a new home, a new one'
const TALK_MS = 60_000

const bed = new Testbed()
let alice: Daemon
let bob: Daemon
let backup: Uint8Array<ArrayBuffer>

before(async () => {
  const people = await startNetwork(bed, 5, ['alice', 'bob'])
  alice = people[0] ?? assert.fail()
  bob = people[1] ?? assert.fail()
  await befriend(alice, bob)
})
after(() => bed.close())

/** As curl would: the bytes of a body, and what came back. */
async function raw(daemon: Daemon, path: string, type: string, body: Uint8Array<ArrayBuffer>): Promise<Response> {
  const token = readFileSync(join(daemon.home, 'api-token'), 'utf8').trim()
  const headers = { authorization: `Bearer ${token}`, 'content-type': type }
  return fetch(`http://127.0.0.1:${daemon.apiPort}/api/v1${path}`, { method: 'POST', headers, body })
}

async function restore(daemon: Daemon, file: Uint8Array, passphrase: string): Promise<Response> {
  const line = Buffer.from(`${JSON.stringify({ passphrase, newPassphrase: NEW_PASSPHRASE })}\n`)
  return raw(daemon, '/backup/restore', 'application/vnd.sotto.restore', Buffer.concat([line, file]))
}

const codeOf = async (response: Response): Promise<[number, string]> => [
  response.status,
  ((await response.json()) as { code: string }).code,
]

test('LS-20 LS-09 a backup goes out as bytes, to nobody who has not the passphrase; search finds what was said', async () => {
  const bobId = await bob.accountId()
  await alice.send(bobId, 'the swallow flies at dawn')
  await bob.receives(await alice.accountId(), 'the swallow flies at dawn')
  const found = await alice.api<Page<MessageView>>('GET', '/search?q=swal%20DAWN')
  assert.deepEqual(
    found.items.map(({ text }) => text),
    ['the swallow flies at dawn'],
  )
  const asked = async (current: string): Promise<Response> =>
    raw(alice, '/backup', 'application/json', Buffer.from(JSON.stringify({ current, passphrase: BACKUP_PASSPHRASE })))
  assert.deepEqual(await codeOf(await asked('not mine')), [401, 'passphrase'])
  const answer = await asked(PASSPHRASE)
  assert.equal(answer.status, 200)
  backup = new Uint8Array(await answer.arrayBuffer())
  assert.equal(Buffer.from(backup).includes('swallow'), false)
})

test('LS-01 a changed passphrase opens the home after a restart, the old one does not', async () => {
  const change = { passphrase: PASSPHRASE, newPassphrase: NEW_PASSPHRASE }
  await assert.rejects(alice.api('PUT', '/identity/passphrase', { ...change, passphrase: 'not mine' }), /passphrase/)
  await alice.api('PUT', '/identity/passphrase', change)
  await alice.api('POST', '/identity/lock')
  await assert.rejects(alice.api('POST', '/identity/unlock', { passphrase: PASSPHRASE }), /passphrase/)
  await alice.api('POST', '/identity/unlock', { passphrase: NEW_PASSPHRASE })
})

test('LS-20 LS-13 the backup makes the account in an empty home; contacts and messages are there, and talk goes on both ways', async () => {
  const [aliceId, bobId] = [await alice.accountId(), await bob.accountId()]
  await alice.stop()
  const again = bed.daemon('again', { passphrase: NEW_PASSPHRASE })
  await again.start()
  assert.deepEqual(await codeOf(await restore(again, backup, 'wrong')), [401, 'passphrase'])
  assert.deepEqual(await codeOf(await restore(again, backup.subarray(0, -9), BACKUP_PASSPHRASE)), [422, 'malformed'])
  assert.equal((await again.status()).state, 'empty')
  const answer = await restore(again, backup, BACKUP_PASSPHRASE)
  const summary = (await answer.json()) as BackupSummary
  assert.deepEqual([answer.status, summary.accountId, summary.contacts, summary.messages], [201, aliceId, 1, 1])
  assert.deepEqual(await codeOf(await restore(again, backup, BACKUP_PASSPHRASE)), [409, 'conflict'])
  const contact = await again.api<ContactView>('GET', `/contacts/${bobId}`)
  assert.deepEqual([contact.state, contact.pinSource], ['accepted', 'invite'])
  assert.deepEqual(
    (await again.messages(bobId)).map(({ text }) => text),
    ['the swallow flies at dawn'],
  )
  await until('the old messages are indexed', async () => {
    const { items } = await again.api<Page<MessageView>>('GET', '/search?q=swallow')
    return items.length === 1
  })
  await again.send(bobId, 'here I am again')
  await bob.receives(aliceId, 'here I am again', TALK_MS)
  await bob.send(aliceId, 'good to see you')
  await again.receives(bobId, 'good to see you', TALK_MS)
})
