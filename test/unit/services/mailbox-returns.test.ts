/** What a reader asks for when it was without a network, and when some of those it asked did not answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../../src/lib/bytes.ts'
import { MINUTE_MS } from '../../../src/lib/time.ts'
import { COMPLETE_ANSWERS, REPLICAS } from '../../../src/protocol/replicas.ts'
import { HOLDER_STATUS, HOLDER_VERB } from '../../../src/wire/holder.ts'
import { answer, people, until } from './mail-people.ts'
import { PROFILE, Swarm } from './swarm.ts'
import type { HolderNode } from './swarm.ts'

/** Holders that know nothing of the letters in question, the most distant ones. */
const LAST = 1

/** Every stream breaks, and those who had one do not hear that the peers are there again. */
function cutCables(swarm: Swarm): void {
  for (const node of swarm.nodes) {
    node.down()
    node.up = true
  }
}

/** Counts LISTs by holder (peer id). */
function countLists(swarm: Swarm, refuses: (node: HolderNode) => boolean = () => false): Map<string, number> {
  const lists = new Map<string, number>()
  for (const node of swarm.nodes) {
    node.lie = async (_, request, honest) => {
      if (request.kind !== HOLDER_VERB.list) return honest()
      lists.set(node.peerId, (lists.get(node.peerId) ?? 0) + 1)
      return refuses(node) ? answer(HOLDER_STATUS.rate) : honest()
    }
  }
  return lists
}

const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0)

test('MB-13 I1 a reader that was cut off reads everything as soon as any peer is there, not only what that one has', async () => {
  await using swarm = await Swarm.create(REPLICAS + LAST)
  const { bob, write, send, read } = await people(swarm)
  await bob.start()
  await until(swarm, () => bob.reader.lastSweep !== undefined, 10)
  await swarm.clock.advance(MINUTE_MS)
  cutCables(swarm)
  const made = write()
  await send(made)
  const holders = new Set(await swarm.holdersOf(made.id))
  const other = swarm.nodes.find((node) => !holders.has(node))
  assert.ok(other !== undefined)
  assert.deepEqual(read, [], 'nobody pushed it')
  const before = swarm.clock.now()
  swarm.changed(other.peerId, true)
  await until(swarm, () => read.length > 0, 100)
  assert.deepEqual(read, [toHex(made.id)])
  assert.ok(swarm.clock.now() - before <= 5_000)
})

test('MB-13 I1 where no peer shows itself, a reader finds at its next renewal that it was cut off', async () => {
  await using swarm = await Swarm.create(REPLICAS + LAST)
  const { bob, write, send, read } = await people(swarm)
  await bob.start()
  await until(swarm, () => bob.reader.lastSweep !== undefined, 10)
  cutCables(swarm)
  const made = write()
  await send(made)
  const before = swarm.clock.now()
  await until(swarm, () => read.length > 0, 10_000)
  assert.deepEqual(read, [toHex(made.id)])
  assert.ok(swarm.clock.now() - before <= 10 * MINUTE_MS)
})

test('MB-13 a reader that started without a network does not wait out its minute when a peer comes', async () => {
  await using swarm = await Swarm.create(REPLICAS + LAST)
  const { bob, write, send, read } = await people(swarm)
  const made = write()
  await send(made)
  const holders = new Set(await swarm.holdersOf(made.id))
  for (const node of swarm.nodes) node.up = false
  await bob.start()
  await until(swarm, () => bob.reader.lastSweep !== undefined, 10)
  for (const node of swarm.nodes) node.up = true
  const before = swarm.clock.now()
  swarm.changed(swarm.nodes.find((node) => !holders.has(node))?.peerId ?? '', true)
  await until(swarm, () => read.length > 0, 100)
  assert.ok(swarm.clock.now() - before <= 5_000)
})

