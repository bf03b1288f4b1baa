/** Floods, full disks and shares: who brings much gets no more than is due to him, and nobody else has less for it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { laneOf, laneProof, letterId } from '../../src/protocol/mailbox-rules.ts'
import { HOLDER_STATUS as STATUS } from '../../src/wire/holder.ts'
import type { Letter, Tombstone } from '../../src/wire/letter.ts'
import { one } from '../unit/services/holder-fixture.ts'
import { crypto, directLink, never, SIZES } from '../unit/services/swarm.ts'
import type { MadeLetter, MemoryLink } from '../unit/services/swarm.ts'
import { DAY_MS, HOUR_MS } from '../../src/lib/time.ts'

type Harness = Awaited<ReturnType<typeof one>>
const NO_PROOF = { kind: 2, body: { reserved: 0 } } as const
/** Requests of one stream that are under way at the same time. */
const AT_ONCE = 250

/** How often each status came, of `count` requests. */
async function counted(count: number, ask: (i: number) => Promise<number>): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>()
  for (let at = 0; at < count; at += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, i) => ask(at + i))
    for (const status of await Promise.all(some)) counts.set(status, (counts.get(status) ?? 0) + 1)
  }
  return counts
}

const mallory = (h: Harness): MemoryLink => directLink(h.swarm, h.node, 'flooder', '5.9.1.1')
const friend = (h: Harness): MemoryLink => directLink(h.swarm, h.node, 'friend', '5.9.2.1')

/** A friend writes, deletes and the owner reads, as if nothing was. */
async function friendIsServed(h: Harness): Promise<void> {
  const on = friend(h)
  const [first, second] = [h.make({ sizeClass: 0 }, h.lanes[1]), h.make({ sizeClass: 0 }, h.lanes[1])]
  for (const each of [first, second]) assert.equal((await h.put(each, on)).status, STATUS.ok)
  assert.equal((await h.tomb([first.tombstone], on)).status, STATUS.ok)
  assert.equal((await h.open(on)).status, STATUS.ok)
  const { answer } = await h.ask({ kind: 6, body: { address: h.key.address, ids: [first.id, second.id] } }, on)
  assert.ok(answer.kind === 4)
  assert.deepEqual(answer.body.letters, [{ letter: second.letter, proof: second.proof }])
}

// --- bursts and floods

test('MB-44 five hundred letters at once over one lane are all stored', async () => {
  await using h = await one({ sourcePutsBurst: 1_000, sourceRequestsBurst: 1_000 })
  const made = Array.from({ length: 500 }, () => h.make({ sizeClass: 0 }))
  const on = friend(h)
  const counts = await counted(made.length, async (i) => (await h.put(made[i] as MadeLetter, on)).status)
  assert.deepEqual([...counts], [[STATUS.ok, 500]])
})

test('I4 MB-45 AS-01 10,000 puts of one source take what is due to it, and contacts do not notice', async () => {
  await using h = await one({ sourcePutsBurst: 1_000, sourceRequestsBurst: 1_000 })
  const on = mallory(h)
  const genuine = Array.from({ length: 40 }, () => h.make({ sizeClass: 0 }))
  const counts = await counted(10_000, async (i) => (await h.put(genuine[i % 40] as MadeLetter, on)).status)
  assert.equal(counts.get(STATUS.ok), 1_000)
  assert.equal(counts.get(STATUS.rate), 9_000)
  assert.equal(h.node.held.usage.letters, 40)
  await friendIsServed(h)
})

test('I4 AS-01 10,000 tombstones of one source write what is genuine, and contacts do not notice', async () => {
  await using h = await one()
  const on = mallory(h)
  const { tombstone } = h.make()
  const lane = crypto.sha256(h.swarm.rng.bytes(32)).slice(0, 16)
  const lies = (): Tombstone[] =>
    Array.from({ length: 64 }, () => ({
      ...tombstone,
      header: { ...tombstone.header, lane },
      digest: h.swarm.rng.bytes(32),
    }))
  const counts = await counted(157, async () => (await h.tomb(lies(), on)).status)
  assert.deepEqual(new Set(counts.keys()), new Set([STATUS.rate, STATUS.lane]))
  assert.equal(counts.get(STATUS.lane), 64)
  assert.equal(h.node.held.usage.mailDiskBytes, 0)
  await friendIsServed(h)
})

