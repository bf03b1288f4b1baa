/** Conversations: counters, statuses that never go back, and reading. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimClock } from '../../support/sim.ts'
import { ConflictError, NotFoundError } from '../../../src/lib/errors.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import type { MessageStatus } from '../../../src/protocol/message-status.ts'
import { Conversations, statusName } from '../../../src/services/conversations/conversations.ts'
import { Journal } from '../../../src/services/events/journal.ts'
import { bytes, newHome } from '../store/fixtures.ts'
import type { Cleanup } from '../store/fixtures.ts'

async function talk(t: Cleanup) {
  const { store } = await newHome(t)
  const clock = new SimClock()
  const journal = new Journal({ store, clock, log: silentLogger })
  const conversations = new Conversations({ store, journal, clock })
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
    await journal.commit(async () => ({ ...(await conversations.outgoingOps(made)), result: undefined }))
    return made
  }
  const advance = async (contact: Uint8Array, ids: readonly Uint8Array[], to: MessageStatus) =>
    journal.commit(async () => ({ ...(await conversations.advanceOps(contact, ids, to)), result: undefined }))
  return { store, journal, conversations, incoming, outgoing, advance, draft }
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
  const taken = journal.commit(async () => ({ ...(await conversations.outgoingOps(made)), result: undefined }))
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
