/** What the network does for people: their keys survive holders, their talk stays in order and among peers. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { MessageView } from '../../src/api/application/messages.ts'
import { selectProvider } from '../../src/crypto/select.ts'
import { toHex } from '../../src/lib/bytes.ts'
import { parseAccountId } from '../../src/protocol/account-id.ts'
import { accountCardKey } from '../../src/protocol/mailbox-rules.ts'
import { searchTrees } from '../support/canary.ts'
import { befriend, startNetwork, Testbed, until } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'
import { heldOnDisk } from '../support/holder-disk.ts'
import { connectionsOf, udpSocketsOf } from '../support/sockets.ts'

const TEXT_BYTES_MAX = 1_048_576
const bed = new Testbed()
let alice: Daemon
let bob: Daemon
let carol: Daemon
let aliceId = ''
let bobId = ''

before(async () => {
  // A holder notes the peer ids of the holders around it; those of people who hold nothing are to lie nowhere.
  const people = await startNetwork(bed, 8, ['alice', 'bob', 'carol'], ['--no-holder'])
  alice = people[0] ?? assert.fail()
  bob = people[1] ?? assert.fail()
  carol = people[2] ?? assert.fail()
  aliceId = await alice.accountId()
  bobId = await bob.accountId()
  await befriend(alice, bob)
})
after(() => bed.close())

async function textsFromAlice(): Promise<readonly string[]> {
  return (await bob.messages(aliceId)).filter((message) => !message.outgoing).map((message) => message.text)
}

/** Ids of the letters on every disk. */
async function lettersHeld(): Promise<readonly (readonly string[])[]> {
  return Promise.all(bed.daemons.map(async (daemon) => [...(await heldOnDisk(daemon.home)).letters]))
}

/** Connections between Alice and Bob; two where both dialled at the same moment. */
async function connectionsToBob(): Promise<number> {
  return (await alice.peers()).filter((peer) => peer.peerId === bob.peerId).length
}

test('MB-26 nothing that lies with holders names the peers that it is from or for', async () => {
  const { id } = await alice.send(bobId, 'you know where I am')
  await alice.reaches(id, 'delivered')
  const held = bed.daemons.map((daemon) => join(daemon.home, 'held')).filter(existsSync)
  assert.equal(held.length, 8)
  for (const peerId of [bob.peerId, alice.peerId]) assert.deepEqual(searchTrees(held, peerId).found, [])
})

test('DT-14 a hundred messages go over the connection that is there', async () => {
  const first = await alice.send(bobId, 'the first of a hundred')
  await alice.reaches(first.id, 'delivered')
  const before = await connectionsToBob()
  const sent: MessageView[] = []
  for (let i = 1; i < 100; i++) sent.push(await alice.send(bobId, `one of a hundred, ${i}`))
  for (const { id } of sent) assert.equal((await alice.reaches(id, 'delivered')).path, 'direct')
  assert.ok(before === 1 || before === 2, `${before} connections`)
  assert.equal(await connectionsToBob(), before)
})

test('DT-20 F26 large and small ones keep their order, none is lost and none comes twice', async () => {
  const texts = Array.from({ length: 12 }, (_, i) => `${i} ${i % 3 === 0 ? 'x'.repeat(300_000) : 'small'}`)
  const sent: MessageView[] = []
  for (const text of texts) sent.push(await alice.send(bobId, text))
  for (const { id } of sent) await alice.reaches(id, 'delivered', 60_000)
  const seen = (await textsFromAlice()).filter((text) => texts.includes(text))
  assert.deepEqual(
    seen.map((text) => text.slice(0, 8)),
    texts.map((text) => text.slice(0, 8)),
  )
})

