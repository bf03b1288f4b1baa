/** Conversations: counters, statuses that never go back, and reading. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimClock } from '../../support/sim.ts'
import { toHex } from '../../../src/lib/bytes.ts'
import { ConflictError, LimitError, NotFoundError, UsageError } from '../../../src/lib/errors.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { randomBelow, seededRng } from '../../../src/lib/rng.ts'
import { lamportOf, orderOf } from '../../../src/protocol/message-order.ts'
import type { MessageStatus } from '../../../src/protocol/message-status.ts'
import { flag } from '../../../src/services/conversations/choices.ts'
import { Conversations } from '../../../src/services/conversations/conversations.ts'
import { statusName } from '../../../src/services/conversations/gone.ts'
import type { Part } from '../../../src/services/conversations/ports.ts'
import { clear, removeMessage } from '../../../src/services/conversations/remove.ts'
import { Journal } from '../../../src/services/events/journal.ts'
import type { JournalStore } from '../../../src/services/events/journal.ts'
import { emptyConversation, isUnread } from '../../../src/store/conversation-counters.ts'
import type { Message } from '../../../src/store/records.ts'
import { bytes, message, newHome } from '../store/fixtures.ts'
import type { Cleanup } from '../store/fixtures.ts'

const NOTHING_SENT = async () => ({ ops: [], done() {} })

async function talk(t: Cleanup) {
  const { store } = await newHome(t)
  const clock = new SimClock()
  // What is looked at here is not the disk.
  const unsynced: JournalStore = {
    batch: async (ops, options) => store.batch(ops, { ...options, sync: false }),
    generation: store.generation,
    events: store.events,
  }
  const journal = new Journal({ store: unsynced, clock, log: silentLogger })
  const choices = () => ({ readReceipts: true, retentionDays: null, defaultTimerSeconds: null })
  const wiping = { expires() {}, wiped() {} }
  const components = { store, journal, clock, index: store.search, choices, wiping }
  const conversations = new Conversations(components)
  const draft = (contact: Uint8Array, text = 'x') => ({
    id: bytes(16),
    contact,
    contentKind: 1,
    text,
    replyTo: undefined,
    sentAt: clock.now(),
  })
  const incoming = async (contact: Uint8Array) => {
    const made = draft(contact)
    await journal.commit(async () => ({ ...(await conversations.incomingOps(made)), result: undefined }))
    return made
  }
  const outgoing = async (contact: Uint8Array) => {
    const made = draft(contact)
    await journal.commit(async () => ({ ...(await conversations.outgoingOps(made, bytes(16))), result: undefined }))
    return made
  }
  const advance = async (contact: Uint8Array, ids: readonly Uint8Array[], to: MessageStatus) =>
    journal.commit(async () => ({ ...(await conversations.advanceOps(contact, ids, to)), result: undefined }))
  return { store, journal, clock, components, conversations, incoming, outgoing, advance, draft }
}

test('LS-05 statuses take every step forward and none back, each step one event', async (t) => {
  const { conversations, outgoing, advance, store } = await talk(t)
  const contact = bytes(32)
  const { id } = await outgoing(contact)
  for (const to of ['stored', 'queued', 'delivered', 'stored', 'delivered', 'read', 'expired', 'delivered'] as const) {
    await advance(contact, [id], to)
  }
  assert.equal(statusName(await conversations.require(id)), 'read')
  const types = (await store.events.since(0, 50)).map(({ type }) => type)
  assert.deepEqual(types, ['message:queued', 'message:stored', 'message:delivered', 'message:read'])
})

test('PR-06 nobody moves the messages of another conversation, or incoming ones', async (t) => {
  const { conversations, outgoing, incoming, advance } = await talk(t)
  const [alice, mallory] = [bytes(32), bytes(32)]
  const mine = await outgoing(alice)
  const hers = await incoming(alice)
  await advance(mallory, [mine.id], 'read')
  await advance(alice, [hers.id, bytes(16)], 'read')
  assert.equal(statusName(await conversations.require(mine.id)), 'queued')
  assert.equal((await conversations.require(hers.id)).readAt, 0)
})

test('LS-04 LS-07 a message that comes again changes nothing; an id that is taken is refused', async (t) => {
  const { conversations, incoming, journal, store } = await talk(t)
  const contact = bytes(32)
  const made = await incoming(contact)
  await journal.commit(async () => ({ ...(await conversations.incomingOps(made)), result: undefined }))
  assert.equal((await store.conversations.get(contact))?.unread, 1)
  assert.equal(store.events.last(), 1)
  const taken = journal.commit(async () => ({
    ...(await conversations.outgoingOps(made, bytes(16))),
    result: undefined,
  }))
  await assert.rejects(taken, ConflictError)
})

test('LS-07 more unread than one call marks are all marked by calling again, and each is told once', async (t) => {
  const { conversations, journal, store, draft } = await talk(t)
  const contact = bytes(32)
  for (let i = 0; i < 1_250; i++) {
    void journal.commit(async () => ({ ...(await conversations.incomingOps(draft(contact))), result: undefined }))
  }
  await journal.commit(() => ({ ops: [], facts: [], result: undefined }))
  const told: string[] = []
  const mark = async (): Promise<number> =>
    conversations.markRead(contact, undefined, (ids) => {
      told.push(...ids.map((id) => Buffer.from(id).toString('hex')))
      return []
    })
  assert.deepEqual([await mark(), await mark(), await mark()], [1_000, 250, 0])
  assert.equal(new Set(told).size, 1_250)
  assert.equal((await store.conversations.get(contact))?.unread, 0)
})

test('LS-12 reading up to a message leaves the later ones unread; one of another conversation is refused', async (t) => {
  const { conversations, incoming, outgoing, store } = await talk(t)
  const [one, two] = [bytes(32), bytes(32)]
  await incoming(one)
  await outgoing(one)
  const upTo = await incoming(one)
  await incoming(one)
  const other = await incoming(two)
  await assert.rejects(
    conversations.markRead(one, other.id, () => []),
    NotFoundError,
  )
  assert.equal(await conversations.markRead(one, upTo.id, () => []), 2)
  assert.equal((await store.conversations.get(one))?.unread, 1)
  assert.equal((await store.conversations.get(two))?.unread, 1)
})

test('LS-10 PR-11 10,000 messages are paged without gap or duplicate while others are inserted, in the middle too', async (t) => {
  const { conversations, journal, draft, store } = await talk(t)
  const contact = bytes(32)
  const COUNT = 10_000
  const add = async (lamport: number) => {
    const made = { ...draft(contact), lamport }
    await journal.commit(async () => ({ ...(await conversations.incomingOps(made)), result: undefined }))
    return toHex(made.id)
  }
  const there: string[] = []
  for (let i = 0; i < COUNT; i += 500) {
    const ids = Array.from({ length: 500 }, () => bytes(16))
    const ops = ids.map((id, j) => store.messages.put(message(contact, orderOf(2 * (i + j) + 1, id), { id, text: '' })))
    await store.batch(ops.flat(), { sync: false })
    there.push(...ids.map(toHex))
  }
  await store.batch(store.conversations.put({ ...emptyConversation(contact), lamport: 2 * COUNT }))
  const seen: { id: string; order: number }[] = []
  for (let before: number | undefined, last = 2 * COUNT; ;) {
    const page = await conversations.page(contact, before === undefined ? { limit: 50 } : { before, limit: 50 })
    seen.push(...page.map(({ id, order }) => ({ id: toHex(id), order })))
    before = page.at(-1)?.order
    if (before === undefined) break
    // One at the end, one in what was paged already, one in what is to come.
    await Promise.all([add(++last), add(lamportOf(before) + 1), add(Math.max(2, lamportOf(before) - 51))])
  }
  const known = new Set(there)
  assert.deepEqual(
    seen.map(({ id }) => id).filter((id) => known.has(id)),
    there.toReversed(),
    'each of those that were there once, in causal order',
  )
  assert.equal(new Set(seen.map(({ id }) => id)).size, seen.length, 'none twice')
  assert.ok(seen.every(({ order }, i) => i === 0 || order < (seen[i - 1]?.order ?? 0)))
  assert.ok(seen.length > COUNT, 'and of the new ones those that stood ahead')
})

test('LS-07 PR-15 after 1,000 random operations the counters say what the messages say', async (t) => {
  const { conversations, journal, draft, store, components, clock } = await talk(t)
  const contacts = [bytes(32), bytes(32)]
  const rng = seededRng(5)
  const made: Message[] = []
  const commit = async (build: () => Promise<Part>) =>
    journal.commit(async () => {
      const { ops, facts } = await build()
      return { ops, facts, result: undefined }
    })
  for (let i = 0; i < 1_000; i++) {
    const contact = contacts[randomBelow(rng, 2)] ?? bytes(32)
    const one = made[randomBelow(rng, Math.max(1, made.length))]
    const what = randomBelow(rng, 20)
    const said = { contact, side: 'theirs' as const, operation: bytes(16), lamport: randomBelow(rng, 1_000), at: 1 }
    await clock.pass(randomBelow(rng, 5))
    if (what < 7) {
      const drafted = { ...draft(contact), lamport: randomBelow(rng, 400) }
      await commit(async () => conversations.incomingOps(drafted))
      made.push(await conversations.require(drafted.id))
    } else if (what < 10) {
      const drafted = draft(contact)
      await commit(async () => conversations.outgoingOps(drafted, bytes(16)))
      made.push(await conversations.require(drafted.id))
    } else if (what < 13) await conversations.markRead(contact, undefined, () => [])
    else if (one === undefined || (await conversations.find(one.id)) === undefined) continue
    else if (what < 14) await conversations.markRead(one.contact, one.id, () => [])
    else if (what < 16) {
      await commit(async () =>
        conversations.operateOps({ ...said, contact: one.contact }, { kind: 'delete', targets: [one.id, bytes(16)] }),
      )
    } else if (what < 18) await removeMessage(components, one.id, NOTHING_SENT)
    else if (what < 19) {
      await flag(components, one, { pinned: true, starred: true }).catch((error: unknown) => {
        assert.ok(error instanceof UsageError || error instanceof LimitError)
      })
    } else
      await commit(async () =>
        conversations.operateOps({ ...said, contact: one.contact }, { kind: 'react', target: one.id, emoji: '👍' }),
      )
    if (i % 400 === 399) await clear(components, contact)
  }
  for (const contact of contacts) {
    const messages: Message[] = []
    for await (const message of store.messages.all(contact)) messages.push(message)
    const conversation = await conversations.get(contact)
    const marks = await store.marks.ofAll(messages)
    assert.equal(conversation.unread, messages.filter(isUnread).length)
    assert.deepEqual(conversation.lastMessage, messages.at(-1)?.id)
    const pinned = messages.filter((_, at) => marks[at]?.pinned === true).map(({ id }) => toHex(id))
    assert.deepEqual(new Set(conversation.pins.map(toHex)), new Set(pinned))
    assert.ok(messages.filter(isUnread).every(({ order }) => order >= conversation.unreadFrom))
  }
  const stars = await store.starred.page({ limit: 10_000 })
  for (const { messageId, order } of stars) {
    assert.equal((await store.marks.of(await conversations.require(messageId))).starred, order)
  }
})
