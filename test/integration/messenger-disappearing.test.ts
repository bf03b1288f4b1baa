/** Messages that disappear, and those that are kept for so many days: on both ends, in the index, on the disk. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { MessageView } from '../../src/api/application/messages.ts'
import { fromHex, toHex } from '../../src/lib/bytes.ts'
import { UsageError } from '../../src/lib/errors.ts'
import { DAY_MS, HOUR_MS } from '../../src/lib/time.ts'
import { COMPACT_AFTER_MS } from '../../src/services/conversations/sweeper.ts'
import { bucketRange } from '../../src/store/buckets.ts'
import type { BucketName } from '../../src/store/buckets.ts'
import { encode } from '../../src/wire/codec.ts'
import { CONTENT_KIND, editBodyCodec, textBodyCodec, timerBodyCodec } from '../../src/wire/content.ts'
import { World } from '../support/messenger.ts'
import type { Person } from '../support/messenger.ts'

const pair = async (options = {}) => {
  const world = await World.of(['alice', 'bob'], options)
  return { world, alice: world.named('alice'), bob: world.named('bob') }
}
const view = async (person: Person, id: string): Promise<MessageView> => person.app.message(id)
const is = async (person: Person, id: string, gone: MessageView['gone']): Promise<boolean> =>
  (await view(person, id)).gone === gone

async function read(world: World, alice: Person, bob: Person, text: string): Promise<string> {
  const id = await alice.send(bob, text)
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  await bob.app.markRead(alice.address, {})
  await world.must(async () => (await alice.status(id)) === 'read', 'read')
  return id
}

async function timer(world: World, alice: Person, bob: Person, seconds: number | null): Promise<void> {
  await alice.app.updateConversation(bob.address, { timerSeconds: seconds })
  await world.must(async () => (await bob.app.conversation(alice.address)).timerSeconds === seconds, 'both know')
}

/** Sealed values of the buckets, as they lie on the disk. */
async function sealed(person: Person, buckets: readonly BucketName[]): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>()
  for (const bucket of buckets) {
    for await (const [key, value] of person.disk.database.iterate({
      ...bucketRange(bucket),
      reverse: false,
      limit: -1,
    })) {
      found.set(toHex(key), value)
    }
  }
  return found
}

/** How many of these values are in the files of the home: random bytes, that no compression changes. */
function onDisk(person: Person, values: Iterable<Uint8Array>): number {
  const { path } = person.disk
  const files = readdirSync(path).map((name) => readFileSync(join(path, name)))
  return [...values].filter((value) => files.some((file) => file.includes(Buffer.from(value.subarray(-40))))).length
}

const TEXTS: readonly BucketName[] = ['messages', 'marks', 'outbox', 'searchRecent', 'parts']

