import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { concat, toHex, utf8 } from '../../../src/lib/bytes.ts'
import { CodecError, ConflictError, StorageError } from '../../../src/lib/errors.ts'
import { bucketKey } from '../../../src/store/buckets.ts'
import { afterIncoming, afterOutgoing, afterRead, emptyConversation } from '../../../src/store/conversation-counters.ts'
import { PARTS_AGE_MAX_MS, PARTS_CONTACT_BYTES_MAX, PARTS_CONTACT_SETS_MAX } from '../../../src/store/parts.ts'
import type { PartBody } from '../../../src/store/parts.ts'
import { CONTACT_DIRECT, contactDeviceCodec, messageCodec } from '../../../src/store/records.ts'
import type { Message, StoredEvent } from '../../../src/store/records.ts'
import { Events } from '../../../src/store/events.ts'
import { Outbox } from '../../../src/store/outbox.ts'
import { Repository } from '../../../src/store/repository.ts'
import { openStore } from '../../../src/store/store.ts'
import { accountCardCodec } from '../../../src/wire/card.ts'
import {
  bool,
  decode,
  encode,
  fixed,
  list,
  oneOf,
  optional,
  struct,
  text,
  u32,
  u64,
  u8,
} from '../../../src/wire/codec.ts'
import { PART_BYTES_MAX } from '../../../src/wire/content.ts'
import { oneTimeFixture, ownAccountFixture, ownDeviceFixture } from './own-fixtures.ts'
import { aTombstone, bytes, collect, contact, fillTheDisk, message, newHome, outboxItem } from './fixtures.ts'

test('settings, contacts, conversations: put, get, list, delete', async (t) => {
  const { store } = await newHome(t)
  const [a, b] = [contact(bytes(32)), contact(bytes(32), { name: 'Bob' })]
  const quiet = { ...emptyConversation(a.accountId), lastAt: 5 }
  const pinned = { ...emptyConversation(b.accountId), lastAt: 1, pinned: true }
  const recent = { ...emptyConversation(bytes(32)), lastAt: 9 }
  await store.batch([
    ...store.settings.put('theme', 'dark'),
    ...[a, b].flatMap((each) => store.contacts.put(each)),
    ...[quiet, pinned, recent].flatMap((each) => store.conversations.put(each)),
  ])
  assert.equal(await store.settings.get('theme'), 'dark')
  assert.deepEqual(await store.contacts.get(a.accountId), a)
  assert.equal(await store.contacts.count(), 2)
  assert.deepEqual(new Set((await store.contacts.list()).map(({ name }) => name)), new Set(['Carol', 'Bob']))
  assert.deepEqual(await store.conversations.all(), [pinned, recent, quiet])
  await store.batch([
    ...store.settings.delete('theme'),
    ...store.contacts.delete(a.accountId),
    ...store.conversations.delete(a.accountId),
  ])
  assert.deepEqual(
    [
      await store.settings.get('theme'),
      await store.contacts.get(a.accountId),
      await store.conversations.get(a.accountId),
    ],
    [undefined, undefined, undefined],
  )
})

/** A contact of the first version, as the program of before wrote it. */
const contactV1Codec = struct({
  version: u8,
  accountId: fixed(32),
  name: text(64),
  state: oneOf(1, 2, 3, 4),
  pinned: optional(accountCardCodec),
  pinSource: oneOf(1, 2, 3),
  pinnedAt: u64,
  checkedAt: u64,
  verified: bool,
  changed: optional(accountCardCodec),
  laneNumber: u32,
  note: text(512),
  favourite: bool,
  addedAt: u64,
  lastSeenAt: u64,
  token: optional(fixed(16)),
  devices: list(contactDeviceCodec, 16),
})

