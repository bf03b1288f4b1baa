/** What a second look at the holder found: work that was not paid for, limits that had a way round, and what a stranger could learn. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { ExpiringMap } from '../../../src/lib/expiring-map.ts'
import { DAY_MS, HOUR_MS } from '../../../src/lib/time.ts'
import { byDistance, compareDistance, rungPlacement } from '../../../src/protocol/replicas.ts'
import { demoted } from '../../../src/services/account/pool-plan.ts'
import { Subscriptions } from '../../../src/services/holder/subscriptions.ts'
import type { HolderCaller } from '../../../src/services/ports.ts'
import { HOLDER_STATUS as STATUS } from '../../../src/wire/holder.ts'
import type { HolderRequest } from '../../../src/wire/holder.ts'
import { one } from './holder-fixture.ts'
import { crypto, directLink, positionOf } from './swarm.ts'
import type { MadeLetter } from './swarm.ts'

type Harness = Awaited<ReturnType<typeof one>>
const LAST = new Uint8Array(32).fill(255)
const hourNow = (h: Harness): number => Math.floor(h.swarm.clock.now() / HOUR_MS)

async function adopt(h: Harness, count: number, lifeMs: number): Promise<void> {
  const made = Array.from({ length: count }, () => h.make({ sizeClass: 0, lifeMs }))
  await Promise.all(made.map(({ id, tombstone }) => h.node.held.adoptTombstone(id, tombstone)))
}

/** How many of these answers are ok; every other one says that it was too much. */
function served(statuses: readonly number[]): number {
  const good = statuses.filter((status) => status === STATUS.ok).length
  assert.equal(statuses.filter((status) => status === STATUS.rate).length, statuses.length - good)
  return good
}

// --- work that is charged

function syncOf(h: Harness, after: number): HolderRequest {
  const boxes = [{ address: h.key.address, digest: new Uint8Array(16) }]
  return { kind: 11, body: { salt: new Uint8Array(16), after, boxes } }
}

test('AS-01 I4 tombstones that a digest is made of are paid for, and not read again while nothing changes', async () => {
  await using h = await one({ sourceRequestsBurst: 150, sourceRequestsPerSecond: 1 })
  await adopt(h, 256, 5 * HOUR_MS)
  await adopt(h, 64, 7 * DAY_MS)
  const stranger = directLink(h.swarm, h.node, 'stranger')
  const statuses: number[] = []
  for (let i = 0; i < 100; i++) statuses.push((await h.ask(syncOf(h, hourNow(h) + (i % 2) * 6), stranger)).status)
  assert.ok(served(statuses) <= 15, `${served(statuses)} times 320 tombstones`)
  const neighbour = directLink(h.swarm, h.node, 'neighbour')
  const same: number[] = []
  for (let i = 0; i < 100; i++) same.push((await h.ask(syncOf(h, hourNow(h) + (i % 3)), neighbour)).status)
  assert.equal(served(same), 100)
})

test('MB-03 AS-08 nobody asks what is dead with an hour of next month', async () => {
  await using h = await one()
  await adopt(h, 3, 20 * DAY_MS)
  const [address, from, after] = [h.key.address, new Uint8Array(32), hourNow(h) + 26]
  await h.open()
  assert.equal((await h.ask(syncOf(h, after))).status, STATUS.refused)
  const body = { address, after, from, upto: LAST, dead: [], policy: undefined }
  assert.equal((await h.ask({ kind: 12, body })).status, STATUS.refused)
  assert.equal((await h.ask({ kind: 12, body: { ...body, after: hourNow(h) } })).status, STATUS.ok)
})

test('AS-01 I4 costly requests side by side are charged one after another', async () => {
  await using h = await one({ sourceRequestsBurst: 300, sourceRequestsPerSecond: 1, laneBytes: 2 ** 30 })
  const made = Array.from({ length: 20 }, () => h.make({ sizeClass: 4 }))
  for (const each of made) await h.node.held.putLetter(each.id, each)
  const stranger = directLink(h.swarm, h.node, 'stranger')
  const body = { nonce: new Uint8Array(16), ids: made.map(({ id }) => id) }
  const answers = await Promise.all(Array.from({ length: 50 }, () => h.ask({ kind: 10, body }, stranger)))
  assert.ok(served(answers.map(({ status }) => status)) <= 4)
})

