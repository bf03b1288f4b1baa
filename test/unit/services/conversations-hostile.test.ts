/** What a contact does to a conversation on purpose, and what a lost count or a broken record does to it by chance. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimClock } from '../../support/sim.ts'
import { toHex } from '../../../src/lib/bytes.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { DAY_MS } from '../../../src/lib/time.ts'
import { LAMPORT_MAX } from '../../../src/protocol/message-order.ts'
import type { MessageStatus } from '../../../src/protocol/message-status.ts'
import { choose } from '../../../src/services/conversations/choices.ts'
import { Conversations } from '../../../src/services/conversations/conversations.ts'
import type { Part } from '../../../src/services/conversations/ports.ts'
import { clear, removeMessage } from '../../../src/services/conversations/remove.ts'
import { Sweeper } from '../../../src/services/conversations/sweeper.ts'
import { Journal } from '../../../src/services/events/journal.ts'
import type { JournalStore } from '../../../src/services/events/journal.ts'
import { operationHandlers } from '../../../src/services/inbox/handlers/operations.ts'
import { abandonOps } from '../../../src/services/outbox/abandon.ts'
import { emptyConversation } from '../../../src/store/conversation-counters.ts'
import { STEP_BYTES_MAX } from '../../../src/store/messages.ts'
import { CONTACT_STATE, GONE } from '../../../src/store/records.ts'
import type { Message } from '../../../src/store/records.ts'
import { CONTENT_KIND } from '../../../src/wire/content.ts'
import { bytes, message, newHome } from '../store/fixtures.ts'
import type { Cleanup } from '../store/fixtures.ts'

const MALLORY = bytes(32)
const ALL_ONES = new Uint8Array(16).fill(255)

async function talk(t: Cleanup, chosen: { retentionDays?: number; defaultTimerSeconds?: number } = {}) {
  const { store, database } = await newHome(t)
  const clock = new SimClock()
  const batches: number[] = []
  const unsynced: JournalStore = {
    batch: async (ops, options) => {
      batches.push(ops.reduce((sum, op) => sum + (op.type === 'put' ? op.value.length : 0), 0))
      await store.batch(ops, { ...options, sync: false })
    },
    generation: store.generation,
    events: store.events,
  }
  const journal = new Journal({ store: unsynced, clock, log: silentLogger })
  const choices = () => ({ readReceipts: true, retentionDays: null, defaultTimerSeconds: null, ...chosen })
  const shared = { store, journal, clock, index: store.search, choices }
  const conversations = new Conversations({ ...shared, wiping: { expires() {}, wiped() {} } })
  const commit = async <T extends Part>(part: () => Promise<T>): Promise<T> =>
    journal.commit(async () => {
      const made = await part()
      return { ops: made.ops, facts: made.facts, result: made }
    })
  const draft = (over: Partial<Message> & { lamport?: number } = {}) => ({
    id: bytes(16),
    contact: MALLORY,
    contentKind: CONTENT_KIND.text,
    text: 'x',
    replyTo: undefined,
    sentAt: clock.now(),
    ...over,
  })
  const incoming = async (over: Parameters<typeof draft>[0] = {}) => {
    const made = draft(over)
    await commit(async () => conversations.incomingOps(made))
    return made.id
  }
  const timer = async (side: 'own' | 'theirs', lamport: number, seconds: number, operation = bytes(16), at = 1) =>
    commit(async () => conversations.timerOps({ contact: MALLORY, side, operation, lamport, at }, seconds))
  const edit = async (target: Uint8Array, lamport: number, at: number, text: string, operation = bytes(16)) => {
    const said = { contact: MALLORY, side: 'theirs', operation, lamport, at } as const
    return commit(async () => conversations.operateOps(said, { kind: 'edit', target, text }))
  }
  const shownOf = async (id: Uint8Array) => {
    const found = await conversations.require(id)
    return (await store.marks.of(found)).theirs.edit?.text ?? found.text
  }
  const now = async () => conversations.get(MALLORY)
  return {
    store,
    database,
    journal,
    clock,
    shared,
    batches,
    conversations,
    commit,
    draft,
    incoming,
    timer,
    edit,
    shownOf,
    now,
  }
}

test('PR-12 whoever drives the numbers of a conversation to their end, the user’s own timer counts', async (t) => {
  const { store, journal, conversations, timer, now } = await talk(t)
  const far = { ...emptyConversation(MALLORY), lamport: LAMPORT_MAX - 1 }
  await journal.commit(async () => ({ ops: store.conversations.put(far), facts: [], result: undefined }))
  for (const seconds of [0, 600, 0]) {
    await timer(
      'theirs',
      2 ** 52,
      5,
      ALL_ONES.map((byte, i) => (i === 15 ? byte - 2 + (seconds > 0 ? 1 : 0) : byte)),
    )
    await timer('own', await conversations.nextLamport(MALLORY), seconds)
    assert.equal((await now()).timerSeconds, seconds)
    await timer('theirs', 2 ** 52, 5, ALL_ONES)
    assert.equal((await now()).timerSeconds, seconds, 'nothing of theirs beats it')
  }
})

test('PR-12 a number from far ahead says nothing of the ones that follow: a million contents are not enough to reach the end', async (t) => {
  const { conversations, commit, incoming, now } = await talk(t)
  await incoming({ lamport: 1 })
  const before = (await now()).lamport
  for (let i = 0; i < 16; i++) {
    const said = { contact: MALLORY, side: 'theirs', operation: bytes(16), lamport: 2 ** 40, at: i } as const
    await commit(async () => conversations.operateOps(said, { kind: 'react', target: bytes(16), emoji: '👍' }))
  }
  assert.ok(((await now()).lamport - before) / 16 < LAMPORT_MAX / 1e6)
})

test('LS-12 a thousand messages that want one place are kept without looking for one again and again', async (t) => {
  const { store, conversations, incoming, now } = await talk(t)
  await incoming({ lamport: 7 })
  let asked = 0
  const taken = store.messages.taken.bind(store.messages)
  store.messages.taken = async (contact, order) => {
    asked++
    return taken(contact, order)
  }
  const orders = new Set<number>()
  for (let i = 0; i < 300; i++) {
    const id = bytes(16)
    id.fill(7, 0, 2)
    await incoming({ id, lamport: LAMPORT_MAX })
    // The same number again and again, as at the end of all numbers.
    const conversation = await now()
    orders.add((await conversations.require(id)).order)
    assert.ok(conversation.lastOrder >= Math.max(...orders))
  }
  assert.equal(orders.size, 300)
  assert.ok(asked <= 300 * 16, `${asked} places were looked at`)
})

test('LS-12 LS-07 large texts are marked as read in batches that fit into memory, all by one call', async (t) => {
  const { conversations, incoming, batches, now } = await talk(t)
  const text = 'word '.repeat(200_000)
  for (let i = 0; i < 12; i++) await incoming({ text })
  batches.length = 0
  const told: string[] = []
  const marked = await conversations.markRead(MALLORY, undefined, (ids) => {
    told.push(...ids.map(toHex))
    return []
  })
  assert.equal(marked, 12)
  assert.equal(new Set(told).size, 12)
  assert.equal((await now()).unread, 0)
  assert.ok(batches.length >= 3)
  assert.ok(Math.max(...batches) < STEP_BYTES_MAX + 2 * text.length, `${Math.max(...batches)} bytes in one batch`)
})

test('LS-12 one unread message at the bottom is found in steps, between which others write', async (t) => {
  const { conversations, incoming, journal, store, now } = await talk(t)
  for (let i = 0; i < 1_300; i++) {
    const put = message(MALLORY, (i + 10) * 65_536, { outgoing: true })
    await journal.commit(async () => ({ ops: await store.messages.insert(put), facts: [], result: undefined }))
  }
  const last = { ...emptyConversation(MALLORY), lastOrder: 1_309 * 65_536, lamport: 1_309 }
  await journal.commit(async () => ({ ops: store.conversations.put(last), facts: [], result: undefined }))
  const id = await incoming({ lamport: 0 })
  let changes = 0
  const commit = journal.commit.bind(journal)
  journal.commit = async (change) => {
    changes++
    return commit(change)
  }
  assert.equal(await conversations.markRead(MALLORY, undefined, () => []), 1)
  assert.ok((await conversations.require(id)).readAt > 0)
  assert.equal((await now()).unread, 0)
  assert.ok(changes > 1)
})

const sweeperOf = ({ shared }: Awaited<ReturnType<typeof talk>>): Sweeper =>
  new Sweeper({
    ...shared,
    callOff: async () => ({ ops: [], done() {} }),
    compact: async () => {},
    log: silentLogger,
  })

/** Runs what is due until `done`, bounded by steps. */
async function until(clock: SimClock, stepMs: number, done: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 400 && !(await done()); i++) {
    await clock.pass(stepMs)
    await new Promise((resolve) => {
      setTimeout(resolve, 5)
    })
  }
  assert.ok(await done())
}