test('NA-09 a home of before: its contacts are read, may be met directly, and are written as they are now; what comes after is refused', async (t) => {
  const { store, database, vault } = await newHome(t)
  const { direct, ...before } = contact(bytes(32), { name: 'Bob', note: 'of before', token: bytes(16), lastSeenAt: 7 })
  const old = new Repository(database, vault, 'contacts', contactV1Codec)
  const formats = new Repository(database, vault, 'format', struct({ format: u32 }))
  const format = async (): Promise<readonly number[]> => (await formats.list()).map((each) => each.format)
  await database.batch([
    ...old.put({ id: before.accountId }, { ...before, version: 1 }),
    ...formats.put({ id: utf8('format') }, { format: 1 }),
  ])
  assert.equal(direct, CONTACT_DIRECT.always)
  assert.deepEqual(await store.contacts.get(before.accountId), { ...before, direct })
  const reopened = await openStore(database, vault)
  assert.deepEqual(await format(), [3], 'a program of before says that it is another version’s')
  const never = { ...before, direct: CONTACT_DIRECT.never }
  await reopened.batch(reopened.contacts.put(never))
  assert.deepEqual(await (await openStore(database, vault)).contacts.list(), [never])
  await assert.rejects(old.list(), StorageError)
  await database.batch(formats.put({ id: utf8('format') }, { format: 4 }))
  await assert.rejects(openStore(database, vault), /newer version of Sotto/)
})

test('NA-09 who watches contacts hears of a change that failed what is true instead', async (t) => {
  const { store, database, path } = await newHome(t)
  const bob = contact(bytes(32), { name: 'Bob' })
  await store.batch(store.contacts.put(bob))
  const heard: string[] = []
  store.contacts.watch((accountId, now) => void heard.push(`${toHex(accountId)} ${now?.direct ?? 'gone'}`))
  const links = await fillTheDisk(database, join(path, 'store'))
  const carol = contact(bytes(32))
  await assert.rejects(
    store.batch([...store.contacts.put({ ...bob, direct: CONTACT_DIRECT.never }), ...store.contacts.put(carol)]),
    StorageError,
  )
  for (let i = 0; i < 1_000 && heard.length < 4; i++) await new Promise((resolve) => setTimeout(resolve, 1))
  const [ofBob, ofCarol] = [bob, carol].map(({ accountId }) =>
    heard.filter((each) => each.startsWith(toHex(accountId))),
  )
  assert.deepEqual([ofBob?.length, ofCarol?.length], [2, 2])
  assert.ok(ofBob?.[1]?.endsWith(` ${CONTACT_DIRECT.always}`))
  assert.ok(ofCarol?.[1]?.endsWith(' gone'))
  for (const link of links) rmSync(link, { force: true })
})

test('ID-16 the own account and device come back as they were put', async (t) => {
  const { store } = await newHome(t)
  assert.equal(await store.accounts.own(), undefined)
  await store.batch([...store.accounts.put(ownAccountFixture()), ...store.devices.put(ownDeviceFixture())])
  assert.deepEqual(await store.accounts.own(), ownAccountFixture())
  assert.deepEqual(await store.devices.own(), ownDeviceFixture())
  await store.batch([...store.accounts.delete(), ...store.devices.delete()])
  assert.equal(await store.devices.own(), undefined)
})

test('LS-14 PK-07 prekeys are kept by id and gone once deleted', async (t) => {
  const { store } = await newHome(t)
  const oneTime = [300, 2, 1].map((id) => oneTimeFixture(id, { secret: bytes(32), kemSeed: bytes(64) }))
  await store.batch(oneTime.flatMap((each) => store.prekeys.oneTime.put(each)))
  assert.deepEqual(
    (await store.prekeys.oneTime.list()).map(({ id }) => id),
    [1, 2, 300],
  )
  await store.batch(store.prekeys.oneTime.delete(2))
  assert.equal(await store.prekeys.oneTime.get(2), undefined)
  assert.equal(await store.prekeys.oneTime.count(), 2)
  assert.deepEqual(await store.prekeys.oneTime.get(300), oneTime[0])
  assert.deepEqual(await store.prekeys.pool(), { leaves: [], holders: ['', '', '', '', ''] })
  const pool = { leaves: [{ place: 159, leaf: bytes(32) }], holders: ['a', '', 'b', '', ''] }
  const use = { version: 1, id: 2, kind: 1, holder: 'a', uses: 1, firstAt: 5, lastAt: 5 } as const
  await store.batch([...store.prekeys.putPool(pool), ...store.prekeys.uses.put(use)])
  assert.deepEqual([await store.prekeys.pool(), await store.prekeys.uses.get(2)], [{ version: 1, ...pool }, use])
})

