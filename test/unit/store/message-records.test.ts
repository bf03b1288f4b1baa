/** Messages and conversations of a home of before, byte for byte; and marks, which are new. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromHex } from '../../../src/lib/bytes.ts'
import { CodecError } from '../../../src/lib/errors.ts'
import { DAY_MS } from '../../../src/lib/time.ts'
import { decode, encode } from '../../../src/wire/codec.ts'
import {
  MarkRecords,
  UNMARKED,
  WAITING_AGE_MAX_MS,
  WAITING_BYTES_MAX,
  WAITING_MARKS_MAX,
} from '../../../src/store/marks.ts'
import { conversationCodec, marksCodec, messageCodec } from '../../../src/store/records.ts'
import type { StoredMarks } from '../../../src/store/records.ts'
import { bytes, message, newHome } from './fixtures.ts'

/** Written by the version that had no edits, no timers and no causal order. */
const MESSAGE_V1 =
  '010102030405060708090a0b0c0d0e0f106465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f80818283' +
  '00000000000111700101000000074772c3bcc39f650128292a2b2c2d2e2f30313233343536370000018bcfe5687b' +
  '0000018bcfe569c80302050000000000000000'
const CONVERSATION_V1 =
  '016465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f8081828300000000000111700101020304050607' +
  '08090a0b0c0d0e0f100000018bcfe569c8000000030100'

const frozen = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array(0)
const sequence = (length: number, from: number): Uint8Array => Uint8Array.from({ length }, (_, i) => from + i)

test('LS-04 LS-21 a message of before is read as it was, stays, and is written in the form of now', () => {
  const read = decode(messageCodec, frozen(MESSAGE_V1))
  assert.deepEqual(read, {
    id: sequence(16, 1),
    contact: sequence(32, 100),
    order: 70_000,
    outgoing: true,
    contentKind: 1,
    text: 'Grüße',
    replyTo: sequence(16, 40),
    sentAt: 1_700_000_000_123,
    committedAt: 1_700_000_000_456,
    status: 3,
    path: 2,
    receipts: 5,
    readAt: 0,
    timerSeconds: 0,
    expiresAt: 0,
    gone: 0,
    marked: false,
  })
  const written = encode(messageCodec, { ...read, timerSeconds: 60 })
  assert.equal(written[0], 2)
  assert.deepEqual(decode(messageCodec, written), { ...read, timerSeconds: 60 })
  assert.throws(() => decode(messageCodec, frozen(MESSAGE_V1).with(0, 3)), CodecError)
})

test('LS-07 LS-21 a conversation of before goes on where it was: new messages stand after its old ones', () => {
  const read = decode(conversationCodec, frozen(CONVERSATION_V1))
  assert.deepEqual([read.unread, read.muted, read.lastOrder, read.draft, read.pins], [3, true, 70_000, '', []])
  assert.ok((read.lamport + 1) * 2 ** 16 > read.lastOrder)
  assert.equal(read.unreadFrom, 0, 'unread ones may be anywhere')
  const written = encode(conversationCodec, { ...read, draft: 'x' })
  assert.deepEqual([written[0], decode(conversationCodec, written)], [2, { ...read, draft: 'x' }])
})

const marks = (change: Partial<StoredMarks['theirs']> = {}): StoredMarks => ({
  ...UNMARKED,
  theirs: { ...UNMARKED.theirs, deleted: true, ...change },
})
const edit = (text: string) => ({ lamport: 3, operation: bytes(16), text, at: 5 })

test('PR-13 marks come back as they were put, alone and for a page in one read; most messages have none', async (t) => {
  const { store } = await newHome(t)
  const contact = bytes(32)
  const all = Array.from({ length: 5 }, (_, i) => message(contact, i + 1, { marked: i % 2 === 0 }))
  const put = marks({ edit: edit('now'), deleted: false })
  await store.batch(all.filter(({ marked }) => marked).flatMap(({ id }) => store.marks.put(contact, id, put)))
  const found = await store.marks.ofAll(all)
  for (const [i, each] of all.entries()) {
    const { edit: kept } = (await store.marks.of(each)).theirs
    assert.equal(kept?.text, each.marked ? 'now' : undefined)
    assert.deepEqual(found[i]?.theirs.edit?.text, kept?.text)
  }
  assert.equal(
    (await store.marks.get(bytes(32), all[0]?.id ?? bytes(16))).theirs.edit,
    undefined,
    'of another conversation',
  )
  const { version: _, ...decoded } = decode(marksCodec, encode(marksCodec, { ...put, version: 1 }))
  assert.deepEqual(decoded, put)
})

test('PR-17 marks that come before their message take bounded room: the oldest give way, and all do in time', async (t) => {
  const { store, database, vault } = await newHome(t)
  const [alice, bob] = [bytes(32), bytes(32)]
  const ids = Array.from({ length: WAITING_MARKS_MAX + 10 }, () => bytes(16))
  const wait = async (contact: Uint8Array, early: readonly { id: Uint8Array; marks: StoredMarks }[], now: number) =>
    store.batch(await store.marks.wait(contact, early, now))
  await wait(bob, [{ id: ids[0] ?? bytes(16), marks: marks() }], 1)
  for (const [i, id] of ids.entries()) await wait(alice, [{ id, marks: marks() }], i)
  const isThere = async (contact: Uint8Array, id: Uint8Array) => (await store.marks.arrived(contact, id)) !== undefined
  const there = await Promise.all(ids.map(async (id) => isThere(alice, id)))
  assert.deepEqual([there.indexOf(true), there.lastIndexOf(false)], [10, 9], 'the ten oldest are gone')
  assert.equal((await store.marks.get(alice, ids[0] ?? bytes(16))).theirs.deleted, false)
  assert.ok(await isThere(bob, ids[0] ?? bytes(16)), 'others keep theirs')

  const large = Array.from({ length: 8 }, () => ({ id: bytes(16), marks: marks({ edit: edit('x'.repeat(300_000)) }) }))
  for (const each of large) await wait(bob, [each], 2)
  const kept = await Promise.all(large.map(async ({ id }) => isThere(bob, id)))
  assert.equal(kept.filter(Boolean).length, Math.floor(WAITING_BYTES_MAX / 900_064))

  const arrived = await store.marks.arrived(alice, ids[20] ?? bytes(16))
  await store.batch([...(arrived?.ops ?? [])])
  assert.ok(!(await isThere(alice, ids[20] ?? bytes(16))), 'no longer waited for')
  await store.batch([...(await store.marks.sweep(WAITING_AGE_MAX_MS + DAY_MS))])
  const fresh = new MarkRecords(database, vault)
  assert.equal((await fresh.get(alice, ids.at(-1) ?? bytes(16))).theirs.deleted, false)
  assert.equal((await fresh.get(alice, ids[20] ?? bytes(16))).theirs.deleted, true, 'what has come keeps its marks')
})
