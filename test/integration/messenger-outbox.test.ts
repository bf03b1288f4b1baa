/** The outbox at work: nothing spins, nothing stays behind, and what changes under its hands is not mixed up. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entryOf, OutboxQueue } from '../../src/services/outbox/queue.ts'
import { DIRECT_WINDOW } from '../../src/services/outbox/limits.ts'
import { encode } from '../../src/wire/codec.ts'
import { contentCodec } from '../../src/wire/content.ts'
import { DIRECT_FRAME } from '../../src/wire/direct.ts'
import { HOLDER_VERB } from '../../src/wire/holder.ts'
import { bytes, outboxItem } from '../unit/store/fixtures.ts'
import { World } from '../support/messenger.ts'
import type { WorldOptions } from '../support/messenger.ts'

const pair = async (options: WorldOptions = {}) => {
  const world = await World.of(['alice', 'bob'], options)
  return { world, alice: world.named('alice'), bob: world.named('bob') }
}

test('a daemon that stops in the middle leaves no timer and no work behind', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.stop()
  const rest = world.clock.timers
  bob.up = false
  for (let i = 0; i < 20; i++) await alice.send(bob, `s${i}`)
  await world.clock.pass(50)
  const stopped = await alice.stop().then(() => world.clock.timers)
  assert.ok(stopped < rest, `${stopped} of ${rest} timers are left`)
  const frames = world.sent.length
  const letters = world.letters.size
  await world.clock.pass(20_000)
  assert.deepEqual([world.sent.length, world.letters.size], [frames, letters])
  await alice.start()
  alice.online()
  await bob.start()
  bob.online()
  await world.must(async () => (await bob.read(alice)).length === 20, 'all arrive')
})

test('DT-16 at most a window of envelopes is on the way to a peer that does not answer', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  bob.deaf = true
  const count = DIRECT_WINDOW + 30
  for (let i = 0; i < count; i++) await alice.send(bob, `w${i}`)
  await world.clock.pass(1_500)
  const written = world.sent.filter(({ frame }) => frame.kind === DIRECT_FRAME.envelope).length
  assert.equal(written, DIRECT_WINDOW)
  assert.equal(world.letters.size, 0, 'and none is put before its time')
})

test('E2-43 what is encrypted anew while its old letter is being put goes at once, not after the recheck', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  world.block(alice, bob)
  bob.deaf = true
  const gate = Promise.withResolvers<void>()
  let waiting = 0
  for (const holder of world.holders) {
    holder.lie = async (_caller, request, honest) => {
      const answer = await honest()
      if (request.kind !== HOLDER_VERB.put) return answer
      waiting++
      await gate.promise
      return answer
    }
  }
  const id = await alice.send(bob, 'under way')
  await world.must(() => waiting === 3, 'the put is under way')
  await world.clock.quiet()
  const { outbox, journal } = alice.rooms
  const { deviceId } = (await alice.rooms.contacts.require(bob.id)).devices[0] ?? {}
  assert.ok(deviceId)
  await journal.commit(async () => ({ ops: await outbox.resealOps(bob.id, deviceId), facts: [], result: undefined }))
  gate.resolve()
  await world.clock.pass(20_000)
  const [item] = await outbox.itemsOf(Buffer.from(id, 'hex'), bob.id)
  assert.ok(item?.sealed && item.letter)
  assert.deepEqual(item.letter.ciphertext, item.sealed.envelope, 'the letter is that of the new envelope')
  assert.equal(world.letters.size, 2, 'and it was put')
  bob.deaf = false
  bob.online()
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  assert.deepEqual(await bob.read(alice), ['under way'])
})

test('PR-06 a large message is stored when all of its parts are, not with the first', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.stop()
  let puts = 0
  for (const holder of world.holders) {
    holder.lie = async (_caller, request, honest) => {
      if (request.kind !== HOLDER_VERB.put || ++puts <= 6) return honest()
      return { ...(await honest()), status: 9 as never }
    }
  }
  const id = await alice.send(bob, 'p'.repeat(150_000))
  await world.clock.pass(10_000)
  const items = await alice.rooms.outbox.itemsOf(Buffer.from(id, 'hex'), bob.known)
  const stored = items.filter(({ receipts }) => receipts.length >= 3).length
  assert.ok(stored > 0 && stored < items.length, `${stored} of ${items.length} parts`)
  assert.equal(await alice.status(id), 'queued')
  for (const holder of world.holders) holder.lie = undefined
  await world.must(async () => (await alice.status(id)) === 'stored', 'stored')
})

test('DT-15 a link that was cut carries again within 35 s of its return', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  for (const holder of world.holders) holder.down()
  world.block(alice, bob)
  const id = await alice.send(bob, 'cut')
  await world.clock.pass(60_000)
  assert.equal(await alice.status(id), 'queued')
  world.unblock(alice, bob)
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered', 35_000)
  assert.equal((await alice.app.message(id)).path, 'direct')
})

test('the queue finds by message, device and envelope, and who waits for an entry is told when it goes', () => {
  const queue = new OutboxQueue()
  const [contact, device, other] = [bytes(32), bytes(16), bytes(16)]
  const messageId = bytes(16)
  const content = encode(contentCodec, {
    version: 1,
    id: messageId,
    preimage: bytes(16),
    sentAt: 1,
    kind: 1,
    body: bytes(3),
    extensions: [],
  })
  const entries = [1, 2, 3].map((sequence) =>
    entryOf(outboxItem(sequence, { contact, deviceId: sequence === 3 ? other : device, messageId, content })),
  )
  for (const entry of entries) queue.add(entry)
  const [first] = entries
  assert.ok(first)
  queue.add({ ...first })
  assert.ok(queue.has(first), 'an entry that is there stays')
  const name = Buffer.from(messageId).toString('hex')
  assert.deepEqual(
    queue.ofMessage(name, contact).map(({ sequence }) => sequence),
    [1, 2, 3],
  )
  assert.deepEqual(
    queue.ofMessage(name, contact, device).map(({ sequence }) => sequence),
    [1, 2],
  )
  assert.deepEqual(queue.ofMessage(name, bytes(32)), [])
  queue.setEnvelope(first, 'ab')
  assert.equal(queue.byEnvelope('ab'), first)
  queue.remove(first)
  assert.equal(queue.byEnvelope('ab'), undefined)
  let told = 0
  for (const entry of entries) entry.acknowledged = () => told++
  const lanes = queue.lanes()
  queue.clear()
  assert.equal(told, 2)
  assert.ok(
    lanes.every(({ entries: left }) => left.size === 0),
    'whoever runs a lane finds nothing in it',
  )
  assert.equal(queue.size + queue.ofMessage(name, contact).length, 0)
})
