/** Whole messengers: what one sends the other gets, once, and what is said of it is what was proved. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../src/lib/bytes.ts'
import { LimitError } from '../../src/lib/errors.ts'
import { DAY_MS, HOUR_MS } from '../../src/lib/time.ts'
import { encode } from '../../src/wire/codec.ts'
import { CONTENT_KIND, receiptBodyCodec, TEXT_BYTES_MAX } from '../../src/wire/content.ts'
import { DIRECT_FRAME } from '../../src/wire/direct.ts'
import { World } from '../support/messenger.ts'

const pair = async (options = {}) => {
  const world = await World.of(['alice', 'bob'], options)
  return { world, alice: world.named('alice'), bob: world.named('bob') }
}

test('DT-03 DT-04 DT-05 DT-06 a direct message is acknowledged by its reader, and no holder keeps anything', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const puts = world.letters.size
  const id = await alice.send(bob, 'hello')
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  assert.deepEqual(await bob.read(alice), ['hello'])
  const message = await alice.app.message(id)
  assert.equal(message.path, 'direct')
  assert.deepEqual([message.stored, message.storedOf], [0, 0])
  await world.clock.pass(10_000)
  assert.equal(world.letters.size, puts, 'nothing was put')
  assert.equal(alice.rooms.outbox.queue.size, 0)
  await bob.kill()
  await bob.start()
  assert.deepEqual(await bob.read(alice), ['hello'], 'it was on the disk before it was acknowledged')
})

test('MB-13 E2-06 PR-06 who is away finds it later: queued, stored, delivered, each with its proof', async () => {
  const { world, alice, bob } = await pair({ holders: 5 })
  await using _ = world
  await bob.stop()
  const id = await alice.send(bob, 'while you were away')
  assert.equal(await alice.status(id), 'queued')
  assert.match((await alice.app.why(id)).summary, /Nothing is proved yet/)
  await world.must(async () => (await alice.status(id)) === 'stored', 'stored')
  await world.clock.pass(5_000)
  const stored = await alice.app.message(id)
  assert.deepEqual([stored.status, stored.path, stored.stored, stored.storedOf], ['stored', 'mailbox', 5, 5])
  const why = await alice.app.why(id)
  assert.equal(why.devices[0]?.holders.length, 5)
  assert.match(why.summary, /5 of 5 holders signed/)
  assert.ok(why.devices[0]?.steps.some(({ event }) => event === 'stored'))
  await world.clock.sleep(2 * HOUR_MS)
  assert.equal(await alice.status(id), 'stored', 'holders alone never make it delivered')
  await alice.stop()
  await bob.start()
  bob.online()
  await world.must(async () => (await bob.read(alice)).length === 1, 'bob reads')
  await world.must(() => world.held === 5, 'the letter is deleted; one receipt waits for Alice')
  await world.clock.pass(10_000)
  await alice.start()
  alice.online()
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  assert.match((await alice.app.why(id)).summary, /shown that it has it/)
  const steps = (await alice.events()).map(({ type }) => type).filter((type) => type.startsWith('message:'))
  assert.deepEqual([...new Set(steps)], ['message:queued', 'message:stored', 'message:delivered'])
})

test('DT-21 frames that are lost after they were written prove nothing: a mailbox copy exists', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  bob.deaf = true
  const id = await alice.send(bob, 'into the void')
  await world.clock.pass(1_500)
  assert.equal(await alice.status(id), 'queued')
  await world.clock.pass(10_000)
  assert.equal(await alice.status(id), 'stored')
  assert.ok(world.held > 0)
  assert.deepEqual(await bob.read(alice), [])
})

test('DT-17 a text of 1 MiB arrives whole on both paths, one byte more is refused', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const text = 'x'.repeat(TEXT_BYTES_MAX)
  await assert.rejects(alice.send(bob, `${text}x`), LimitError)
  const direct = await alice.send(bob, text)
  await world.must(async () => (await alice.status(direct)) === 'delivered', 'delivered directly')
  assert.equal((await alice.events('message:delivered')).length, 1)
  await bob.stop()
  const mailed = await alice.send(bob, text.replace('x', 'y'))
  await world.must(async () => (await alice.status(mailed)) === 'stored', 'stored')
  const parts = await alice.rooms.outbox.itemsOf(Buffer.from(mailed, 'hex'), bob.known)
  assert.ok(parts.length >= 26 && parts.every(({ receipts }) => receipts.length >= 3), 'stored once every part is')
  await bob.start()
  bob.online()
  await world.must(async () => (await alice.status(mailed)) === 'delivered', 'delivered by mail')
  const [first, second] = await bob.read(alice)
  assert.ok(first === text && second === text.replace('x', 'y'))
  assert.equal((await bob.events('message:received')).length, 2)
})

test('DT-20 a burst of large and small ones keeps its order, and none comes twice', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const texts = Array.from({ length: 24 }, (_, i) => `${i} ${'z'.repeat(i % 4 === 0 ? 200_000 : 10)}`)
  for (const text of texts) await alice.send(bob, text)
  await world.must(async () => (await bob.read(alice)).length === texts.length, 'all arrive')
  // A large one is there with its last part, so that small ones may overtake it; no two of one size do.
  const got = await bob.read(alice)
  assert.deepEqual(
    got.filter((text) => text.length < 100),
    texts.filter((text) => text.length < 100),
  )
  assert.deepEqual([...got].sort(), [...texts].sort())
  assert.equal(bob.rooms.inbox.refused.duplicate, 0)
})

test('DT-19 OP-19 with everyone down for an hour it is delivered afterwards, and the attempts are on record', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.stop()
  for (const holder of world.holders) holder.down()
  const id = await alice.send(bob, 'patience')
  await world.clock.pass(HOUR_MS)
  const why = await alice.app.why(id)
  assert.equal(why.status, 'queued')
  assert.ok((why.devices[0]?.attempts ?? 0) > 50, `${why.devices[0]?.attempts} attempts`)
  assert.match(why.summary, /Holders could not be reached/)
  for (const holder of world.holders) holder.back()
  await bob.start()
  bob.online()
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  assert.deepEqual(await bob.read(alice), ['patience'])
})

test('E2-43 what nobody fetches in 30 days is reported as expired, never silently', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.stop()
  const id = await alice.send(bob, 'too late')
  await world.must(async () => (await alice.status(id)) === 'stored', 'stored')
  alice.offline()
  await world.clock.sleep(31 * DAY_MS)
  assert.equal(await alice.status(id), 'expired')
  assert.equal((await alice.events('message:expired')).length, 1)
  assert.match((await alice.app.why(id)).summary, /30 days/)
  assert.equal(alice.rooms.outbox.queue.waiting, 0)
})

test('PR-05 read receipts: read is told once the user has read it', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const ids = [await alice.send(bob, 'one'), await alice.send(bob, 'two')]
  await world.must(async () => (await bob.read(alice)).length === 2, 'both arrive')
  await world.clock.pass(5_000)
  assert.deepEqual(await Promise.all(ids.map(async (id) => alice.status(id))), ['delivered', 'delivered'])
  assert.deepEqual(await bob.app.markRead(alice.address, { upTo: ids[0] ?? '' }), { marked: 1 })
  await world.must(async () => (await alice.status(ids[0] ?? '')) === 'read', 'read')
  assert.equal(await alice.status(ids[1] ?? ''), 'delivered')
  assert.equal((await alice.app.message(ids[0] ?? '')).path, 'direct', 'how it went stays known')
})

test('PR-05 a read receipt that outruns the delivered one counts for both, and says it once', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  world.block(alice, bob)
  const id = await alice.send(bob, 'quick reader')
  await world.must(async () => (await bob.read(alice)).length === 1, 'it arrives by mail')
  await bob.app.markRead(alice.address, {})
  await world.must(async () => (await alice.status(id)) === 'read', 'read')
  const message = await alice.app.message(id)
  assert.equal(message.path, 'mailbox')
  assert.equal((await alice.events('message:read')).length, 1)
  assert.equal(alice.rooms.outbox.queue.size, 0)
})

test('PR-06 a heap of letters is answered by few receipts', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.stop()
  const ids: string[] = []
  for (let i = 0; i < 40; i++) ids.push(await alice.send(bob, `m${i}`))
  await world.must(async () => (await alice.status(ids.at(-1) ?? '')) === 'stored', 'all stored')
  await world.clock.pass(60_000)
  const before = world.letters.size
  world.block(alice, bob)
  await bob.start()
  bob.online()
  await world.must(async () => (await bob.read(alice)).length === ids.length, 'all read')
  await world.must(async () => (await alice.status(ids.at(-1) ?? '')) === 'delivered', 'told')
  await world.clock.pass(30_000)
  for (const id of ids) assert.equal(await alice.status(id), 'delivered')
  assert.ok(world.letters.size - before < 6, `${world.letters.size - before} letters told of ${ids.length}`)
})

test('PR-06 a receipt that is lost is told again', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  world.block(alice, bob)
  const id = await alice.send(bob, 'did you get it?')
  await world.must(async () => (await bob.read(alice)).length === 1, 'it arrives')
  alice.offline()
  await world.must(() => world.held > 0, 'the receipt lies at the holders')
  for (const holder of world.holders) await holder.forget()
  alice.online()
  await world.clock.pass(2 * 60_000)
  assert.equal(await alice.status(id), 'stored', 'nobody has told Alice')
  for (let look = 0; look < 4; look++) await world.clock.sleep(12 * HOUR_MS)
  await world.must(async () => (await alice.status(id)) === 'delivered', 'asked again')
  assert.deepEqual(await bob.read(alice), ['did you get it?'])
})

test('E2-56 PR-05 forged acknowledgements and receipts of others do not free the outbox', async () => {
  const world = await World.of(['alice', 'bob', 'carol'])
  await using _ = world
  const [alice, bob, carol] = [world.named('alice'), world.named('bob'), world.named('carol')]
  await bob.stop()
  const id = await alice.send(bob, 'for Bob alone')
  await world.must(async () => (await alice.status(id)) === 'stored', 'stored')
  const [item] = await alice.rooms.outbox.itemsOf(Buffer.from(id, 'hex'), bob.known)
  assert.ok(item?.sealed)
  const wrong = { id: item.sealed.envelopeId, preimage: world.rng.bytes(16) }
  world.inject(carol, alice, {
    kind: DIRECT_FRAME.acks,
    body: { acks: [wrong, { ...wrong, preimage: new Uint8Array(16) }] },
  })
  const body = encode(receiptBodyCodec, { delivered: [Buffer.from(id, 'hex')], read: [Buffer.from(id, 'hex')] })
  await carol.say(alice, CONTENT_KIND.receipt, new Uint8Array(body))
  await world.clock.pass(20_000)
  assert.equal(await alice.status(id), 'stored')
  assert.equal(alice.rooms.outbox.queue.waiting, 1)
  await bob.start()
  bob.online()
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  assert.deepEqual(await bob.read(alice), ['for Bob alone'])
})

test('E2-56 acknowledgements of one envelope twice in a frame count once', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const id = await alice.send(bob, 'once')
  await world.must(() => world.sent.some(({ to }) => to === bob.peerId), 'it left')
  const [item] = await alice.rooms.outbox.itemsOf(Buffer.from(id, 'hex'), bob.known)
  assert.ok(item?.sealed)
  const ack = { id: item.sealed.envelopeId, preimage: item.preimage }
  world.inject(bob, alice, { kind: DIRECT_FRAME.acks, body: { acks: [ack, ack, ack] } })
  await world.clock.pass(5_000)
  assert.equal((await alice.events('message:delivered')).length, 1)
})

test('AP-03 a content of a kind that this version does not know is shown as unsupported', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const id = world.rng.bytes(16)
  await alice.say(bob, 77, world.rng.bytes(100), id)
  await alice.say(bob, 78, world.rng.bytes(100_000))
  await world.must(async () => (await bob.read(alice)).length === 2, 'both are shown')
  const shown = await bob.app.message(toHex(id))
  assert.deepEqual([shown.kind, shown.text], ['unsupported', ''])
})
