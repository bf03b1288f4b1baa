import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { selectProvider } from '../../src/crypto/select.ts'
import { compare } from '../../src/lib/bytes.ts'
import { seededRng } from '../../src/lib/rng.ts'
import { afterIncoming, afterOutgoing, afterRead, emptyConversation } from '../../src/store/conversation-counters.ts'
import { Database } from '../../src/store/database.ts'
import type { StoreOp } from '../../src/store/database.ts'
import { successor } from '../../src/store/buckets.ts'
import { MESSAGE_STATUS } from '../../src/store/records.ts'
import type { Message } from '../../src/store/records.ts'
import { openStore } from '../../src/store/store.ts'
import { Vault } from '../../src/store/vault.ts'
import { collect } from '../unit/store/fixtures.ts'

const SEED = 20_260_102
console.log(`seed ${SEED}`)
const rng = seededRng(SEED)
const tools = { crypto: selectProvider(undefined), rng }

async function withDatabase<T>(use: (database: Database) => Promise<T>): Promise<T> {
  const path = mkdtempSync(join(tmpdir(), 'sotto-property-'))
  const database = await Database.open(join(path, 'db'))
  try {
    return await use(database)
  } finally {
    await database.close()
    rmSync(path, { recursive: true, force: true })
  }
}

test('the first key after a prefix is after all of its keys and not after any other', () => {
  const bytes = fc.uint8Array({ maxLength: 4 })
  const prefixes = fc
    .tuple(fc.integer({ min: 0, max: 127 }), bytes)
    .map(([first, rest]) => Uint8Array.of(first, ...rest))
  fc.assert(
    fc.property(prefixes, bytes, fc.uint8Array({ minLength: 1, maxLength: 6 }), (prefix, rest, other) => {
      const end = successor(prefix)
      assert.ok(compare(Uint8Array.of(...prefix, ...rest), end) < 0)
      const inside = compare(other, prefix) >= 0 && compare(other, end) < 0
      const begins = other.length >= prefix.length && compare(other.subarray(0, prefix.length), prefix) === 0
      assert.equal(inside, begins)
    }),
    { seed: SEED, numRuns: 500 },
  )
})

interface Step {
  readonly kind: 'batch' | 'await' | 'walk'
  readonly writes: readonly { readonly key: number; readonly value: number | undefined }[]
  readonly from: number
  readonly to: number
  readonly reverse: boolean
  readonly limit: number
}

test('whatever is written and awaited when, reads and walks see what a map would', async () => {
  const key = fc.integer({ min: 0, max: 15 })
  const step: fc.Arbitrary<Step> = fc.record({
    kind: fc.constantFrom('batch' as const, 'batch' as const, 'await' as const, 'walk' as const),
    writes: fc.array(fc.record({ key, value: fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined }) }), {
      maxLength: 4,
    }),
    from: key,
    to: key,
    reverse: fc.boolean(),
    limit: fc.integer({ min: -1, max: 6 }),
  })
  await withDatabase(async (database) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        await database.clear({ gte: Uint8Array.of(0), lt: Uint8Array.of(255) })
        const model = new Map<number, number>()
        const pending: Promise<void>[] = []
        for (const each of steps) await take(database, model, pending, each)
        await Promise.all(pending)
        await take(database, model, pending, { kind: 'walk', writes: [], from: 0, to: 99, reverse: false, limit: -1 })
      }),
      { seed: SEED, numRuns: 80 },
    )
  })
})

async function take(
  database: Database,
  model: Map<number, number>,
  pending: Promise<void>[],
  step: Step,
): Promise<void> {
  if (step.kind === 'await') await Promise.all(pending)
  if (step.kind === 'batch') {
    const ops = step.writes.map(({ key, value }): StoreOp => {
      if (value === undefined) return { type: 'del', key: Uint8Array.of(key) }
      return { type: 'put', key: Uint8Array.of(key), value: Uint8Array.of(value) }
    })
    for (const { key, value } of step.writes) {
      if (value === undefined) model.delete(key)
      else model.set(key, value)
    }
    pending.push(database.batch(ops, { sync: false }))
  }
  if (step.kind !== 'walk') return
  const expected = [...model].filter(([key]) => key >= step.from && key < step.to).sort(([a], [b]) => a - b)
  if (step.reverse) expected.reverse()
  if (step.limit >= 0) expected.splice(step.limit)
  const range = { gte: Uint8Array.of(step.from), lt: Uint8Array.of(step.to), reverse: step.reverse, limit: step.limit }
  const found: [number, number][] = []
  for await (const [key, value] of database.iterate(range)) found.push([key[0] ?? -1, value[0] ?? -1])
  assert.deepEqual(found, expected)
  assert.deepEqual(await database.get(Uint8Array.of(step.from)), value(model.get(step.from)))
}

const value = (byte: number | undefined): Uint8Array | undefined =>
  byte === undefined ? undefined : Uint8Array.of(byte)

test('LS-07 after 1,000 random operations the counters say what the messages say', async () => {
  await withDatabase(async (database) => {
    const store = await openStore(database, new Vault(rng.bytes(32), tools))
    const contacts = [rng.bytes(32), rng.bytes(32), rng.bytes(32)]
    let now = 1_800_000_000_000
    for (let i = 0; i < 1_000; i++) {
      const [which = 0, kind = 0, amount = 0] = rng.bytes(3)
      const contact = contacts[which % 3] ?? rng.bytes(32)
      const conversation = (await store.conversations.get(contact)) ?? emptyConversation(contact)
      now += amount
      if (kind % 5 === 0) {
        const newest = await store.messages.page(contact, { limit: (amount % 20) + 1 })
        const unread = newest.filter(({ outgoing, readAt }) => !outgoing && readAt === 0)
        await store.batch(
          [
            ...unread.flatMap((message) => store.messages.put({ ...message, readAt: now })),
            ...store.conversations.put(afterRead(conversation, unread.length)),
          ],
          { sync: false },
        )
        continue
      }
      const message = newMessage(contact, conversation.lastOrder + 1, kind % 2 === 0, now)
      const counters = message.outgoing ? afterOutgoing(conversation, message) : afterIncoming(conversation, message)
      await store.batch([...(await store.messages.insert(message)), ...store.conversations.put(counters)], {
        sync: false,
      })
    }
    for (const contact of contacts) {
      const messages = await collect(store.messages.all(contact))
      const conversation = await store.conversations.get(contact)
      const last = messages.at(-1)
      assert.ok(messages.length > 100 && last !== undefined && conversation !== undefined)
      assert.equal(conversation.unread, messages.filter(({ outgoing, readAt }) => !outgoing && readAt === 0).length)
      assert.deepEqual(conversation.lastMessage, last.id)
      assert.deepEqual(
        [conversation.lastOrder, conversation.lastAt, messages.length],
        [last.order, last.committedAt, last.order],
      )
    }
  })
})

function newMessage(contact: Uint8Array, order: number, outgoing: boolean, now: number): Message {
  return {
    id: rng.bytes(16),
    contact,
    order,
    outgoing,
    contentKind: 1,
    text: 'x',
    replyTo: undefined,
    sentAt: now,
    committedAt: now,
    status: outgoing ? MESSAGE_STATUS.queued : MESSAGE_STATUS.delivered,
    path: 0,
    receipts: 0,
    readAt: 0,
    timerSeconds: 0,
    expiresAt: 0,
    gone: 0,
    marked: false,
  }
}
