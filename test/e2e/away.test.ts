/** Two people on real daemons, one of them away, killed or frozen: nothing acknowledged is lost, nothing comes twice. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { MessageView } from '../../src/api/application/messages.ts'
import { befriend, pause, startAll, startNetwork, Testbed, until } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'
import { heldOnDisk } from '../support/holder-disk.ts'

const HOLDERS = 6
const REPLICAS = 5
const bed = new Testbed()
let alice: Daemon
let bob: Daemon
let aliceId = ''
let bobId = ''
let serial = 0

const text = (): string => `message ${++serial}`
const times = (messages: readonly MessageView[], wanted: string): number =>
  messages.filter((message) => !message.outgoing && message.text === wanted).length

before(async () => {
  const people = await startNetwork(bed, HOLDERS, ['alice', 'bob'])
  alice = people[0] ?? assert.fail()
  bob = people[1] ?? assert.fail()
  aliceId = await alice.accountId()
  bobId = await bob.accountId()
  await befriend(alice, bob)
})
after(() => bed.close())

/** Alice writes while Bob is not there; resolves with five receipts. */
async function writeToMailbox(words: string): Promise<MessageView> {
  const { id } = await alice.send(bobId, words)
  return until('five receipts', async () => {
    const message = await alice.message(id)
    return message.stored === REPLICAS ? message : undefined
  })
}

async function holdersOf(id: string): Promise<readonly Daemon[]> {
  const { devices } = await alice.why(id)
  const peerIds = (devices[0]?.holders ?? []).map(({ peerId }) => peerId)
  return peerIds.map((peerId) => bed.daemons.find((daemon) => daemon.peerId === peerId) ?? assert.fail(peerId))
}

test('DT-03 DT-06 two daemons that are both there speak directly', async () => {
  const words = text()
  const { id } = await alice.send(bobId, words)
  const delivered = await alice.reaches(id, 'delivered')
  assert.deepEqual([delivered.path, delivered.stored], ['direct', 0])
  const received = await bob.receives(aliceId, words)
  assert.equal(received.id, id)
  const back = await bob.send(aliceId, `${words}, back`)
  assert.equal((await bob.reaches(back.id, 'delivered')).path, 'direct')
})

test('DT-04 DT-10 a receiver killed right after its receipt has the message when it is back', async () => {
  const words = text()
  const { id } = await alice.send(bobId, words)
  await alice.reaches(id, 'delivered')
  await bob.kill()
  await bob.start()
  await bob.ready()
  assert.equal(times(await bob.messages(aliceId), words), 1)
})

test('DT-21 a frozen receiver takes bytes but gives no receipt: never delivered, and a copy lies in the mailbox', async () => {
  const words = text()
  process.kill(bob.pid ?? assert.fail(), 'SIGSTOP')
  let id: string
  try {
    id = (await alice.send(bobId, words)).id
    const stored = await alice.reaches(id, 'stored')
    assert.ok(stored.status === 'stored' && stored.stored >= 3)
    await pause(3_000)
    assert.equal((await alice.message(id)).status, 'stored')
  } finally {
    process.kill(bob.pid ?? assert.fail(), 'SIGCONT')
  }
  await alice.reaches(id, 'delivered')
  await bob.receives(aliceId, words)
  assert.equal(times(await bob.messages(aliceId), words), 1)
})

test('E2-06 MB-13 Bob is away, Alice writes and goes away, Bob comes back and reads', async () => {
  const words = text()
  await bob.stop()
  const stored = await writeToMailbox(words)
  assert.deepEqual([stored.status, stored.storedOf, stored.path], ['stored', REPLICAS, 'mailbox'])
  await alice.stop()
  await bob.start()
  await bob.receives(aliceId, words)
  await alice.start()
  await alice.reaches(stored.id, 'delivered', 60_000)
  assert.equal(times(await bob.messages(aliceId), words), 1)
})

test('E2-48 LS-13 a session survives the restart of both ends, again and again', async () => {
  for (let round = 0; round < 2; round++) {
    await Promise.all([alice.stop(), bob.stop()])
    await Promise.all([alice.start(), bob.start()])
    await Promise.all([alice.ready(), bob.ready()])
    const words = text()
    const there = await alice.send(bobId, words)
    const back = await bob.send(aliceId, words)
    await alice.reaches(there.id, 'delivered', 60_000)
    await bob.reaches(back.id, 'delivered', 60_000)
    assert.equal(times(await bob.messages(aliceId), words), 1)
    assert.equal(times(await alice.messages(bobId), words), 1)
  }
})

test('MB-41 MB-08 holders killed right after their receipts have the letter when they are back', async () => {
  const words = text()
  await bob.stop()
  const before = await Promise.all(bed.daemons.map((daemon) => heldOnDisk(daemon.home)))
  const { id } = await writeToMailbox(words)
  const holders = await holdersOf(id)
  await Promise.all(holders.map((holder) => holder.kill()))
  assert.equal(new Set(holders).size, REPLICAS)
  assert.ok(!holders.includes(alice) && !holders.includes(bob))
  const fresh = await Promise.all(
    holders.map(async (holder) => {
      const known = before[bed.daemons.indexOf(holder)]?.letters
      return [...(await heldOnDisk(holder.home)).letters].filter((letter) => known?.has(letter) !== true)
    }),
  )
  const [letter] = fresh[0] ?? []
  assert.ok(letter !== undefined && fresh.every((ids) => ids.includes(letter)), 'one letter, on five disks')
  await Promise.all(holders.map((holder) => holder.start()))
  await bob.start()
  await bob.receives(aliceId, words, 60_000)
})

test('MB-16 I2 a letter that was deleted while two holders were away does not come back with them', async () => {
  const words = text()
  await bob.stop()
  const { id } = await writeToMailbox(words)
  const [first, second] = (await holdersOf(id)).filter((holder) => holder !== bed.daemons[0])
  await Promise.all([first?.kill(), second?.kill()])
  await bob.start()
  await bob.receives(aliceId, words, 60_000)
  await alice.reaches(id, 'delivered', 60_000)
  await Promise.all([first?.start(), second?.start()])
  await bob.stop()
  await bob.start()
  await until('Bob has swept his mailbox', async () => (await bob.status()).mailbox.lastSweepAt !== null)
  await pause(2_000)
  assert.equal(times(await bob.messages(aliceId), words), 1)
})

test('DT-19 OP-19 with everybody gone the message waits, tries again, and arrives when they are back', async () => {
  const others = bed.daemons.filter((daemon) => daemon !== alice)
  await Promise.all(others.map((daemon) => daemon.kill()))
  const words = text()
  const { id } = await alice.send(bobId, words)
  const attempts = async (): Promise<number> => (await alice.why(id)).devices[0]?.attempts ?? 0
  await until('it was tried twice', async () => (await attempts()) >= 2, 60_000)
  assert.equal((await alice.message(id)).status, 'queued')
  const why = await alice.why(id)
  assert.ok(why.summary.length > 0 && (why.devices[0]?.steps.length ?? 0) > 0, 'attempts are on record')
  await startAll(others)
  await alice.reaches(id, 'delivered', 90_000)
  assert.equal(times(await bob.messages(aliceId), words), 1)
})