test('AS-02 I4 10,000 stamps of one source that do not hold cost ten looks, and strangers with good ones get through', async () => {
  await using h = await one({ sourcePutsBurst: 20_000, sourceRequestsBurst: 20_000 })
  const on = mallory(h)
  const { letter } = h.make({ sizeClass: 0 })
  const lane = new Uint8Array(16)
  const counts = await counted(10_000, async () => {
    const claim: Letter = { ...letter, kind: 2, lane, stamp: { bits: 60, nonce: h.swarm.rng.bytes(16) } }
    return (await h.ask({ kind: 1, body: { letter: claim, proof: NO_PROOF, rung: 0 } }, on)).status
  })
  assert.ok((counts.get(STATUS.stamp) ?? 0) <= 10, `${counts.get(STATUS.stamp)} looks`)
  assert.equal((counts.get(STATUS.stamp) ?? 0) + (counts.get(STATUS.rate) ?? 0), 10_000)
  assert.equal(h.node.held.usage.letters, 0)
  await h.swarm.clock.advance(1_000)
  const stranger = directLink(h.swarm, h.node, 'stranger', '5.9.3.1')
  const stamped = await h.stamps.stamp(h.make({ lifeMs: 7 * DAY_MS }).letter, 2, never)
  const { status } = await h.ask({ kind: 1, body: { letter: stamped, proof: NO_PROOF, rung: 0 } }, stranger)
  assert.equal(status, STATUS.ok)
  await friendIsServed(h)
})

// --- shares of a mailbox

test('I4 MB-45 a few contacts together cannot shut out the others: from half full on a large lane gets no more', async () => {
  await using h = await one({ mailboxRecords: 200, sourceRequestsBurst: 10_000 })
  const colluding = Array.from({ length: 3 }, () => h.swarm.rng.bytes(32))
  const late = h.swarm.rng.bytes(32)
  assert.equal(await h.putCard({ kind: 3, body: await h.policy(2, [...colluding, late]) }), STATUS.ok)
  const taken = [0, 0, 0]
  for (let i = 0; i < 300; i++) {
    const { status } = await h.put(h.make({ sizeClass: 0 }, colluding[i % 3]))
    if (status === STATUS.ok) taken[i % 3] = (taken[i % 3] ?? 0) + 1
    else assert.equal(status, STATUS.full)
  }
  assert.deepEqual(taken, [64, 64, 64])
  for (let i = 0; i < 8; i++) assert.equal((await h.put(h.make({ sizeClass: 0 }, late))).status, STATUS.ok)
  assert.equal(h.node.held.usage.letters, 200)
})

test("MB-45 copies are held to their lane's share from three quarters on", async () => {
  await using h = await one({ mailboxRecords: 200, sourceRequestsBurst: 10_000 })
  const taken = [0, 0]
  for (let i = 0; i < 200; i++) {
    const { letter, proof } = h.make({ sizeClass: 0 }, h.lanes[i % 2])
    const { status } = await h.ask({ kind: 13, body: { letter, proof, rung: 0 } })
    if (status === STATUS.ok) taken[i % 2] = (taken[i % 2] ?? 0) + 1
  }
  assert.deepEqual(taken, [75, 75])
})

test('a lane has a 32nd of the bytes once the mailbox is half full', async () => {
  await using h = await one({ mailboxBytes: 64 * SIZES[4] })
  for (let i = 0; i < 32; i++) assert.equal((await h.put(h.make({ sizeClass: 4 }))).status, STATUS.ok)
  assert.equal((await h.put(h.make({ sizeClass: 0 }))).status, STATUS.full)
  for (let i = 0; i < 2; i++) assert.equal((await h.put(h.make({ sizeClass: 4 }, h.lanes[1]))).status, STATUS.ok)
  assert.equal((await h.put(h.make({ sizeClass: 0 }, h.lanes[1]))).status, STATUS.full)
})

// --- a full disk

/** A disk that has room for 20 letters of 2 KiB, all over lanes, and is full. */
async function full() {
  const h = await one({ nodeBytes: (20 * SIZES[0]) / 0.75 + 8_192, laneRecords: 10_000 })
  const made: MadeLetter[] = []
  for (;;) {
    const next = h.make({ sizeClass: 0 })
    if ((await h.put(next)).status !== STATUS.ok) break
    made.push(next)
  }
  assert.ok(made.length >= 16, `${made.length} letters`)
  return { ...h, made, [Symbol.asyncDispose]: () => h[Symbol.asyncDispose]() }
}

test('MB-45 on a full disk nothing unexpired goes: the answer is full, and everything is still there', async () => {
  await using h = await full()
  for (let i = 0; i < 5; i++) assert.equal((await h.put(h.make({ sizeClass: 0 }, h.lanes[1]))).status, STATUS.full)
  for (const { id } of h.made) assert.equal(await h.node.held.stateOf(id), 'known')
})