test('PR-12 a timer is agreed, starts at reading, and leaves nothing but the place: text, marks, index, disk', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await timer(world, alice, bob, 60)
  const id = await alice.send(bob, 'burning question')
  const first = await sealed(alice, TEXTS)
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  await alice.app.editMessage(id, { text: 'burning answer' })
  await bob.app.react(id, { emoji: '🔥' })
  await alice.app.flagMessage(id, { starred: true, pinned: true })
  await world.clock.pass(HOUR_MS)
  assert.deepEqual(
    [(await view(bob, id)).text, (await view(bob, id)).expiresAt],
    ['burning answer', null],
    'unread, it stays',
  )
  const hers = await sealed(alice, TEXTS)
  const his = await sealed(bob, TEXTS)
  assert.ok(onDisk(alice, hers.values()) === hers.size && hers.size > 2, 'the search finds what is there')
  await bob.app.markRead(alice.address, {})
  await world.must(async () => (await alice.status(id)) === 'read', 'read')
  const until = (await view(bob, id)).expiresAt
  assert.equal(Date.parse(until ?? '') - world.clock.now() <= 60_000, true)
  await world.clock.pass(50_000)
  assert.ok(await is(bob, id, 'no'))
  await world.clock.pass(11_000)
  for (const person of [alice, bob]) {
    const { text, gone: how, reactions, starred, pinned } = await view(person, id)
    assert.deepEqual([text, how, reactions, starred, pinned], ['', 'expired', [], false, false])
    assert.equal((await person.app.search({ query: 'burning', limit: 5 })).items.length, 0)
    assert.ok((await person.events('message:expired')).some(({ data }) => data['id'] === id))
  }
  assert.deepEqual((await alice.app.starred({ limit: 5 })).items, [])
  const compacted: { gte: Uint8Array; lt: Uint8Array }[] = []
  const compact = alice.disk.database.compact.bind(alice.disk.database)
  alice.disk.database.compact = async (range) => {
    compacted.push(range)
    await compact(range)
  }
  await world.clock.pass(COMPACT_AFTER_MS + 5_000)
  const left = await sealed(alice, TEXTS)
  const wiped = [...hers.values(), ...first.values()].filter(gone(left))
  const keys = [...hers, ...first].filter(([, value]) => gone(left)(value)).map(([key]) => key)
  const uncovered = keys.filter((key) => !compacted.some(({ gte, lt }) => toHex(gte) <= key && key < toHex(lt)))
  assert.deepEqual(uncovered, [], 'also where a file holds one bucket alone')
  const wipedHis = [...his.values()].filter(gone(await sealed(bob, TEXTS)))
  assert.ok(wiped.length > 4 && wipedHis.length > 1)
  assert.equal(onDisk(alice, wiped), 0, 'nothing of it in the writer’s files')
  assert.equal(onDisk(bob, wipedHis), 0, 'nor in the reader’s')
})

function gone(left: ReadonlyMap<string, Uint8Array>): (value: Uint8Array) => boolean {
  const kept = new Set([...left.values()].map(toHex))
  return (value) => !kept.has(toHex(value))
}

test('PR-12 what runs out while the device is off disappears at its start; a crash in between changes nothing', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await timer(world, alice, bob, 3_600)
  const id = await read(world, alice, bob, 'for an hour')
  await bob.kill()
  await world.clock.pass(2 * HOUR_MS)
  assert.ok(await is(alice, id, 'expired'))
  await bob.start()
  await world.must(async () => is(bob, id, 'expired'), 'gone after the start')
  await bob.kill()
  await bob.start()
  await alice.say(
    bob,
    CONTENT_KIND.text,
    encode(textBodyCodec, { text: 'for an hour', replyTo: undefined }),
    fromHex(id),
  )
  await alice.say(
    bob,
    CONTENT_KIND.edit,
    encode(editBodyCodec, { target: fromHex(id) ?? new Uint8Array(16), text: 'back' }),
  )
  await world.clock.pass(10_000)
  assert.deepEqual([(await view(bob, id)).text, (await view(bob, id)).gone], ['', 'expired'], 'it does not come back')
})

test('PR-12 over the mailbox: each message has its own timer, and what is off stays', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.stop()
  const stays = await alice.send(bob, 'stays')
  await alice.app.updateConversation(bob.address, { timerSeconds: 30 })
  const goes = await alice.send(bob, 'goes')
  await alice.app.updateConversation(bob.address, { timerSeconds: null })
  const last = await alice.send(bob, 'stays too')
  await world.clock.pass(20_000)
  await bob.start()
  bob.online()
  await world.must(async () => (await bob.read(alice)).length === 3, 'bob has them')
  await world.must(async () => (await alice.status(last)) === 'delivered', 'alice knows')
  await bob.app.markRead(alice.address, {})
  await world.clock.pass(60_000)
  for (const person of [alice, bob]) {
    assert.deepEqual(
      [await is(person, stays, 'no'), await is(person, goes, 'expired'), await is(person, last, 'no')],
      [true, true, true],
    )
  }
  assert.equal((await bob.app.conversation(alice.address)).timerSeconds, null)
})