test('receipts that are due and burials are kept until they are done', async (t) => {
  const { store } = await newHome(t)
  const due = { contact: bytes(32), messageId: bytes(16), kind: 1 } as const
  await store.batch([...store.receiptsDue.put(due), ...store.receiptsDue.put({ ...due, kind: 2 })])
  await store.batch(store.receiptsDue.delete(due))
  assert.deepEqual(await store.receiptsDue.all(), [{ version: 1, ...due, kind: 2 }])
  const burial = { id: bytes(32), tombstone: aTombstone(), rungs: [0, 2] as const, until: 9, attempts: 0, nextAt: 1 }
  await store.burials.save([{ ...burial, acked: [] }])
  await store.burials.save([{ ...burial, acked: ['peer'] }])
  assert.deepEqual(await store.burials.all(), [{ version: 2, ...burial, acked: ['peer'] }])
  await store.burials.remove([burial.id])
  assert.deepEqual(await store.burials.all(), [])
})

test('LS-15 session books are kept by contact and device, byte for byte', async (t) => {
  const { store } = await newHome(t)
  const [alice, bob, phone, desk] = [bytes(32), bytes(32), bytes(16), bytes(16)]
  const book = bytes(100_000)
  await store.batch([
    ...store.sessions.put(alice, phone, book),
    ...store.sessions.put(alice, desk, bytes(5)),
    ...store.sessions.put(bob, phone, bytes(6)),
  ])
  assert.deepEqual(await store.sessions.get(alice, phone), book)
  assert.equal(await store.sessions.get(bob, desk), undefined)
  assert.equal((await collect(store.sessions.list())).length, 3)
  await store.batch(store.sessions.delete(alice, phone))
  assert.equal(await store.sessions.get(alice, phone), undefined)
})

test('LS-04 a message holds every field, and nothing outside of its bounds', () => {
  const full = message(bytes(32), 3, { replyTo: bytes(16), outgoing: true, text: 'né' })
  assert.deepEqual(decode(messageCodec, encode(messageCodec, full)), full)
  for (const bad of [{ id: bytes(15) }, { contact: bytes(33) }, { order: -1 }, { status: 8 }, { replyTo: bytes(17) }]) {
    assert.throws(() => encode(messageCodec, { ...full, ...bad } as Message), CodecError, Object.keys(bad)[0])
  }
})

test('LS-04 a message id is unique over all conversations, and so is a place in one', async (t) => {
  const { store } = await newHome(t)
  const [alice, bob] = [bytes(32), bytes(32)]
  const first = message(alice, 1)
  await store.batch(await store.messages.insert(first))
  await assert.rejects(store.messages.insert(message(alice, 2, { id: first.id })), ConflictError)
  await assert.rejects(store.messages.insert(message(bob, 1, { id: first.id })), ConflictError)
  await assert.rejects(store.messages.insert(message(alice, 1)), ConflictError)
  await store.batch(store.messages.put({ ...first, readAt: 5 }))
  assert.equal((await store.messages.get(first.id))?.readAt, 5)
  await store.batch(store.messages.delete(first))
  assert.equal(await store.messages.get(first.id), undefined)
  await store.batch(await store.messages.insert(first))
})