test('MB-45 what has run out gives way first, before the hourly sweep', async () => {
  await using h = await full()
  await h.node.withoutSweeps()
  const [spare] = h.made as [MadeLetter]
  h.node.held.markSpare([spare.id])
  const { letter, preimage } = h.make({ sizeClass: 0, lifeMs: HOUR_MS })
  await h.node.held.evict(h.key.address, (h.made[1] as MadeLetter).id)
  const short = { ...letter, commitment: crypto.sha256(preimage) }
  const id = letterId(crypto, short)
  const proof = { kind: 1, body: laneProof(crypto, h.lanes[0], h.key.epoch, id) } as const
  assert.equal((await h.put({ letter: short, proof })).status, STATUS.ok)
  await h.swarm.clock.advance(HOUR_MS)
  assert.equal((await h.put(h.make({ sizeClass: 0 }))).status, STATUS.ok)
  assert.equal(await h.node.held.stateOf(id), undefined)
  assert.equal(await h.node.held.stateOf(spare.id), 'known')
})

test('MB-45 a letter that is spare gives way, in order, and no other', async () => {
  await using h = await full()
  const [first, second, ...others] = h.made as [MadeLetter, MadeLetter, ...MadeLetter[]]
  h.node.held.markSpare([first.id, second.id])
  for (let i = 0; i < 2; i++) assert.equal((await h.put(h.make({ sizeClass: 0 }))).status, STATUS.ok)
  assert.equal((await h.put(h.make({ sizeClass: 0 }))).status, STATUS.full)
  for (const { id } of [first, second]) assert.equal(await h.node.held.stateOf(id), undefined)
  for (const { id } of others) assert.equal(await h.node.held.stateOf(id), 'known')
  h.node.held.markSpare([others[0]?.id ?? assert.fail()])
  h.node.held.markSpare([])
  assert.equal((await h.put(h.make({ sizeClass: 0 }))).status, STATUS.full, 'what is said last counts')
})

test('MB-45 a proof that fails makes nobody give way', async () => {
  await using h = await full()
  h.node.held.markSpare(h.made.map(({ id }) => id))
  const stranger = h.swarm.rng.bytes(32)
  assert.equal((await h.put(h.make({ sizeClass: 0 }, stranger))).status, STATUS.lane)
  const forged = { ...h.make({ sizeClass: 0 }), proof: h.make({ sizeClass: 0 }).proof }
  assert.equal((await h.put(forged)).status, STATUS.refused)
  for (const { id } of h.made) assert.equal(await h.node.held.stateOf(id), 'known')
})

test('MB-45 the cheapest stamps of all mailboxes give way, to letters over lanes and to dearer stamps, not to cheaper', async () => {
  await using h = await one({ nodeBytes: (20 * SIZES[0]) / 0.75 + 8_192, laneRecords: 10_000 })
  const stamped = async (bits: number): Promise<number> =>
    (await h.putStamped(h.make({ sizeClass: 0, lifeMs: 7 * DAY_MS }).letter, bits)).status
  for (const bits of [3, 2, 4]) assert.equal(await stamped(bits), STATUS.ok)
  const stamps = (): number[] => [...(h.node.held.usage.mailbox(h.key.address)?.stamped.values() ?? [])]
  const bits = (): number[] => stamps().toSorted((a, b) => a - b)
  while (bits().length === 3) assert.equal((await h.put(h.make({ sizeClass: 0 }))).status, STATUS.ok)
  assert.deepEqual(bits(), [3, 4])
  assert.equal(await stamped(2), STATUS.full)
  assert.equal(await stamped(4), STATUS.ok)
  assert.deepEqual(bits(), [4, 4])
  for (let i = 0; i < 2; i++) assert.equal((await h.put(h.make({ sizeClass: 0 }))).status, STATUS.ok)
  assert.equal((await h.put(h.make({ sizeClass: 0 }))).status, STATUS.full)
  assert.deepEqual(bits(), [])
})

test('I4 letters that come side by side to a full disk do not outgrow it, and none waits for ever', async () => {
  await using h = await full()
  h.node.held.markSpare(h.made.slice(0, 5).map(({ id }) => id))
  const before = h.node.held.usage.mailDiskBytes
  const answers = await Promise.all(Array.from({ length: 60 }, () => h.put(h.make({ sizeClass: 0 }))))
  const stored = answers.filter(({ status }) => status === STATUS.ok).length
  assert.ok(stored >= 1 && stored <= 5, `${stored} stored`)
  assert.ok(h.node.held.usage.mailDiskBytes <= before)
})

test('I7 a lane of one mailbox opens no other', async () => {
  await using h = await one()
  const lane = laneOf(crypto, h.lanes[0], h.key.epoch + 1)
  const made = h.make()
  assert.equal((await h.put({ ...made, letter: { ...made.letter, lane } })).status, STATUS.lane)
})
