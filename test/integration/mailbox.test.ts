import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../src/lib/bytes.ts'
import { DAY_MS, HOUR_MS } from '../../src/lib/time.ts'
import type { Letter } from '../../src/wire/letter.ts'
import {
  accountCardKey,
  commitmentOf,
  epochKey,
  epochOf,
  letterId,
  prekeyCardKey,
} from '../../src/protocol/mailbox-rules.ts'
import { ASK_TIMEOUT_MS } from '../../src/services/mailbox/ask.ts'
import { CardNetwork } from '../../src/services/mailbox/card-network.ts'
import { CARD_KIND, HOLDER_STATUS, HOLDER_VERB } from '../../src/wire/holder.ts'
import type { CardRecord } from '../../src/wire/holder.ts'
import { cardOf, idOf, NOW_S, prekeysOf } from '../unit/protocol/card-fixtures.ts'
import { answer, people, until, whileTimePasses } from '../unit/services/mail-people.ts'
import { crypto, makeLetter, MemoryBurials, never, PROFILE, Swarm } from '../unit/services/swarm.ts'
import type { HolderNode, Lie, MadeLetter } from '../unit/services/swarm.ts'

test('MB-08 MB-28 a letter is stored on the five nearest, with receipts that verify', async () => {
  await using swarm = await Swarm.create(12)
  const { write, send } = await people(swarm)
  const made = write()
  const deposit = await send(made)
  assert.equal(deposit.refused, 'none')
  assert.equal(deposit.receipts.length, 5)
  const holders = await swarm.holdersOf(made.id)
  const nearest = swarm.order(made.letter.address).slice(0, 5)
  assert.deepEqual(new Set(holders), new Set(nearest))
})

test('MB-15 MB-16 the same letter on five holders is read once and deleted everywhere', async () => {
  await using swarm = await Swarm.create(12)
  const { bob, write, send, read } = await people(swarm)
  const made = write()
  await send(made)
  await bob.tombstones.start()
  const report = await bob.reader.sweep()
  assert.equal(report.complete, true)
  assert.deepEqual(read, [toHex(made.id)])
  await bob.tombstones.idle()
  assert.equal((await swarm.holdersOf(made.id)).length, 0)
  assert.equal((await send(made)).refused, 'gone')
  await bob.reader.sweep()
  assert.equal(read.length, 1)
})

// --- writing

test('receipts are told as they come, and W = 3 of them make it stored', async () => {
  await using swarm = await Swarm.create(10)
  const { alice, write } = await people(swarm)
  const made = write()
  for (const node of swarm.order(made.letter.address).slice(1, 8)) node.down()
  const told: string[] = []
  const deposit = await alice.depositor.put(made.letter, made.proof, {
    exclude: [],
    signal: never,
    onReceipt: ({ holder }) => told.push(holder),
  })
  assert.equal(deposit.refused, 'none')
  assert.deepEqual(
    told,
    deposit.receipts.map(({ holder }) => holder),
  )
  assert.equal(told.length, 3)
})

test('with nobody there the put says so and throws nothing', async () => {
  await using swarm = await Swarm.create(3)
  const { write, send } = await people(swarm)
  for (const node of swarm.nodes) node.down()
  const deposit = await send(write())
  assert.deepEqual([deposit.refused, deposit.receipts.length], ['nobody', 0])
})

test("MB-08 the recipient's own peer holds its letters only where there is hardly anyone else", async () => {
  await using swarm = await Swarm.create(7)
  const { alice, write } = await people(swarm)
  const made = write()
  const [nearest] = swarm.order(made.letter.address) as [HolderNode]
  const options = { exclude: [nearest.peerId], signal: never }
  await alice.depositor.put(made.letter, made.proof, options)
  assert.ok(!(await swarm.holdersOf(made.id)).includes(nearest))
  for (const node of swarm.nodes.filter((other) => other !== nearest).slice(0, 4)) node.down()
  await swarm.clock.advance(10_000)
  const second = write()
  const deposit = await alice.depositor.put(second.letter, second.proof, options)
  assert.equal(deposit.receipts.length, 3)
})