test('LS-09 fresh messages in front of old ones do not switch the keeping for some days off', async (t) => {
  const home = await talk(t, { retentionDays: 1 })
  const { clock, incoming, conversations } = home
  const old: Uint8Array[] = []
  for (let i = 0; i < 40; i++) old.push(await incoming({ lamport: i + 10 }))
  await clock.pass(2 * DAY_MS)
  // More than one step looks at.
  for (let i = 0; i < 1_100; i++) await incoming({ lamport: 0, sentAt: 0 })
  const sweeper = sweeperOf(home)
  await sweeper.start()
  t.after(async () => sweeper.stop())
  await until(clock, 10, async () => (await conversations.find(old.at(-1) ?? old[0] ?? bytes(16))) === undefined)
  for (const id of old) assert.equal(await conversations.find(id), undefined)
  assert.equal((await conversations.page(MALLORY, { limit: 1_000 })).length, 1_000)
})

test('PR-12 a record that is broken keeps no other message from disappearing', async (t) => {
  const home = await talk(t)
  const { clock, conversations, store, database, journal } = home
  const put = async (order: number, expiresAt = clock.now() + 1_000) => {
    const made = message(MALLORY, order * 65_536, { timerSeconds: 5, expiresAt })
    await journal.commit(async () => ({
      ops: [...(await store.messages.insert(made)), ...store.expiries.put({ messageId: made.id, at: made.expiresAt })],
      facts: [],
      result: undefined,
    }))
    return made
  }
  const broken = await put(1)
  const whole = await put(2)
  const [op] = store.messages.put(broken)
  assert.ok(op?.type === 'put')
  await database.batch([{ type: 'put', key: op.key, value: Uint8Array.of(1, 2, 3) }])
  // What the cache still has is not what the disk has.
  for (let i = 0; i < 300; i++) await put(i + 3, clock.now() + DAY_MS)
  await assert.rejects(async () => store.messages.get(broken.id))
  const sweeper = sweeperOf(home)
  await sweeper.start()
  t.after(async () => sweeper.stop())
  await until(clock, 1_000, async () => (await conversations.find(whole.id))?.gone === GONE.expired)
})