test('LS-10 10,000 messages are paged without gap or duplicate while others are inserted', async (t) => {
  const { store } = await newHome(t)
  const [alice, bob] = [bytes(32), bytes(32)]
  const COUNT = 10_000
  for (let order = 1; order <= COUNT; order += 1_000) {
    const ops = Array.from({ length: 1_000 }, (_, i) => store.messages.put(message(alice, order + i, { text: '' })))
    await store.batch(ops.flat(), { sync: false })
  }
  const seen: number[] = []
  let next = COUNT + 1
  for (let before: number | undefined; ;) {
    const page = await store.messages.page(alice, before === undefined ? { limit: 500 } : { before, limit: 500 })
    seen.push(...page.map(({ order }) => order))
    before = page.at(-1)?.order
    if (before === undefined) break
    await store.batch(
      [...(await store.messages.insert(message(alice, next++))), ...(await store.messages.insert(message(bob, next)))],
      { sync: false },
    )
  }
  assert.deepEqual(
    seen,
    Array.from({ length: COUNT }, (_, i) => COUNT - i),
  )
  assert.equal((await store.messages.page(alice, { limit: 3 }))[0]?.order, next - 1)
})

test('a page holds at least one message and at most a thousand; a conversation is walked from its start', async (t) => {
  const { store } = await newHome(t)
  const alice = bytes(32)
  await store.batch(Array.from({ length: 1_100 }, (_, i) => store.messages.put(message(alice, i + 1))).flat())
  assert.equal((await store.messages.page(alice, { limit: 5_000 })).length, 1_000)
  assert.equal((await store.messages.page(alice, { limit: 0 })).length, 1)
  const all = await collect(store.messages.all(alice))
  assert.deepEqual([all.length, all[0]?.order, all.at(-1)?.order], [1_100, 1, 1_100])
})

test('LS-07 conversation counters are right after what comes in, goes out and is read', () => {
  const alice = bytes(32)
  const one = message(alice, 1)
  const start = emptyConversation(alice)
  const received = afterIncoming(start, one)
  assert.deepEqual([received.unread, received.lastOrder, received.lastAt], [1, 1, one.committedAt])
  assert.deepEqual(received.lastMessage, one.id)
  const answered = afterOutgoing(received, message(alice, 2, { committedAt: 1 }))
  assert.deepEqual([answered.unread, answered.lastOrder, answered.lastAt], [1, 2, one.committedAt])
  assert.equal(afterRead(answered, 1).unread, 0)
  assert.equal(afterRead(answered, 5).unread, 0)
  assert.equal(afterIncoming(answered, message(alice, 3, { readAt: 9 })).unread, 1, 'read on another device')
})

test('outbox items come back in their order, and numbers go on after a restart', async (t) => {
  const { store, database, vault } = await newHome(t)
  const items = [30, 10, 20].map((nextAt) => outboxItem(store.outbox.next(), { nextAt }))
  await store.batch(items.toReversed().flatMap((item) => store.outbox.put(item)))
  assert.deepEqual(await collect(store.outbox.all()), items)
  assert.deepEqual(await store.outbox.get(3), items[2])
  assert.equal((await Outbox.open(database, vault)).next(), 4)
  await store.batch([1, 2, 3].flatMap((sequence) => store.outbox.delete(sequence)))
  assert.equal(await store.outbox.count(), 0)
})

test('seen ids are known with their note until a sweep after their time', async (t) => {
  const { store } = await newHome(t)
  const [a, b] = [bytes(32), bytes(32)]
  await store.batch([...store.seen.put(a, 100, Uint8Array.of(7)), ...store.seen.put(b, 200)])
  assert.deepEqual(
    [await store.seen.has(a), await store.seen.get(a), await store.seen.get(b)],
    [true, Uint8Array.of(7), new Uint8Array(0)],
  )
  assert.equal(await store.sessions.seenInitials.has(a), false, 'another bucket')
  assert.equal(await store.seen.sweep(100), 1)
  assert.deepEqual([await store.seen.has(a), await store.seen.has(b)], [false, true])
  assert.equal(await store.seen.sweep(100), 0)
  const many = Array.from({ length: 2_500 }, () => store.seen.put(bytes(32), 150))
  await store.batch(many.flat())
  assert.equal(await store.seen.sweep(150), 2_500)
})