test('AS-02 I4 one good stamp does not keep the verifier of a full disk busy', async () => {
  await using h = await one({ nodeBytes: 65_536 })
  const fill = async (): Promise<number> => (await h.put(h.make({ sizeClass: 0 }))).status
  while ((await fill()) === STATUS.ok);
  const { letter } = h.make({ sizeClass: 0 })
  const bare = { ...letter, kind: 2, lane: new Uint8Array(16) } as const
  const stamped = await h.stamps.stamp(bare, 2, new AbortController().signal)
  const stranger = directLink(h.swarm, h.node, 'stranger')
  const proof = { kind: 2, body: { reserved: 0 } } as const
  const statuses: number[] = []
  for (let i = 0; i < 30; i++) {
    statuses.push((await h.ask({ kind: 1, body: { letter: stamped, proof, rung: 0 } }, stranger)).status)
  }
  assert.equal(statuses[0], STATUS.full)
  assert.equal(statuses.at(-1), STATUS.rate)
  assert.ok(statuses.filter((status) => status === STATUS.full).length <= 10)
})

// --- limits

test('I4 MB-45 a lane that deletes its own copies leaves no more tombstones than its share, also after a restart', async () => {
  await using h = await one({ laneDead: 6, laneLettersPerDay: 6 })
  const copy = async ({ letter, proof }: MadeLetter): Promise<number> =>
    (await h.ask({ kind: 13, body: { letter, proof, rung: 0 } })).status
  const made = Array.from({ length: 10 }, () => h.make({ sizeClass: 0 }))
  const statuses: number[] = []
  for (const each of made) {
    statuses.push(await copy(each))
    if (statuses.at(-1) === STATUS.ok) assert.equal((await h.tomb([each.tombstone])).status, STATUS.ok)
  }
  assert.deepEqual(statuses, [...Array<number>(6).fill(STATUS.ok), ...Array<number>(4).fill(STATUS.full)])
  assert.equal(await copy(h.make({ sizeClass: 0 }, h.lanes[1])), STATUS.ok, 'the other lane has its own')
  await h.node.restart()
  const link = directLink(h.swarm, h.node)
  const { letter, proof } = h.make({ sizeClass: 0 })
  assert.equal((await h.ask({ kind: 13, body: { letter, proof, rung: 0 } }, link)).status, STATUS.full)
})

test('MB-03 AS-08 a peer id that was made up until it is near is told nothing', async () => {
  await using h = await one()
  const peers = Array.from({ length: 300 }, (_, i) => ({ peerId: `peer-${i}`, position: positionOf(`peer-${i}`) }))
  h.swarm.near = (target, count) =>
    byDistance(target, peers)
      .slice(0, count)
      .map(({ peerId }) => ({ id: peerId, addresses: [] }))
  const { address } = h.key
  const target = rungPlacement(crypto, address, 0)
  const nearest = positionOf(h.swarm.near(target, 1, '')[0]?.id ?? assert.fail())
  let made = 0
  while (compareDistance(target, positionOf(`made-${made}`), nearest) > 0) made++
  const body = { address, after: 0, from: new Uint8Array(32), upto: LAST, dead: [], policy: undefined }
  const answer = await h.ask({ kind: 12, body }, directLink(h.swarm, h.node, `made-${made}`))
  assert.equal(answer.status, STATUS.closed)
})

test('who subscribes on a stream that is closed already is not counted for ever', () => {
  const subscriptions = new Subscriptions()
  const gone: HolderCaller = {
    peerId: 'gone',
    ip: '5.9.1.1',
    challenge: new Uint8Array(32),
    opened: new Set(),
    push: () => false,
    onClose(action) {
      action()
    },
  }
  assert.equal(subscriptions.add(gone, new Uint8Array(32)), false)
  assert.equal(subscriptions.size, 0)
})

// --- clocks

test('a clock that is set back by a month does not prolong what was remembered for a minute', async () => {
  const clock = new VirtualClock()
  const set = { back: 0 }
  const map = new ExpiringMap<string, true>({ now: () => clock.now() - set.back, after: () => () => {} }, 60_000, 8)
  await clock.advance(40 * DAY_MS)
  map.set('a', true)
  set.back = 30_000
  assert.equal(map.get('a'), true, 'a clock that is put right by seconds loses nothing')
  set.back = 30 * DAY_MS
  assert.equal(map.get('a'), undefined)
})

// --- prekeys

test('PK-06 who makes up spent prekeys day after day leaves five of the eight nearest holders', () => {
  const now = 100 * DAY_MS
  const uses = Array.from({ length: 8 }, (_, i) => {
    const at = now - (7 - i) * DAY_MS
    return { version: 1, id: i, kind: 1, holder: `holder-${i}`, uses: 2, firstAt: at, lastAt: at } as const
  })
  assert.deepEqual([...demoted(uses, now)].sort(), ['holder-5', 'holder-6', 'holder-7'])
})