test('LS-20 a conversation that was restored keeps its timer; the one of the settings is for new ones', async (t) => {
  const { store, journal, conversations, commit, draft } = await talk(t, { defaultTimerSeconds: 2_419_200 })
  const restored = { ...emptyConversation(MALLORY), timerSeconds: 300, lamport: 2_048 }
  await journal.commit(async () => ({ ops: store.conversations.put(restored), facts: [], result: undefined }))
  const { message: sent, begins } = await commit(async () => conversations.outgoingOps(draft(), bytes(16)))
  assert.equal(sent.timerSeconds, 300)
  assert.equal(begins, undefined)
  const off = { ...emptyConversation(bytes(32)), lamport: 1_024 }
  await journal.commit(async () => ({ ops: store.conversations.put(off), facts: [], result: undefined }))
  const { contact } = off
  const other = await commit(async () => conversations.outgoingOps(draft({ contact }), bytes(16)))
  assert.equal(other.begins, undefined, 'off is a timer, too')
})

test('PR-12 LS-20 a timer that comes twice from who lost count sets it once', async (t) => {
  const { incoming, timer, now } = await talk(t)
  await incoming({ lamport: 1_000, sentAt: 100 })
  const operation = bytes(16)
  await timer('theirs', 5, 60, operation, 200)
  assert.equal((await now()).timerSeconds, 60)
  await timer('own', 1_002, 600)
  const again = await timer('theirs', 5, 60, operation, 200)
  assert.deepEqual([again.facts.length, (await now()).timerSeconds], [0, 600])
})

test('PR-18 LS-20 who restored an older backup goes on changing what it wrote; copies of that change nothing later', async (t) => {
  const { incoming, edit, shownOf } = await talk(t)
  const id = await incoming({ lamport: 1, sentAt: 1 })
  await edit(id, 900, 100, 'before the backup was lost')
  const operation = bytes(16)
  await edit(id, 12, 500, 'after it was restored', operation)
  assert.equal(await shownOf(id), 'after it was restored')
  await edit(id, 13, 600, 'once more')
  assert.equal(await shownOf(id), 'once more')
  await edit(id, 12, 500, 'after it was restored', operation)
  assert.equal(await shownOf(id), 'once more')
  await edit(id, 11, 90, 'what came late')
  assert.equal(await shownOf(id), 'once more')
})

