import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { toHex } from '../../../../src/lib/bytes.ts'
import { VirtualClock } from '../../../../src/lib/clock.ts'
import { StorageError } from '../../../../src/lib/errors.ts'
import { KeyedQueue } from '../../../../src/lib/queue.ts'
import { silentLogger } from '../../../../src/lib/log.ts'
import { SearchKeeper } from '../../../../src/services/search/search-keeper.ts'
import type { SearchDeps } from '../../../../src/services/search/ports.ts'
import { bucketRange } from '../../../../src/store/buckets.ts'
import { emptyConversation } from '../../../../src/store/conversation-counters.ts'
import { openStore } from '../../../../src/store/store.ts'
import type { Store } from '../../../../src/store/store.ts'
import { bytes, message, newHome } from '../../store/fixtures.ts'
import type { Home } from '../../store/fixtures.ts'

const STEPS_MAX = 10_000
const alice = bytes(32)
const bob = bytes(32)

/** A home as an older program left it: messages, and nothing to find them by. */
async function oldHome(home: Home, count: number): Promise<Store> {
  const { store, database } = home
  await store.search.idle()
  for (const bucket of ['searchState', 'searchRecent', 'searchPlaces'] as const)
    await database.clear(bucketRange(bucket))
  for (const contact of [alice, bob]) {
    const messages = Array.from({ length: count }, (_, i) => message(contact, i + 1, { text: `number${i} here` }))
    await store.batch([
      ...messages.flatMap((each) => store.messages.put(each)),
      ...store.conversations.put({ ...emptyConversation(contact), lastOrder: count }),
    ])
  }
  return openStore(database, home.vault)
}

function keeperOf(store: Store): {
  keeper: SearchKeeper
  clock: VirtualClock
  commit: SearchDeps['journal']['commit']
} {
  const clock = new VirtualClock(1_800_000_000_000)
  const queue = new KeyedQueue(100)
  const commit: SearchDeps['journal']['commit'] = async (build) =>
    queue.run('', async () => {
      const { ops, result } = await build()
      await store.batch(ops)
      return result
    })
  const messages: SearchDeps['messages'] = {
    contacts: async () => (await store.conversations.all()).map(({ contact }) => contact),
    older: async (contact, before, limit) => store.messages.page(contact, { limit, ...(before && { before }) }),
  }
  const deps = { index: store.search, messages, journal: { commit }, clock, log: silentLogger }
  return { keeper: new SearchKeeper(deps), clock, commit }
}

/** Lets pauses pass until `done`. */
async function until(clock: VirtualClock, done: () => Promise<boolean>): Promise<void> {
  for (let step = 0; step < STEPS_MAX; step++) {
    if (await done()) return
    await clock.advance(5)
    // The disk is a real one.
    await turn()
  }
  throw new Error('it does not come to an end')
}

const isBuilt = (store: Store) => async (): Promise<boolean> => (await store.search.task()) === 'none'

test('LS-02 LS-21 an old home is indexed in the background, newest first, and each message once', async (t) => {
  const store = await oldHome(await newHome(t), 300)
  assert.equal(await store.search.task(), 'clear')
  assert.deepEqual((await store.search.find('here', { limit: 9 })).ids, [])
  const { keeper, clock } = keeperOf(store)
  keeper.start()
  await until(clock, isBuilt(store))
  await keeper.stop()
  const seen = new Set<string>()
  let before: string | undefined
  do {
    const page = await store.search.find('here', { contact: alice, limit: 50, ...(before && { before }) })
    for (const id of page.ids) seen.add(toHex(id))
    before = page.next ?? undefined
  } while (before !== undefined)
  assert.equal(seen.size, 300)
  assert.equal((await store.search.find('number7 here', { limit: 200 })).ids.length, 22)
})

test('LS-02 what is written, changed and deleted while an old home is indexed comes out right', async (t) => {
  const store = await oldHome(await newHome(t), 300)
  const { keeper, clock, commit } = keeperOf(store)
  keeper.start()
  await until(clock, async () => (await store.search.frontier(alice)) !== undefined)
  const old = (await store.messages.page(alice, { before: 3, limit: 1 }))[0]
  const fresh = (await store.messages.page(alice, { limit: 1 }))[0]
  assert.ok(old && fresh)
  const added = message(alice, 301, { text: 'number0 late' })
  const change = async (was: typeof old | undefined, is: typeof old): Promise<void> => {
    await commit(async () => {
      const ops = [...store.messages.put(is), ...(await store.search.indexOps(was, is))]
      return { ops, facts: [], result: true }
    })
  }
  await change(old, { ...old, text: 'edited one' })
  await change(fresh, { ...fresh, text: 'edited two' })
  await change(undefined, added)
  await until(clock, isBuilt(store))
  await keeper.stop()
  const found = async (query: string): Promise<readonly string[]> =>
    (await store.search.find(query, { contact: alice, limit: 200 })).ids.map(toHex)
  assert.deepEqual(
    await found('edited'),
    [fresh, old].map(({ id }) => toHex(id)),
  )
  // 1, 10 to 19, 100 to 199, without the one that was edited.
  assert.equal((await found('number1 here')).length, 110)
  assert.deepEqual((await found('number0')).length, 2)
})

test('LS-02 indexing goes on after a restart where it was, and can begin anew', async (t) => {
  const home = await newHome(t)
  const store = await oldHome(home, 200)
  const first = keeperOf(store)
  first.keeper.start()
  await until(first.clock, async () => (await store.search.frontier(alice)) !== undefined)
  await first.keeper.stop()
  const reopened = await openStore(home.database, home.vault)
  assert.equal(await reopened.search.task(), 'build')
  assert.deepEqual(await reopened.search.frontier(alice), await store.search.frontier(alice))
  const second = keeperOf(reopened)
  second.keeper.start()
  await until(second.clock, isBuilt(reopened))
  assert.equal((await reopened.search.find('number9 here', { limit: 200 })).ids.length, 22)
  await second.keeper.rebuild()
  await until(second.clock, isBuilt(reopened))
  await second.keeper.tend()
  await second.keeper.stop()
  assert.equal((await reopened.search.find('number9 here', { limit: 200 })).ids.length, 22)
})

test('LS-02 a damaged segment costs one search: the index is built anew by itself', async (t) => {
  const home = await newHome(t)
  const store = await oldHome(home, 600)
  const { keeper, clock } = keeperOf(store)
  keeper.start()
  await until(clock, isBuilt(store))
  await store.search.tend()
  const find = async (): Promise<number> => (await store.search.find('number9 here', { limit: 200 })).ids.length
  const count = await find()
  assert.ok(count > 0)
  await home.database.clear(bucketRange('searchSegments'))
  const reopened = await openStore(home.database, home.vault)
  const second = keeperOf(reopened)
  second.keeper.start()
  await assert.rejects(reopened.search.find('number9 here', { limit: 200 }), StorageError)
  assert.notEqual(await reopened.search.task(), 'none')
  await until(second.clock, isBuilt(reopened))
  assert.equal((await reopened.search.find('number9 here', { limit: 200 })).ids.length, count)
  await second.keeper.stop()
  await keeper.stop()
})