test('MB-45 where a holder is full the next one is asked', async () => {
  await using swarm = await Swarm.create(10)
  const { write, send } = await people(swarm)
  const made = write()
  const full = swarm.order(made.letter.address).slice(0, 2)
  for (const node of full) {
    node.lie = async (_, request, honest) => (request.kind === HOLDER_VERB.put ? answer(HOLDER_STATUS.full) : honest())
  }
  const deposit = await send(made)
  assert.equal(deposit.receipts.length, 5)
  assert.deepEqual(
    deposit.refusals.map(({ cause }) => cause),
    ['full', 'full'],
  )
  const holders = await swarm.holdersOf(made.id)
  assert.deepEqual(new Set(holders), new Set(swarm.order(made.letter.address).slice(2, 7)))
})

test('I7 a forged receipt does not count, and its holder is not asked again', async () => {
  await using swarm = await Swarm.create(8)
  const { write, send } = await people(swarm)
  const made = write()
  const [liar] = swarm.order(made.letter.address) as [HolderNode]
  const forge =
    (holder: string): Lie =>
    async (_, request, honest) => {
      if (request.kind !== HOLDER_VERB.put) return honest()
      return answer(HOLDER_STATUS.ok, { kind: 1, body: { holder, at: 1, signature: swarm.rng.bytes(64) } })
    }
  liar.lie = forge(liar.peerId)
  const first = await send(made)
  assert.deepEqual(first.refusals, [{ peerId: liar.peerId, cause: 'forged' }])
  assert.ok(!first.receipts.some(({ holder }) => holder === liar.peerId))
  assert.equal(first.receipts.length, 5)
  liar.lie = undefined
  const second = await send(write())
  assert.ok(!second.receipts.some(({ holder }) => holder === liar.peerId))
})

test('a receipt of one holder shown by another does not count', async () => {
  await using swarm = await Swarm.create(6)
  const { write, send } = await people(swarm)
  const made = write()
  const [copycat] = swarm.order(made.letter.address) as [HolderNode]
  const genuine = (await send(made)).receipts.find(({ holder }) => holder !== copycat.peerId)
  assert.ok(genuine)
  copycat.lie = async (_, request, honest) =>
    request.kind === HOLDER_VERB.put ? answer(HOLDER_STATUS.ok, { kind: 1, body: genuine }) : honest()
  const again = await send(made)
  assert.deepEqual(
    again.refusals.map(({ cause }) => cause),
    ['forged'],
  )
})

test('holders that hang are not waited for', async () => {
  await using swarm = await Swarm.create(10)
  const { alice, write, send } = await people(swarm)
  await send(write())
  const made = write()
  const hanging = swarm.order(made.letter.address).slice(0, 3)
  for (const node of hanging) node.hangs = true
  const start = swarm.clock.now()
  const deposit = await whileTimePasses(swarm, send(made, alice), 50)
  assert.equal(deposit.receipts.length, 5)
  assert.ok(swarm.clock.now() - start < ASK_TIMEOUT_MS / 2, `${swarm.clock.now() - start} ms`)
  await swarm.clock.advance(ASK_TIMEOUT_MS)
})

test('a walk takes in nearer peers that answers name', async () => {
  await using swarm = await Swarm.create(30)
  const { bobSeed, laneSeed, preimages } = await people(swarm)
  const made = makeLetter(swarm, bobSeed, laneSeed)
  preimages.set(toHex(made.id), made.preimage)
  const carol = swarm.mailbox('carol', [], async () => ({ kind: 'keep' }))
  const far = swarm
    .order(made.letter.address)
    .slice(15, 20)
    .map(({ peerId }) => ({ id: peerId, addresses: [] }))
  const near = swarm.near.bind(swarm)
  swarm.near = (target, count, without, liveOnly) =>
    without === 'carol' ? far : near(target, count, without, liveOnly)
  await carol.depositor.put(made.letter, made.proof, { exclude: [], signal: never })
  await until(swarm, () => true)
  const holders = await swarm.holdersOf(made.id)
  const nearest = swarm.order(made.letter.address).slice(0, 5)
  assert.ok(nearest.filter((node) => holders.includes(node)).length >= 3)
})

test('a lane that the policy does not have is said to be shut, and the stamp opens', async () => {
  await using swarm = await Swarm.create(6)
  const { alice, bobSeed, bob, preimages, read } = await people(swarm)
  const made = makeLetter(swarm, bobSeed, swarm.rng.bytes(32), { lifeMs: 7 * DAY_MS })
  const { refused } = await alice.depositor.put(made.letter, made.proof, { exclude: [], signal: never })
  assert.equal(refused, 'lane')
  const stamped = await alice.depositor.stamp(made.letter, never)
  assert.equal(stamped.stamp.bits, 2)
  const proof = { kind: 2, body: { reserved: 0 } } as const
  const deposit = await alice.depositor.put(stamped, proof, { exclude: [], signal: never })
  assert.equal(deposit.refused, 'none')
  preimages.set(toHex(deposit.letterId), made.preimage)
  await bob.reader.sweep()
  assert.deepEqual(read, [toHex(deposit.letterId)])
})