test('PR-18 PR-16 what a contact does before its agreement is here counts; what others do does not', async (t) => {
  const { conversations, incoming, store } = await talk(t)
  const target = await incoming()
  const handle = operationHandlers(conversations, async () => MALLORY)[CONTENT_KIND.reaction]
  const said = async (state: number | undefined) => {
    const content = { id: bytes(16), sentAt: 1, extensions: [] }
    const body = { kind: CONTENT_KIND.reaction, body: { target, emoji: '👍' } }
    const contact = state === undefined ? undefined : { accountId: MALLORY, state }
    return handle?.({ contact, content, body } as unknown as Parameters<typeof handle>[0])
  }
  for (const state of [undefined, CONTACT_STATE.incoming, CONTACT_STATE.blocked]) {
    assert.equal((await said(state))?.facts.length, 0)
  }
  for (const state of [CONTACT_STATE.requested, CONTACT_STATE.accepted]) {
    assert.equal((await said(state))?.facts.length, 1)
  }
  assert.equal((await store.marks.of(await conversations.require(target))).theirs.reaction, undefined)
})

test('PR-06 PR-12 what waited for a contact that is blocked has failed, and its timer runs', async (t) => {
  const { conversations, commit, draft, clock } = await talk(t, { defaultTimerSeconds: 60 })
  const sent = await commit(async () => conversations.outgoingOps(draft(), bytes(16)))
  const { id } = sent.message
  const dropped: Uint8Array[] = []
  const entry = (messageId: Uint8Array, quiet: boolean) => ({ messageId: toHex(messageId), quiet })
  const entries = new Map([entry(id, false), entry(id, false), entry(bytes(16), true)].entries())
  const outbox = {
    queue: { lanesOf: () => [{ entries }] },
    dropOps: (contact: Uint8Array) => {
      dropped.push(contact)
      return []
    },
  } as unknown as Parameters<typeof abandonOps>[0]
  const told: MessageStatus[] = []
  const messages: Parameters<typeof abandonOps>[1] = {
    advanceOps: async (contact, ids, status) => {
      told.push(...ids.map(() => status))
      return conversations.advanceOps(contact, ids, status)
    },
  }
  await commit(async () => abandonOps(outbox, messages, MALLORY))
  assert.deepEqual([told, dropped.length], [['failed'], 1])
  const { status, expiresAt } = await conversations.require(id)
  assert.equal(status, 6)
  assert.equal(expiresAt, clock.now() + 60_000)
})

test('LS-09 a cleared conversation keeps no draft and nothing that waits for messages, also where texts are large', async (t) => {
  const { conversations, incoming, shared, commit, store, now } = await talk(t)
  const text = 'word '.repeat(200_000)
  for (let i = 0; i < 6; i++) await incoming({ text })
  const early = bytes(16)
  const said = { contact: MALLORY, side: 'theirs', operation: bytes(16), lamport: 9, at: 1 } as const
  await commit(async () => conversations.operateOps(said, { kind: 'edit', target: early, text: 'secret' }))
  const components = { ...shared, wiping: { expires() {}, wiped() {} } }
  await choose(components, MALLORY, { draft: 'what I began' })
  await clear(components, MALLORY)
  assert.equal((await conversations.page(MALLORY, { limit: 10 })).length, 0)
  assert.deepEqual([(await now()).draft, (await now()).unread], ['', 0])
  assert.equal((await store.marks.get(MALLORY, early)).theirs.edit, undefined)
  assert.equal(await store.marks.arrived(MALLORY, early), undefined)
})

test('LS-09 PR-18 an own message that is deleted here before it went is not sent any more', async (t) => {
  const { conversations, commit, draft, incoming, shared } = await talk(t)
  const { message: sent } = await commit(async () => conversations.outgoingOps(draft(), bytes(16)))
  const theirs = await incoming()
  const components = { ...shared, wiping: { expires() {}, wiped() {} } }
  const off: string[] = []
  const done: string[] = []
  for (const id of [sent.id, theirs]) {
    await removeMessage(components, id, async (_contact, ids) => {
      off.push(...ids.map(toHex))
      return { ops: [], done: () => void done.push(toHex(id)) }
    })
  }
  assert.deepEqual(off, [toHex(sent.id)])
  assert.deepEqual(done, [toHex(sent.id), toHex(theirs)])
  assert.equal(await conversations.find(sent.id), undefined)
})