const draft = (data: string): Omit<StoredEvent, 'number'> => ({ version: 1, at: 1, type: 'test:happened', data })

test('events are numbered without gaps, also when a batch fails or its numbers were taken', async (t) => {
  const { store, database, vault } = await newHome(t)
  assert.deepEqual([store.events.first(), store.events.last()], [1, 0])
  const batches = Array.from({ length: 30 }, (_, i) => store.batch(store.events.append([draft(`${i}`), draft('')]).ops))
  await Promise.all(batches)
  const stale = store.events.append([draft('stale'), draft('stale')])
  await store.batch(store.events.append([draft('kept')]).ops)
  await assert.rejects(store.batch(stale.ops), ConflictError)
  const refused = [...store.events.append([draft('refused')]).ops, ...stale.ops]
  await assert.rejects(store.batch(refused), ConflictError)
  assert.equal(store.events.last(), 61)
  await store.batch(store.events.append([draft('last')]).ops)
  const all = await store.events.since(0, 1_000)
  assert.deepEqual(
    all.map(({ number }) => number),
    Array.from({ length: 62 }, (_, i) => i + 1),
  )
  assert.deepEqual(
    all.slice(-2).map(({ data }) => data),
    ['kept', 'last'],
  )
  assert.deepEqual(
    (await store.events.since(10, 3)).map(({ number }) => number),
    [11, 12, 13],
  )
  assert.equal((await Events.open(database, vault)).last(), 62)
})

test('a batch that the disk refuses gives its event numbers back', async (t) => {
  const { store, database, vault, path } = await newHome(t)
  await store.batch(store.events.append([draft('one')]).ops)
  const links = await fillTheDisk(database, join(path, 'store'))
  const lost = [draft('lost'), draft('lost')].map((each) => store.batch(store.events.append([each]).ops))
  assert.equal(store.events.last(), 1, 'nobody hears of numbers that the disk may still refuse')
  for (const batch of await Promise.allSettled(lost)) assert.equal(batch.status, 'rejected')
  assert.equal(store.events.last(), 1)
  for (const link of links) rmSync(link, { force: true })
  await store.batch(store.events.append([draft('two'), draft('three')]).ops)
  const again = await Events.open(database, vault)
  assert.equal(again.last(), 3)
  assert.deepEqual(
    (await again.since(0, 9)).map(({ data }) => data),
    ['one', 'two', 'three'],
  )
})

test('a sweep keeps the newest events, and the numbers go on after it', async (t) => {
  const { store, database, vault } = await newHome(t)
  await store.batch(store.events.append(Array.from({ length: 2_300 }, () => draft(''))).ops)
  assert.equal(await store.events.sweep(5_000), 0)
  assert.equal(await store.events.sweep(100), 2_200)
  assert.deepEqual([store.events.first(), store.events.last()], [2_201, 2_300])
  assert.equal((await store.events.since(0, 1_000)).length, 100)
  assert.equal(await store.events.sweep(0), 99)
  const again = await Events.open(database, vault)
  assert.deepEqual([again.first(), again.last()], [2_300, 2_300])
})

function parts(whole: Uint8Array, body: Uint8Array, size: number): PartBody[] {
  const count = Math.ceil(body.length / size)
  return Array.from({ length: count }, (_, index) => ({
    whole,
    kind: 1,
    index,
    count,
    bytes: body.subarray(index * size, (index + 1) * size),
  }))
}