test('a holder that does not know the policy yet is brought it by the writer', async () => {
  await using swarm = await Swarm.create(5)
  const { write, send } = await people(swarm)
  const made = write()
  let fresh = await swarm.add()
  while (!swarm.order(made.letter.address).slice(0, 5).includes(fresh)) fresh = await swarm.add()
  const deposit = await send(made)
  assert.ok(deposit.receipts.some(({ holder }) => holder === fresh.peerId))
  assert.deepEqual(deposit.refusals, [])
})

// --- reading

test('MB-09 any four of the five holders may go: the letter is read, in all five combinations', async () => {
  await using swarm = await Swarm.create(9)
  const { write, send, bobSeed, onLetter, read } = await people(swarm)
  const made = write()
  await send(made)
  const five = await swarm.holdersOf(made.id)
  assert.equal(five.length, 5)
  const copies = { again: async () => {}, bury: async () => {} }
  for (const survivor of five) {
    for (const node of five) if (node !== survivor) node.down()
    read.length = 0
    const reader = swarm.mailbox('bob', [bobSeed], onLetter)
    Object.assign(reader.tombstones, copies)
    await reader.reader.sweep()
    assert.deepEqual(read, [toHex(made.id)])
    for (const node of five) node.back()
  }
})

test('MB-10 letters of all size classes arrive byte for byte', async () => {
  await using swarm = await Swarm.create(6)
  const { alice, bobSeed, laneSeed } = await people(swarm)
  const got: Letter[] = []
  const bob = swarm.mailbox('bob', [bobSeed], async (letter) => {
    got.push(letter)
    return { kind: 'junk' }
  })
  const sent = ([0, 1, 2, 3, 4] as const).map((sizeClass) => makeLetter(swarm, bobSeed, laneSeed, { sizeClass }))
  for (const { letter, proof } of sent) await alice.depositor.put(letter, proof, { exclude: [], signal: never })
  await bob.reader.sweep()
  const byId = (letter: Letter): string => toHex(letterId(crypto, letter))
  assert.deepEqual(
    new Map(got.map((letter) => [byId(letter), letter])),
    new Map(sent.map(({ id, letter }) => [toHex(id), letter])),
  )
})

test('MB-11 after 30 days and an hour a letter is gone from every disk', async () => {
  await using swarm = await Swarm.create(5)
  const { bob, write, send, read } = await people(swarm)
  const made = write()
  await send(made)
  for (const node of swarm.nodes) await node.withoutSweeps()
  await swarm.clock.advance(30 * DAY_MS)
  for (const node of swarm.nodes) node.service.start()
  await swarm.clock.advance(HOUR_MS)
  await bob.reader.sweep()
  assert.deepEqual(read, [])
  for (const node of swarm.nodes) {
    await node.withoutSweeps()
    assert.equal(node.held.usage.letters, 0)
  }
})

test('MB-14 letters missing on some holders are found on others', async () => {
  await using swarm = await Swarm.create(8)
  const { bob, write, send, read } = await people(swarm)
  const letters = Array.from({ length: 10 }, () => write())
  for (const [i, made] of letters.entries()) {
    const away = swarm.order(made.letter.address).slice(i % 5, (i % 5) + 2)
    for (const node of away) node.down()
    await send(made)
    for (const node of away) node.back()
  }
  await bob.reader.sweep()
  assert.deepEqual(new Set(read), new Set(letters.map(({ id }) => toHex(id))))
  assert.equal(read.length, letters.length)
})

test('letters of past epochs are still collected', async () => {
  await using swarm = await Swarm.create(6)
  const { bob, write, send, read } = await people(swarm)
  const made = write()
  await send(made)
  for (const node of swarm.nodes) await node.withoutSweeps()
  await swarm.clock.advance(29 * DAY_MS)
  await bob.reader.sweep()
  assert.deepEqual(read, [toHex(made.id)])
})

