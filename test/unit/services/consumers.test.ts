/** Readers by name: what was acknowledged is on the disk, never goes back, and decides what is kept. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { LimitError, NotFoundError, StorageError, UsageError } from '../../../src/lib/errors.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { DAY_MS, HOUR_MS } from '../../../src/lib/time.ts'
import { Consumers } from '../../../src/services/events/consumers.ts'
import { Journal } from '../../../src/services/events/journal.ts'
import { Database } from '../../../src/store/database.ts'
import { openStore } from '../../../src/store/store.ts'
import { createVault } from '../../../src/store/vault.ts'
import { Disk, SimClock } from '../../support/sim.ts'
import { CHEAP, temporary, tools } from '../store/fixtures.ts'
import type { Cleanup } from '../store/fixtures.ts'

async function desk(t: Cleanup) {
  const path = temporary(t)
  const clock = new SimClock()
  const disk = await Disk.open(clock, join(path, 'db'))
  t.after(async () => disk.database.close())
  const vault = await createVault(join(path, 'vault'), 'x', tools, CHEAP)
  const store = await openStore(disk.database, vault)
  const journal = new Journal({ store, clock, log: silentLogger })
  const consumers = new Consumers({ store, journal, clock })
  const happen = async (times: number) => {
    const facts = Array.from({ length: times }, () => ({ type: 'thing:happened', data: {} }))
    await journal.commit(() => ({ ops: [], facts, result: undefined }))
  }
  return { path, clock, disk, vault, store, journal, consumers, happen }
}

/** A desk whose log only counts: what is kept is a matter of numbers. */
function countingDesk(last: number) {
  const clock = new VirtualClock()
  const kept = new Map<string, Awaited<ReturnType<Consumers['open']>>>()
  const store = {
    consumers: {
      get: async (name: string) => kept.get(name),
      all: async () => [...kept.values()],
      put(consumer: Awaited<ReturnType<Consumers['open']>>) {
        kept.set(consumer.name, consumer)
        return []
      },
      delete(name: string) {
        kept.delete(name)
        return []
      },
    },
    events: { last: () => last },
  }
  const journal: Pick<Journal, 'commit'> = { commit: async (build) => (await build()).result }
  return { clock, kept, consumers: new Consumers({ store, journal, clock }) }
}

test('AP-06 a consumer begins at the end of the log or where it is told, and keeps its place over a restart', async (t) => {
  const { consumers, happen, disk, path, vault, clock } = await desk(t)
  await happen(5)
  assert.equal((await consumers.open('late')).acknowledged, 5)
  assert.equal((await consumers.open('early', 0)).acknowledged, 0)
  assert.equal((await consumers.open('beyond', 99)).acknowledged, 5)
  assert.equal((await consumers.open('early', 3)).acknowledged, 0, 'one that exists stays where it is')
  await consumers.acknowledge('early', 4)
  await disk.database.close()
  const database = await Database.open(join(path, 'db'))
  t.after(async () => database.close())
  const store = await openStore(database, vault)
  const again = new Consumers({ store, journal: new Journal({ store, clock, log: silentLogger }), clock })
  assert.deepEqual(
    (await again.all()).map(({ name, acknowledged }) => [name, acknowledged]),
    [
      ['beyond', 5],
      ['early', 4],
      ['late', 5],
    ],
  )
})

test('AP-06 an acknowledgement never goes back, and never runs ahead of the log', async (t) => {
  const { consumers, happen } = await desk(t)
  await happen(100)
  await consumers.open('bot', 0)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 120 }), { maxLength: 20 }), async (numbers) => {
      const before = (await consumers.open('bot')).acknowledged
      // All at once: they are told in any order, and the highest counts.
      const told = await Promise.allSettled(numbers.map(async (number) => consumers.acknowledge('bot', number)))
      for (const [i, one] of told.entries()) {
        assert.equal(one.status, (numbers[i] ?? 0) > 100 ? 'rejected' : 'fulfilled')
        if (one.status === 'rejected') assert.ok(one.reason instanceof UsageError)
      }
      const highest = Math.max(before, ...numbers.filter((number) => number <= 100))
      assert.equal((await consumers.open('bot')).acknowledged, highest)
    }),
    { numRuns: 30 },
  )
  await assert.rejects(consumers.acknowledge('nobody', 1), NotFoundError)
})

test('AP-06 an acknowledgement that the disk refused was none', async (t) => {
  const { consumers, happen, disk } = await desk(t)
  await happen(10)
  await consumers.open('bot', 0)
  disk.full = true
  await assert.rejects(consumers.acknowledge('bot', 7), StorageError)
  disk.full = false
  assert.equal((await consumers.open('bot')).acknowledged, 0)
  assert.equal((await consumers.acknowledge('bot', 6)).acknowledged, 6)
})

test('AP-06 there are 64 consumers at most, and one that is not used for 90 days makes room', async () => {
  const { consumers, clock, kept } = countingDesk(10)
  for (let i = 0; i < 64; i++) await consumers.open(`bot-${i}`)
  await assert.rejects(consumers.open('one-more'), LimitError)
  await consumers.remove('bot-7')
  await assert.rejects(consumers.remove('bot-7'), NotFoundError)
  await consumers.open('one-more')
  await clock.advance(91 * DAY_MS)
  await consumers.acknowledge('bot-1', 10)
  await consumers.open('fresh')
  await consumers.sweep()
  assert.deepEqual([...kept.keys()], ['bot-1', 'fresh'])
})

test('AP-06 reading counts as use, but is not written down each time', async () => {
  const { consumers, clock } = countingDesk(10)
  const first = await consumers.open('bot')
  await clock.advance(HOUR_MS / 2)
  assert.equal((await consumers.open('bot')).seenAt, first.seenAt)
  await clock.advance(HOUR_MS)
  assert.ok((await consumers.open('bot')).seenAt > first.seenAt)
})

test('AP-06 events are kept for a consumer of the last 7 days: 100,000 without one in need, a million at most', async () => {
  const { consumers, clock } = countingDesk(5_000_000)
  assert.equal(await consumers.keep(), 100_000)
  await consumers.open('near', 4_990_000)
  assert.equal(await consumers.keep(), 100_000)
  await consumers.open('behind', 4_600_000)
  assert.equal(await consumers.keep(), 400_000)
  await consumers.open('far', 1)
  assert.equal(await consumers.keep(), 1_000_000)
  await consumers.acknowledge('far', 5_000_000)
  assert.equal(await consumers.keep(), 400_000)
  await clock.advance(8 * DAY_MS)
  assert.equal(await consumers.keep(), 100_000)
})