test('parts wait for one another in any order and make the whole body once', async (t) => {
  const { store, database } = await newHome(t)
  const [alice, whole, body] = [bytes(32), bytes(16), bytes(1_000)]
  const [a, b, c, d] = parts(whole, body, 300) as [PartBody, PartBody, PartBody, PartBody]
  for (const part of [d, a, c]) {
    const result = await store.parts.add(alice, part, 1)
    assert.equal(result.state, 'kept')
    if (result.state === 'kept') await store.batch(result.ops)
  }
  for (const bad of [a, { ...b, count: 9 }, { ...b, kind: 2 }, { ...b, index: 4 }, { ...b, count: 0 }]) {
    assert.equal((await store.parts.add(alice, bad, 1)).state, 'refused')
  }
  assert.equal((await store.parts.add(bytes(32), b, 1)).state, 'kept', 'of another contact: another message')
  const result = await store.parts.add(alice, b, 1)
  assert.ok(result.state === 'complete')
  assert.deepEqual([result.kind, result.body], [1, body])
  await store.batch(result.ops)
  const left = await collect(
    database.keys({ gte: bucketKey('parts'), lt: concat(bucketKey('partsIndex'), Uint8Array.of(255)) }),
  )
  assert.equal(left.length, 0, 'nothing of it stays')
})

test('parts of one contact take bounded room and time; the oldest unfinished message gives way, by name', async (t) => {
  const { store } = await newHome(t)
  const [alice, bob] = [bytes(32), bytes(32)]
  const add = async (who: Uint8Array, part: PartBody, now: number): Promise<readonly Uint8Array[]> => {
    const result = await store.parts.add(who, part, now)
    assert.ok(result.state === 'kept')
    await store.batch(result.ops)
    return result.dropped
  }
  const big = bytes(PART_BYTES_MAX)
  const wholes = Array.from({ length: PARTS_CONTACT_SETS_MAX + 1 }, () => bytes(16))
  const [first, second] = wholes as [Uint8Array, Uint8Array]
  for (const [i, whole] of wholes.entries()) {
    const dropped = await add(alice, { whole, kind: 1, index: 0, count: 2, bytes: big.subarray(0, 10) }, i)
    assert.deepEqual(dropped, i < PARTS_CONTACT_SETS_MAX ? [] : [first])
  }
  assert.deepEqual(
    (await store.parts.add(alice, { whole: first, kind: 1, index: 0, count: 2, bytes: big }, 50)).state,
    'kept',
  )
  let dropped: readonly Uint8Array[] = []
  const needed = Math.floor(PARTS_CONTACT_BYTES_MAX / PART_BYTES_MAX) + 1
  const fat = Array.from({ length: Math.ceil(needed / 31) }, () => bytes(16))
  for (let i = 0; i < needed; i++) {
    const whole = fat[Math.floor(i / 31)] ?? bytes(16)
    dropped = await add(bob, { whole, kind: 1, index: i % 31, count: 32, bytes: big }, 100 + i)
  }
  assert.deepEqual(dropped, [fat[0]])
  assert.equal(await store.parts.sweep(PARTS_AGE_MAX_MS), 0)
  assert.equal(await store.parts.sweep(PARTS_AGE_MAX_MS + 1), 1)
  assert.equal(
    (await store.parts.add(alice, { whole: second, kind: 1, index: 0, count: 2, bytes: big }, 60)).state,
    'kept',
  )
  await store.batch(await store.parts.deleteContact(bob))
  assert.equal((await store.parts.deleteContact(bob)).filter(({ type }) => type === 'put').length, 0)
})

test('a lost part record makes no shorter message of the rest', async (t) => {
  const { store, database, vault } = await newHome(t)
  const [alice, whole] = [bytes(32), bytes(16)]
  const [a, b] = parts(whole, bytes(600), 300) as [PartBody, PartBody]
  const kept = await store.parts.add(alice, a, 1)
  assert.ok(kept.state === 'kept')
  await store.batch(kept.ops)
  await database.batch([{ type: 'del', key: vault.key('parts', { id: concat(alice, whole), order: 0 }) }])
  await assert.rejects(store.parts.add(alice, b, 1), StorageError)
})