test('MB-40 what could not be taken in is offered again, and stays at the holders until then', async () => {
  await using swarm = await Swarm.create(6)
  const { write, send, bobSeed } = await people(swarm)
  const made = write()
  await send(made)
  const verdicts = [
    new Error('the disk is full'),
    { kind: 'keep' },
    { kind: 'commit', preimage: made.preimage },
  ] as const
  let offered = 0
  const bob = swarm.mailbox('bob', [bobSeed], async () => {
    const verdict = verdicts[offered++]
    if (verdict === undefined || verdict instanceof Error) throw verdict ?? new Error('too often')
    return verdict
  })
  await bob.tombstones.start()
  for (let i = 1; i <= 4; i++) {
    await bob.reader.sweep()
    await bob.tombstones.idle()
    assert.equal(offered, Math.min(i, 3))
    assert.equal((await swarm.holdersOf(made.id)).length, i < 3 ? 5 : 0)
  }
})

test('MB-16 deleted while two holders were down: not resurrected when they return', async () => {
  await using swarm = await Swarm.create(8)
  const { bob, write, send, read, bobSeed, onLetter } = await people(swarm)
  const made = write()
  await send(made)
  const away = (await swarm.holdersOf(made.id)).slice(0, 2)
  for (const node of away) node.down()
  await bob.tombstones.start()
  await bob.reader.sweep()
  await bob.tombstones.idle()
  assert.deepEqual(await swarm.holdersOf(made.id), away)
  for (const node of away) node.back()
  const wiped = swarm.mailbox('bob-wiped', [bobSeed], onLetter)
  await wiped.reader.sweep()
  assert.deepEqual(read, [toHex(made.id)], 'a reader without memory sees the tombstones of the others')
  await until(swarm, () => swarm.clock.now() > 0 && away.every((node) => node.held.usage.letters === 0), 30_000, 40)
  assert.equal((await swarm.holdersOf(made.id)).length, 0)
})

test('a holder that shows a deleted letter is told at once', async () => {
  await using swarm = await Swarm.create(6)
  const { bob, write, send } = await people(swarm)
  const made = write()
  await send(made)
  const [away] = (await swarm.holdersOf(made.id)) as [HolderNode]
  away.down()
  await bob.tombstones.start()
  await bob.reader.sweep()
  await bob.tombstones.idle()
  away.back()
  await bob.reader.sweep()
  await bob.tombstones.idle()
  assert.equal((await swarm.holdersOf(made.id)).length, 0)
})

test("a burial survives the reader's restart", async () => {
  await using swarm = await Swarm.create(6)
  const { write, send, bobSeed, onLetter } = await people(swarm)
  const burials = new MemoryBurials()
  const first = swarm.mailbox('bob', [bobSeed], onLetter, burials)
  const made = write()
  await send(made)
  await first.reader.sweep()
  assert.equal(burials.map.size, 1)
  for (const node of swarm.nodes) node.down()
  await first.tombstones.start()
  await first.tombstones.idle()
  await first.tombstones.stop()
  for (const node of swarm.nodes) node.back()
  const second = swarm.mailbox('bob', [bobSeed], onLetter, burials)
  await second.tombstones.start()
  await until(swarm, () => swarm.nodes.every((node) => node.held.usage.letters === 0), 20_000, 40)
  await swarm.clock.advance(3 * DAY_MS)
  await until(swarm, () => burials.map.size === 0, 1_000, 40)
})

test('I7 a false tombstone, false letters and a garbage listing change nothing', async () => {
  await using swarm = await Swarm.create(8)
  const { bob, write, send, read } = await people(swarm)
  const [first, second] = [write(), write({ sizeClass: 2 })]
  await send(first)
  await send(second)
  const liars = swarm.order(first.letter.address).slice(0, 3)
  for (const [i, liar] of liars.entries()) liar.lie = lies(swarm, [first, second], i)
  const report = await bob.reader.sweep()
  assert.equal(report.complete, true)
  assert.deepEqual(new Set(read), new Set([toHex(first.id), toHex(second.id)]))
  assert.equal(read.length, 2)
})

