/** The one writer: changes one after another, events without gaps, and memory that never runs ahead of the disk. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { StorageError, UsageError } from '../../../src/lib/errors.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { Journal } from '../../../src/services/events/journal.ts'
import type { Follower } from '../../../src/services/events/journal.ts'
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
  const store = await openStore(disk.database, await createVault(join(path, 'vault'), 'x', tools, CHEAP))
  const journal = new Journal({ store, clock, log: silentLogger })
  const put = (name: string, value = '1') => ({ ops: store.settings.put(name, value), facts: [], result: value })
  return { disk, store, journal, put, clock }
}

/** A cache that changes move, and what it was told. */
function cache(): Follower & { value: string; heard: string[]; move(to: string): void } {
  let before = 'disk'
  return {
    value: 'disk',
    heard: [],
    move(to) {
      this.value = to
    },
    keep() {
      before = this.value
      this.heard.push('keep')
    },
    undo() {
      this.value = before
      this.heard.push('undo')
    },
    async reload() {
      this.value = before = 'disk'
      this.heard.push('reload')
    },
  }
}

const fact = (type: string) => ({ type, data: {} })

test('AP-06 events are numbered without gaps in the order of their changes, and told when they are on the disk', async (t) => {
  const { journal, store } = await desk(t)
  const told: number[] = []
  journal.onEvent((last) => told.push(last))
  const changes = Array.from({ length: 20 }, async (_, i) =>
    journal.commit(() => ({
      ops: [],
      facts: i % 3 === 0 ? [fact(`a:${i}`), fact(`b:${i}`)] : [fact(`a:${i}`)],
      result: i,
    })),
  )
  assert.deepEqual(
    await Promise.all(changes),
    Array.from({ length: 20 }, (_, i) => i),
  )
  const events = await store.events.since(0, 100)
  assert.deepEqual(
    events.map(({ number }) => number),
    Array.from({ length: 27 }, (_, i) => i + 1),
  )
  assert.equal(told.at(-1), 27)
  assert.deepEqual(
    told,
    [...told].sort((a, b) => a - b),
  )
})

test('a change reads what the one before it wrote, before the disk has it', async (t) => {
  const { journal, store, put } = await desk(t)
  const first = journal.commit(() => put('n', '1'))
  const second = journal.commit(async () => put('n', String(Number(await store.settings.get('n')) + 1)))
  await Promise.all([first, second])
  assert.equal(await store.settings.get('n'), '2')
})

test('a change that throws leaves nothing: no op, no event, no number, and memory as it was', async (t) => {
  const { journal, store, put } = await desk(t)
  const memory = cache()
  journal.follow(memory)
  await journal.commit(() => {
    memory.move('one')
    return { ...put('a'), facts: [fact('a:done')] }
  })
  const failed = journal.commit(async () => {
    memory.move('half')
    throw new UsageError('no')
  })
  await assert.rejects(failed, UsageError)
  assert.equal(memory.value, 'one')
  await journal.commit(() => ({ ...put('b'), facts: [fact('b:done')] }))
  assert.equal(store.events.last(), 2)
  assert.deepEqual(memory.heard, ['keep', 'undo', 'keep'])
})

test('after a write that failed memory is read anew before the next change looks at it', async (t) => {
  const { journal, store, put, disk } = await desk(t)
  const memory = cache()
  journal.follow(memory)
  disk.full = true
  let done = 0
  const lost = [1, 2, 3].map(async (i) =>
    journal.commit(() => {
      memory.move(`lost ${i}`)
      return { ...put('a'), facts: [fact('a:lost')], done: () => done++ }
    }),
  )
  const settled = await Promise.allSettled(lost)
  assert.ok(settled.every(({ status }) => status === 'rejected'))
  assert.equal(done, 0)
  disk.full = false
  let seen = ''
  await journal.commit(() => {
    seen = memory.value
    return { ...put('b'), facts: [fact('b:kept')] }
  })
  assert.equal(seen, 'disk')
  assert.equal(await store.settings.get('a'), undefined)
  assert.deepEqual(
    (await store.events.since(0, 10)).map(({ number, type }) => [number, type]),
    [[1, 'b:kept']],
  )
})

test('a change that was prepared while a write failed is refused, and its memory with it', async (t) => {
  const { journal, put, disk } = await desk(t)
  const memory = cache()
  journal.follow(memory)
  disk.full = true
  const failing = journal.commit(() => put('a'))
  const gate = Promise.withResolvers<void>()
  const preparing = journal.commit(async () => {
    memory.move('on sand')
    await gate.promise
    return put('b')
  })
  await assert.rejects(failing, StorageError)
  disk.full = false
  gate.resolve()
  await assert.rejects(preparing, StorageError)
  await journal.commit(() => put('c'))
  assert.equal(memory.value, 'disk')
})
