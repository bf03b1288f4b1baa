/** Mail over real daemons that hold for others while the people themselves hold nothing, and the load that one API takes. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { MailboxView } from '../../src/api/application/network.ts'
import { TEXT_BYTES_MAX } from '../../src/wire/content.ts'
import { allowMuch, load } from '../load/load.ts'
import { befriend, knowEnough, startAll, Testbed, until } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'
import { heldOnDisk } from '../support/holder-disk.ts'

const HOLDERS = 5
const bed = new Testbed()
let holders: readonly Daemon[]
let alice: Daemon
let bob: Daemon
let aliceId = ''
let bobId = ''

before(async () => {
  holders = Array.from({ length: HOLDERS }, (_, i) => bed.daemon(`holder${i}`, { passphrase: null }))
  alice = bed.daemon('alice', { flags: ['--no-holder'] })
  bob = bed.daemon('bob', { flags: ['--no-holder'] })
  for (const person of [alice, bob]) allowMuch(person)
  await holders[0]?.start()
  await startAll([...holders.slice(1), alice, bob])
  await knowEnough(bed, HOLDERS - 1)
  await Promise.all([alice, bob].map(async (person) => person.createIdentity()))
  aliceId = await alice.accountId()
  bobId = await bob.accountId()
  await befriend(alice, bob)
})
after(() => bed.close())

const lettersHeld = async (): Promise<number> => {
  const disks = await Promise.all(holders.map(async ({ home }) => heldOnDisk(home)))
  return disks.reduce((sum, { letters }) => sum + letters.size, 0)
}
const mailbox = async (daemon: Daemon): Promise<MailboxView> => daemon.api('GET', '/mailbox')

test('MB-05 MB-18 MB-23 MB-42 TE-05 client → five holders’ disks → client, then deleted; people who hold nothing send and receive', async () => {
  await bob.stop()
  const sent = []
  for (let i = 0; i < 3; i++) sent.push(await alice.send(bobId, `while you were away ${i}`))
  for (const { id } of sent) await until('five receipts', async () => (await alice.message(id)).stored === 5)
  assert.ok((await lettersHeld()) >= 15, 'each lies on five disks')
  await bob.start()
  for (let i = 0; i < 3; i++) await bob.receives(aliceId, `while you were away ${i}`)
  for (const { id } of sent) await alice.reaches(id, 'delivered')
  const status = await until('the sweep is complete', async () => {
    const view = await mailbox(bob)
    return view.complete && view.waiting === 0 ? view : undefined
  })
  assert.equal(status.unread, 3)
  assert.ok(status.answers >= HOLDERS && status.lastSweepAt !== null)
  const peers = new Set(holders.map(({ peerId }) => peerId))
  assert.ok(status.holders.length >= 3 && status.holders.every(({ peerId }) => peers.has(peerId)))
  const shown = await bob.cli(['mailbox', 'status'], { json: false })
  assert.match(shown.stdout, /unread: +3/)
  await until('the holders let go', async () => (await lettersHeld()) === 0)
  for (const person of [alice, bob]) {
    assert.deepEqual((await person.status()).holder, { serving: false, records: 0, bytes: 0 })
    assert.equal((await heldOnDisk(person.home)).letters.size, 0)
  }
})

test('MB-21 a text of 1 MiB for somebody who is away goes in parts over the mailbox and is whole again', async () => {
  await bob.stop()
  const text = '1 MiB '.repeat(TEXT_BYTES_MAX / 6).trimEnd()
  const { id } = await alice.send(bobId, text)
  await alice.reaches(id, 'stored', 120_000)
  const { devices } = await alice.why(id)
  assert.ok(devices.length >= 26, `${devices.length} parts`)
  // With Alice gone nothing can come but over the mailbox.
  await alice.stop()
  await bob.start()
  const received = await bob.receives(aliceId, text, 120_000)
  assert.equal(received.id, id)
  await alice.start()
  await alice.reaches(id, 'delivered', 60_000)
})

test('TE-06 twenty streams, ten readers and two hundred messages at once: nothing is lost, and everybody hears of everything', async () => {
  const plan = { streams: 20, readers: 10, messages: 200 }
  const { delivered, received, unheard, failures, reads } = await load(alice, bob, plan)
  assert.deepEqual(
    { delivered, received, unheard, failures },
    { delivered: 200, received: 200, unheard: 0, failures: 0 },
  )
  assert.ok(reads > 10)
})