/** Says dead what lives; gives other bytes than were listed; lists a thousand letters that nobody has, without end. */
function lies(swarm: Swarm, made: readonly MadeLetter[], which: number): Lie {
  return async (_, request, honest) => {
    const response = await honest()
    if (request.kind === HOLDER_VERB.list && response.answer.kind === 3) {
      const listing = response.answer.body
      const dead = made.map(({ id }) => ({ id, preimage: swarm.rng.bytes(16) }))
      const garbage = Array.from({ length: 1_000 }, () => ({ id: swarm.rng.bytes(32), expiry: 1, sizeClass: 9 }))
      if (which === 0) return { ...response, answer: { kind: 3, body: { ...listing, live: [], dead } } }
      if (which === 2) return { ...response, answer: { kind: 3, body: { ...listing, live: garbage, more: 1 } } }
    }
    if (request.kind !== HOLDER_VERB.get || response.answer.kind !== 4 || which !== 1) return response
    const letters = response.answer.body.letters.map(({ letter, proof }) => ({
      letter: { ...letter, ciphertext: swarm.rng.bytes(letter.ciphertext.length) },
      proof,
    }))
    return { ...response, answer: { kind: 4, body: { letters } } }
  }
}

test('MB-47 a letter that its sender took back is not delivered', async () => {
  await using swarm = await Swarm.create(6)
  const { alice, bob, write, send, read } = await people(swarm)
  const made = write()
  await send(made)
  await alice.tombstones.start()
  await alice.tombstones.bury(made.tombstone)
  await alice.tombstones.idle()
  await bob.reader.sweep()
  assert.deepEqual(read, [])
})

test('MB-07 a subscriber is pushed a new letter at once', async () => {
  await using swarm = await Swarm.create(6)
  const { bob, write, send, read } = await people(swarm)
  await bob.start()
  await bob.reader.sweep()
  const made = write()
  await send(made)
  await until(swarm, () => read.length > 0, 1, 50)
  assert.deepEqual(read, [toHex(made.id)])
})

test('a push that is not ours, or not the letter that it says, goes unheard', async () => {
  await using swarm = await Swarm.create(6)
  const { bob, bobSeed, write, read } = await people(swarm)
  await bob.start()
  await bob.reader.sweep()
  const [node] = swarm.nodes as [HolderNode]
  const stranger = makeLetter(swarm, swarm.rng.bytes(32), swarm.rng.bytes(32))
  const made = write()
  const other = { ...made.letter, ciphertext: swarm.rng.bytes(4_096), commitment: commitmentOf(crypto, made.preimage) }
  const own = epochKey(crypto, bobSeed, epochOf(swarm.clock.now(), PROFILE)).address
  for (const letter of [stranger.letter, { ...stranger.letter, address: own }, other]) {
    swarm.pushTo('bob', node.peerId, { letter, proof: made.proof })
  }
  await swarm.clock.advance(100)
  assert.deepEqual(read, [])
})

test('a read with holders missing is incomplete and is repeated within a minute', async () => {
  await using swarm = await Swarm.create(6)
  const { bob, write, send, read } = await people(swarm)
  const made = write()
  await send(made)
  for (const node of swarm.nodes) {
    node.lie = async (_, request, honest) => (request.kind === HOLDER_VERB.list ? answer(HOLDER_STATUS.rate) : honest())
  }
  await bob.start()
  assert.equal((await bob.reader.sweep()).complete, false)
  for (const node of swarm.nodes) node.lie = undefined
  await until(swarm, () => read.length > 0, 1_000, 70)
})

test('a holder that comes back is read without waiting for the next turn', async () => {
  await using swarm = await Swarm.create(6)
  const { bob, write, send, read } = await people(swarm)
  const made = write()
  await send(made)
  const five = await swarm.holdersOf(made.id)
  for (const node of five) node.down()
  await bob.start()
  await bob.reader.sweep()
  assert.deepEqual(read, [])
  for (const node of five) node.back()
  await until(swarm, () => read.length > 0, 100, 60)
})

test('without pushes the next sweep brings it', async () => {
  await using swarm = await Swarm.create(6)
  const { bob, write, send, read } = await people(swarm)
  for (const node of swarm.nodes) {
    node.lie = async (_, request, honest) =>
      request.kind === HOLDER_VERB.subscribe ? answer(HOLDER_STATUS.rate) : honest()
  }
  await bob.start()
  await bob.reader.sweep()
  await send(write())
  await swarm.clock.advance(PROFILE.collectIntervalMs * 0.7)
  assert.equal(read.length, 0)
  await until(swarm, () => read.length > 0, 10_000, 60)
})

test('a subscription is renewed when its stream was lost', async () => {
  await using swarm = await Swarm.create(6)
  const { bob, write, send, read } = await people(swarm)
  await bob.start()
  await bob.reader.sweep()
  for (const node of swarm.nodes) {
    node.down()
    node.up = true // back without anyone being told
  }
  await send(write())
  assert.equal(read.length, 0)
  await until(swarm, () => swarm.nodes.filter((node) => node.closers.size > 1).length >= 5, 10_000, 70)
  await send(write())
  await until(swarm, () => read.length > 0, 1, 50)
})