test('DT-17 a text of 1 MiB arrives whole; one byte more is refused', async () => {
  const most = 'ä'.repeat(TEXT_BYTES_MAX / 2)
  const { id } = await alice.send(bobId, most)
  await alice.reaches(id, 'delivered', 60_000)
  assert.ok((await textsFromAlice()).includes(most))
  const over = await alice.cli(['send', bobId], { stdin: `${most}x` })
  assert.deepEqual([over.code, over.stdout], [1, ''])
  await assert.rejects(alice.send(bobId, `${most}x`), { status: 413 })
})

// The kernel says it best, and only Linux says it in files.
if (process.platform === 'linux') {
  test('ID-13 a daemon talks to peers of its network and to nobody else', () => {
    const ports = new Set(bed.daemons.map((daemon) => /tcp\/(\d+)/.exec(daemon.address)?.[1]))
    for (const daemon of [alice, bob]) {
      const pid = daemon.pid ?? assert.fail()
      const connections = connectionsOf(pid).filter(({ local }) => !local.endsWith(`:${daemon.apiPort}`))
      assert.ok(connections.length > 0)
      for (const { local, remote } of connections) {
        assert.match(remote, /^127\.0\.0\.1:/)
        assert.ok(
          [local, remote].some((end) => ports.has(end.split(':')[1])),
          `${local} to ${remote}`,
        )
      }
      assert.equal(udpSocketsOf(pid), 0)
    }
  })
}

test('E2-56 ID-10 E2-04 request and answer both go through mailboxes, neither side ever meeting the other', async () => {
  const carolId = await carol.accountId()
  await carol.stop()
  const known = await lettersHeld()
  await alice.api('POST', '/contacts', { target: carolId, name: 'carol', note: 'while you were away' })
  await until('the request is on five disks', async () => {
    const held = await lettersHeld()
    return held.filter((letters, i) => letters.some((id) => known[i]?.includes(id) === false)).length >= 5
  })
  await alice.stop()
  await carol.start()
  const request = await until('the request is found', async () => {
    const contact = await carol.contact(aliceId)
    return contact.state === 'incoming' ? contact : undefined
  })
  assert.equal(request.note, 'while you were away')
  await carol.api('POST', `/contacts/${aliceId}/accept`, { name: 'alice' })
  const { id } = await carol.send(aliceId, 'an answer into the mailbox')
  await carol.reaches(id, 'stored')
  await carol.stop()
  await alice.start()
  await until('the acceptance is found', async () => (await alice.contact(carolId)).state === 'accepted', 60_000)
  await alice.receives(carolId, 'an answer into the mailbox')
  await carol.start()
  const direct = await alice.send(carolId, 'and now directly')
  await alice.reaches(direct.id, 'delivered', 60_000)
})

test('DT-01 NA-01 a contact is dialled; who knows nothing but the account id learns no address', async () => {
  const seen = JSON.stringify(await carol.lookup(bobId))
  assert.ok(!seen.includes(bob.peerId) && !/ip4|tcp|127\.0\.0\.1/.test(seen))
  const sent = await alice.send(bobId, 'found you')
  assert.equal((await alice.reaches(sent.id, 'delivered')).path, 'direct')
})

test('ID-09 keys are found with four of the five holders of the card killed', async () => {
  const carolId = await carol.accountId()
  const key = toHex(accountCardKey(selectProvider(undefined), parseAccountId(carolId)))
  const holders: Daemon[] = []
  for (const daemon of bed.daemons) if ((await heldOnDisk(daemon.home)).cards.has(key)) holders.push(daemon)
  assert.ok(holders.length >= 5, `${holders.length} hold the card`)
  await carol.stop()
  const others = holders.filter((daemon) => daemon !== carol)
  const survivor = others.find((daemon) => daemon === bed.daemons[0]) ?? others[0] ?? assert.fail()
  await Promise.all(others.filter((daemon) => daemon !== survivor).map((daemon) => daemon.kill()))
  const seeker = bed.daemon('seeker', { bootstrap: [survivor.address] })
  await seeker.start()
  await seeker.createIdentity()
  const keys = await until('the keys are found', () => seeker.lookup(carolId), 20_000)
  assert.equal(keys.accountId, carolId)
})