test('PR-12 PR-05 without receipts the writer’s copy goes by delivery; unread ones a week after it at the latest', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await timer(world, alice, bob, 60)
  const waits = await alice.send(bob, 'nobody reads this')
  await world.must(async () => (await alice.status(waits)) === 'delivered', 'delivered')
  await world.clock.sleep(6 * DAY_MS)
  assert.ok(await is(alice, waits, 'no'))
  await world.clock.sleep(DAY_MS + HOUR_MS)
  assert.deepEqual([await is(alice, waits, 'expired'), await is(bob, waits, 'no')], [true, true])
  await alice.app.updateSettings({ readReceipts: false })
  const id = await alice.send(bob, 'receipts are off')
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  await world.clock.pass(61_000)
  assert.deepEqual([await is(alice, id, 'expired'), await is(bob, id, 'no')], [true, true])
  await bob.app.markRead(alice.address, {})
  await world.clock.pass(61_000)
  assert.deepEqual([await is(bob, id, 'expired'), await is(bob, waits, 'expired')], [true, true])
  assert.equal(await alice.status(id), 'delivered', 'and was never told that it was read')
})

test('PR-12 two timers that cross end alike on both sides; what no timer is changes nothing', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  world.block(alice, bob)
  for (let i = 0; i < 3; i++) {
    await alice.app.updateConversation(bob.address, { timerSeconds: 60 + i })
    await bob.app.updateConversation(alice.address, { timerSeconds: 90 + i })
  }
  await world.must(() => [alice, bob].every((each) => each.rooms.outbox.queue.size === 0), 'both are told', 10 * 60_000)
  const [a, b] = await Promise.all([alice.app.conversation(bob.address), bob.app.conversation(alice.address)])
  assert.equal(a.timerSeconds, b.timerSeconds)
  await alice.say(bob, CONTENT_KIND.timer, encode(timerBodyCodec, { seconds: 1 }), undefined, { lamport: 10_000 })
  await alice.say(bob, CONTENT_KIND.timer, encode(timerBodyCodec, { seconds: 2 ** 31 }), undefined, { lamport: 10_001 })
  await world.clock.pass(60_000)
  assert.equal((await bob.app.conversation(alice.address)).timerSeconds, b.timerSeconds)
  await assert.rejects(alice.app.updateConversation(bob.address, { timerSeconds: 4 }), UsageError)
  await assert.rejects(alice.app.updateConversation(bob.address, { timerSeconds: 0 }), UsageError)
})

test('PR-12 a conversation that this user begins has the timer that new ones are to have, on both sides', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await alice.app.updateSettings({ defaultTimerSeconds: 120 })
  await alice.app.updateConversation(bob.address, { draft: 'from no' })
  const id = await read(world, alice, bob, 'from now on')
  assert.equal((await bob.app.conversation(alice.address)).timerSeconds, 120)
  const answer = await read(world, bob, alice, 'as you like')
  await world.clock.pass(125_000)
  for (const person of [alice, bob]) for (const each of [id, answer]) assert.ok(await is(person, each, 'expired'))
})

test('LS-09 messages are kept for so many days where the user says so, on this side alone', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const old = await read(world, alice, bob, 'old and forgotten')
  await bob.app.flagMessage(old, { starred: true })
  await world.clock.sleep(3 * DAY_MS)
  const young = await read(world, alice, bob, 'young')
  await bob.app.updateSettings({ retentionDays: 2 })
  await world.must(async () => (await bob.read(alice)).length === 1, 'the old one is removed')
  assert.deepEqual(await bob.read(alice), ['young'])
  assert.equal((await bob.app.search({ query: 'forgotten', limit: 5 })).items.length, 0)
  assert.deepEqual((await bob.app.starred({ limit: 5 })).items, [])
  assert.equal((await view(alice, old)).text, 'old and forgotten')
  await world.clock.sleep(2 * DAY_MS + 2 * HOUR_MS)
  assert.deepEqual(await bob.read(alice), [])
  assert.equal((await bob.app.conversation(alice.address)).lastMessage, null)
  assert.equal((await view(alice, young)).text, 'young')
})