test('MB-25 MB-26 nothing that is sent to a holder carries a time finer than an hour or a name', async () => {
  await using swarm = await Swarm.create(5)
  const { write, send } = await people(swarm)
  for (const node of swarm.nodes) node.seenFrames.length = 0
  const made = write()
  await send(made)
  const frames = swarm.nodes.flatMap((node) => node.seenFrames.map((frame) => Buffer.from(frame)))
  assert.equal(frames.length, 5)
  for (const frame of frames) {
    assert.ok(!frame.includes('alice') && !frame.includes('bob'))
    for (const unit of [1, 1_000]) {
      const time = Buffer.alloc(8)
      time.writeBigUInt64BE(BigInt(Math.floor(swarm.clock.now() / unit)))
      assert.ok(!frame.includes(unit === 1 ? time.subarray(2) : time.subarray(4)))
    }
  }
})

// --- cards

test('ID-09 a card is still found when four of its five holders are gone', async () => {
  await using swarm = await Swarm.create(10)
  const { alice, bob } = await people(swarm)
  const card: CardRecord = { kind: CARD_KIND.account, body: await cardOf(1) }
  const published = await new CardNetwork(alice.cards).publish(card)
  assert.equal(published.receipts, 5)
  const key = cardKeyOf(1)
  for (const node of swarm.order(key).slice(1, 5)) node.down()
  assert.deepEqual(await new CardNetwork(bob.cards).fetch(key), card)
})

function cardKeyOf(account: number): Uint8Array {
  return accountCardKey(crypto, idOf(account))
}

test('ID-06 a 12 KiB card travels over twenty peers byte for byte', async () => {
  await using swarm = await Swarm.create(20)
  const { alice, bob } = await people(swarm)
  const prekeys: CardRecord = { kind: CARD_KIND.prekeys, body: await prekeysOf(1, 50) }
  await alice.cards.publish(prekeys, never)
  const key = prekeyCardKey(crypto, idOf(1), new Uint8Array(16).fill(50))
  assert.deepEqual((await bob.cards.fetch(key, never)).record, prekeys)
})

test('ID-12 MB-43 the highest good number wins over replays, forgeries and foreign cards', async () => {
  await using swarm = await Swarm.create(9)
  const { alice, bob } = await people(swarm)
  const older: CardRecord = { kind: 1, body: await cardOf(1) }
  const newer: CardRecord = { kind: 1, body: await cardOf(1, { number: 2, previous: new Uint8Array(32).fill(1) }) }
  assert.deepEqual((await alice.cards.publish(older, never)).receipts.length, 5)
  assert.deepEqual((await alice.cards.publish(newer, never)).receipts.length, 5)
  assert.equal((await bob.cards.publish(older, never)).stale, true)
  const key = cardKeyOf(1)
  const forged = { ...newer.body, body: { ...newer.body.body, number: 9 } } as typeof newer.body
  const records = [older, { kind: 1, body: forged }, { kind: 1, body: await cardOf(2, { number: 99 }) }] as CardRecord[]
  for (const [i, record] of records.entries()) {
    const node = swarm.order(key)[i] as HolderNode
    node.lie = async (_, request, honest) =>
      request.kind === HOLDER_VERB.getCard ? answer(HOLDER_STATUS.ok, { kind: 2, body: record }) : honest()
  }
  const { record, complete } = await bob.cards.fetch(key, never)
  assert.deepEqual(record, newer)
  assert.ok(complete)
})

test('a card that nobody has is not found, and silence is not an answer', async () => {
  await using swarm = await Swarm.create(4)
  const { bob } = await people(swarm)
  assert.deepEqual(await bob.cards.fetch(cardKeyOf(3), never), { record: undefined, answers: 4, complete: true })
  for (const node of swarm.nodes) node.down()
  await swarm.clock.advance(10_000)
  await assert.rejects(new CardNetwork(bob.cards).fetch(cardKeyOf(3)), { name: 'NetworkError' })
  await assert.rejects(new CardNetwork(bob.cards).publish({ kind: 1, body: await cardOf(1, { issuedAt: NOW_S }) }), {
    name: 'NetworkError',
  })
})