test('MB-07 peers that come are no reason to ask everybody: not while one holder pushes, and once a minute where none does', async () => {
  await using swarm = await Swarm.create(REPLICAS + LAST)
  const { bob } = await people(swarm)
  const lists = countLists(swarm)
  await bob.start()
  await until(swarm, () => bob.reader.lastSweep !== undefined, 10)
  const once = sum(lists)
  // The next two read the other rungs for the first time as well.
  for (let i = 0; i < 2; i++) await bob.reader.sweep()
  const come = async (): Promise<number> => {
    const end = swarm.clock.now() + 0.8 * MINUTE_MS
    while (swarm.clock.now() < end) {
      const next = swarm.clock.now() + 4_000
      swarm.changed('peer-of-another-zone', true)
      await until(swarm, () => swarm.clock.now() >= next, 200)
    }
    return sum(lists)
  }
  lists.clear()
  const [kept, ...others] = swarm.order(swarm.nodes[0]?.seed ?? new Uint8Array(32))
  for (const node of others) {
    node.down()
    node.up = true
  }
  assert.ok(kept !== undefined)
  assert.equal(await come(), 0, 'one still pushes')
  for (const node of swarm.nodes) {
    const lie = node.lie
    node.lie = async (caller, request, honest) =>
      request.kind === HOLDER_VERB.subscribe ? answer(HOLDER_STATUS.rate) : (lie?.(caller, request, honest) ?? honest())
  }
  cutCables(swarm)
  await swarm.clock.advance(MINUTE_MS)
  const before = bob.reader.lastSweep?.at ?? 0
  swarm.changed('peer-of-another-zone', true)
  // In steps in which the disk can keep up: a holder that does not answer in time would be asked again.
  await until(swarm, () => (bob.reader.lastSweep?.at ?? 0) > before, 10)
  assert.equal(await come(), once, 'and in less than a minute everybody is asked once')
})

test('MB-14 MB-22 after an incomplete read only those that did not answer are asked again, and the answers add up', async () => {
  const zone = 20
  const silent = zone - COMPLETE_ANSWERS + 1
  await using swarm = await Swarm.create(zone)
  const { bob, write, send, read } = await people(swarm)
  const made = write()
  await send(made)
  const holders = await swarm.holdersOf(made.id)
  const mute = new Set([...holders, ...swarm.nodes.filter((node) => !holders.includes(node))].slice(0, silent))
  const lists = countLists(swarm, (node) => mute.has(node))
  await bob.start()
  await until(swarm, () => bob.reader.lastSweep !== undefined, 10)
  const boxes = Math.max(...lists.values())
  const first = bob.reader.lastSweep
  assert.deepEqual([first?.complete, first?.answers], [false, boxes * (zone - silent)])
  assert.equal(sum(lists), boxes * zone)
  assert.deepEqual(read, [])

  const next = async (): Promise<void> => {
    const before = bob.reader.lastSweep?.at ?? 0
    lists.clear()
    await until(swarm, () => (bob.reader.lastSweep?.at ?? 0) > before, 500)
  }
  // The first two read the other rungs for the first time as well.
  for (let i = 0; i < 3; i++) await next()
  assert.deepEqual(new Set(lists.keys()), new Set([...mute].map(({ peerId }) => peerId)))
  assert.equal(sum(lists), boxes * silent)
  assert.equal(bob.reader.lastSweep?.complete, false)

  const [healed] = mute
  assert.ok(healed !== undefined)
  mute.delete(healed)
  await next()
  assert.deepEqual(read, [toHex(made.id)], 'what only they have is found')
  assert.deepEqual([bob.reader.lastSweep?.complete, bob.reader.lastSweep?.answers], [true, boxes * COMPLETE_ANSWERS])

  lists.clear()
  await bob.reader.sweep()
  assert.equal(lists.size, zone, 'the next sweep asks everybody')
  assert.ok(swarm.clock.now() - (first?.at ?? 0) < PROFILE.collectIntervalMs)
})
