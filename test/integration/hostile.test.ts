/** What a lying holder can make a reader do, and what a hostile peer can make a holder do: less than it would like. */
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { test } from 'node:test'
import { toHex } from '../../src/lib/bytes.ts'
import { DAY_MS } from '../../src/lib/time.ts'
import { ownerProof } from '../../src/protocol/mailbox-proofs.ts'
import { epochKey, epochOf, laneOf, policyExpiryHour, signPolicy } from '../../src/protocol/mailbox-rules.ts'
import type { EpochKey } from '../../src/protocol/mailbox-rules.ts'
import type { HolderDeps } from '../../src/services/holder/deps.ts'
import { Policies } from '../../src/services/holder/policies.ts'
import type { LetterVerdict } from '../../src/services/mailbox/collect.ts'
import { HOLDER_STATUS, HOLDER_VERB } from '../../src/wire/holder.ts'
import { LetterStamps, stampSolver } from '../../src/services/stamps/solver.ts'
import type { HolderRequest, HolderResponse } from '../../src/wire/holder.ts'
import type { Deposit, Letter, Tombstone } from '../../src/wire/letter.ts'
import { crypto, directLink, makeLetter, MemoryLink, never, PROFILE, Swarm } from '../unit/services/swarm.ts'
import type { HolderNode, Lie, MadeLetter } from '../unit/services/swarm.ts'

/** Bob, whose nearest holder lies, and a letter for him that the honest ones have. */
async function victim(verdict: (letter: Letter) => LetterVerdict = () => ({ kind: 'junk' })) {
  const swarm = await Swarm.create(12)
  const seed = swarm.rng.bytes(32)
  const laneSeed = swarm.rng.bytes(32)
  const genuine = new Map<string, MadeLetter>()
  const read: string[] = []
  const counts = { others: 0 }
  const bob = swarm.mailbox('bob', [seed], async (letter, id) => {
    const made = genuine.get(toHex(id))
    if (made === undefined) {
      counts.others++
      return verdict(letter)
    }
    read.push(toHex(id))
    return { kind: 'commit', preimage: made.preimage }
  })
  const alice = swarm.mailbox('alice', [swarm.rng.bytes(32)], async () => ({ kind: 'junk' }))
  await bob.cards.publishPolicies({ mailboxSeed: seed, number: 1, stampBits: 2, laneSeeds: [laneSeed] }, never)
  const { address } = epochKey(crypto, seed, epochOf(swarm.clock.now(), PROFILE))
  const liar = swarm.order(address)[0] as HolderNode
  const send = async (): Promise<MadeLetter> => {
    const made = makeLetter(swarm, seed, laneSeed)
    genuine.set(toHex(made.id), made)
    await alice.depositor.put(made.letter, made.proof, { exclude: [], signal: never })
    return made
  }
  /** A letter that nobody sent. */
  const liarsLane = swarm.rng.bytes(32)
  const madeUp = (): MadeLetter => makeLetter(swarm, seed, liarsLane)
  return { swarm, bob, seed, laneSeed, address, liar, send, read, counts, madeUp }
}

function listing(swarm: Swarm, ids: readonly Uint8Array[], more: 0 | 1): HolderResponse {
  const expiry = Math.floor((swarm.clock.now() + DAY_MS) / 3_600_000)
  const live = ids.map((id) => ({ id, expiry, sizeClass: 0 }))
  const body = { boot: new Uint8Array(8), cursor: 0, more, live, dead: [] }
  return { status: HOLDER_STATUS.ok, answer: { kind: 3, body }, closer: [] }
}

const letters = (given: readonly Deposit[]): HolderResponse => ({
  status: HOLDER_STATUS.ok,
  answer: { kind: 4, body: { letters: given } },
  closer: [],
})

/** Lists letters of its own making and gives as many of those asked for as `give` says; counts the questions. */
function inventor(swarm: Swarm, address: Uint8Array, invented: readonly MadeLetter[], give: number) {
  const byId = new Map(invented.map((made) => [toHex(made.id), made]))
  const ids = invented.map(({ id }) => id)
  const asked = { gets: 0 }
  const lie: Lie = async (_caller, request, honest) => {
    if (request.kind === HOLDER_VERB.list && toHex(request.body.address) === toHex(address))
      return listing(swarm, ids, 0)
    if (request.kind !== HOLDER_VERB.get || toHex(request.body.address) !== toHex(address)) return honest()
    asked.gets++
    const found = request.body.ids.map((id) => byId.get(toHex(id))).filter((made) => made !== undefined)
    return letters(found.slice(0, give))
  }
  return { lie, asked }
}

test('TE-08 MB-20 a holder that lists thousands of letters that it does not have hides none of the others', async () => {
  const { swarm, bob, address, liar, send, read } = await victim()
  await using _ = swarm
  liar.lie = async (_caller, request, honest) => {
    if (request.kind === HOLDER_VERB.get) return letters([])
    if (request.kind !== HOLDER_VERB.list || toHex(request.body.address) !== toHex(address)) return honest()
    const ids = Array.from({ length: 1_024 }, () => swarm.rng.bytes(32))
    return listing(swarm, ids, 1)
  }
  const made = await send()
  await bob.reader.sweep()
  assert.deepEqual(read, [toHex(made.id)])
})

test('MB-20 a holder that gives one letter at a time is not asked for ever', async () => {
  const { swarm, bob, address, liar, send, read, madeUp } = await victim()
  await using _ = swarm
  const { lie, asked } = inventor(swarm, address, Array.from({ length: 200 }, madeUp), 1)
  liar.lie = lie
  const made = await send()
  await bob.reader.sweep()
  assert.deepEqual(read, [toHex(made.id)])
  assert.ok(asked.gets <= 8, `${asked.gets} questions`)
})

test('I7 of the letters that a holder makes up only so many are looked at, however often it is read', async () => {
  const { swarm, bob, address, liar, send, read, counts, madeUp } = await victim()
  await using _ = swarm
  const { lie } = inventor(swarm, address, Array.from({ length: 1_000 }, madeUp), 64)
  liar.lie = lie
  const made = await send()
  for (let i = 0; i < 3; i++) await bob.reader.sweep()
  assert.deepEqual(read, [toHex(made.id)])
  assert.ok(counts.others <= 600, `${counts.others} letters`)
})

test('I7 pushes of made-up letters are bounded too, and a genuine one still comes', async () => {
  const { swarm, bob, liar, send, read, counts, madeUp } = await victim()
  await using _ = swarm
  await bob.start()
  for (let i = 0; i < 1_000; i++) swarm.pushTo('bob', liar.peerId, madeUp())
  const made = await send()
  for (let i = 0; i < 200 && read.length === 0; i++) {
    await swarm.clock.advance(100)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  assert.deepEqual(read, [toHex(made.id)])
  assert.ok(counts.others <= 600, `${counts.others} letters`)
})

test('I7 MB-20 a letter whose lane did not sign it is as good as not given, in answers and in pushes', async () => {
  const { swarm, bob, address, liar, send, read, counts, madeUp, seed, laneSeed } = await victim()
  await using _ = swarm
  const invented = Array.from({ length: 64 }, () => makeLetter(swarm, seed, laneSeed))
  const forged = invented.map((each) => ({ ...each, proof: madeUp().proof }))
  const { lie, asked } = inventor(swarm, address, forged, 64)
  liar.lie = lie
  const made = await send()
  await bob.start()
  for (const each of forged) swarm.pushTo('bob', liar.peerId, each)
  for (let i = 0; i < 200 && read.length === 0; i++) {
    await swarm.clock.advance(100)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await bob.reader.sweep()
  assert.deepEqual(read, [toHex(made.id)])
  assert.equal(counts.others, 0)
  assert.ok(asked.gets > 0)
})

test('I2 MB-16 a holder that comes back after its letters were long deleted hears of it with the next sweep', async () => {
  const { swarm, bob, liar, send, read } = await victim()
  await using _ = swarm
  const made = await send()
  await bob.tombstones.start()
  assert.equal(await liar.held.stateOf(made.id), 'known')
  liar.down()
  await bob.reader.sweep()
  await bob.tombstones.idle()
  await swarm.clock.advance(4 * DAY_MS)
  await bob.tombstones.idle()
  assert.equal(bob.tombstones.size, 0, 'nobody is told any more')
  assert.equal(await liar.held.stateOf(made.id), 'known')
  liar.back()
  await bob.reader.sweep()
  await bob.tombstones.idle()
  assert.equal(await liar.held.stateOf(made.id), 'gone')
  assert.deepEqual(read, [toHex(made.id)])
})

test('a letter that cannot be read is tried again, ever more rarely', async () => {
  const { swarm, bob, liar, send, counts, seed, laneSeed } = await victim(() => ({ kind: 'keep' }))
  await using _ = swarm
  const unread = makeLetter(swarm, seed, laneSeed)
  await liar.held.putLetter(unread.id, unread)
  await send()
  for (let i = 0; i < 33; i++) await bob.reader.sweep()
  assert.equal(counts.others, 6)
})

test('a mailbox that was stopped listens no longer, and one that starts again does', async () => {
  const { swarm, bob } = await victim()
  await using _ = swarm
  assert.equal(swarm.listeners('bob'), 0)
  for (let i = 0; i < 3; i++) {
    await bob.start()
    assert.equal(swarm.listeners('bob'), 3)
    await bob.stop()
    assert.equal(swarm.listeners('bob'), 0)
  }
})

test('a holder that lost the policy, or is new, is brought it with the next sweep', async () => {
  const { swarm, bob, address, liar } = await victim()
  await using _ = swarm
  const has = async (): Promise<boolean> => (await liar.held.cards.get(address, swarm.clock.now())) !== undefined
  await bob.reader.sweep()
  assert.equal(await has(), true)
  liar.down()
  await liar.stop()
  await rm(liar.path, { recursive: true })
  await liar.start()
  assert.equal(await has(), false)
  await bob.reader.sweep()
  assert.equal(await has(), true)
})

// --- what a hostile peer can make a holder do

/** One holder, a mailbox with a policy, and a peer that means no good. */
async function holder(quotas: Parameters<typeof Swarm.create>[1] = {}) {
  const swarm = await Swarm.create(1, quotas)
  const node = swarm.nodes[0] as HolderNode
  const seed = swarm.rng.bytes(32)
  const laneSeed = swarm.rng.bytes(32)
  const key = epochKey(crypto, seed, epochOf(swarm.clock.now(), PROFILE))
  const link = directLink(swarm, node, 'mallory', '5.9.1.1')
  const ask = (request: HolderRequest, on: MemoryLink = link): Promise<HolderResponse> => on.request(request, never)
  const policy = async (number: number, of: EpochKey = key): Promise<HolderResponse> => {
    const body = await signPolicy(crypto, {
      key: of,
      number,
      expiry: policyExpiryHour(of.epoch, PROFILE),
      stampBits: 2,
      lanes: [laneOf(crypto, laneSeed, of.epoch)],
      filler: swarm.rng.bytes(16 * 256),
    })
    return ask({ kind: 2, body: { kind: 3, body } })
  }
  assert.equal((await policy(1)).status, HOLDER_STATUS.ok)
  const make = (sizeClass: 0 | 4 = 0): MadeLetter => makeLetter(swarm, seed, laneSeed, { sizeClass })
  const put = ({ letter, proof }: MadeLetter): Promise<HolderResponse> =>
    ask({ kind: 1, body: { letter, proof, rung: 0 } })
  const tomb = (tombstones: readonly Tombstone[], on = link) => ask({ kind: 7, body: { tombstones } }, on)
  const dispose = (): Promise<void> => swarm[Symbol.asyncDispose]()
  return { swarm, node, seed, key, link, ask, policy, make, put, tomb, [Symbol.asyncDispose]: dispose }
}

test('TE-08 AS-01 tombstones are rationed by source, false ones as well, and repeating one writes nothing', async () => {
  await using h = await holder()
  const { tombstone } = h.make()
  const random = (): Tombstone[] =>
    Array.from({ length: 64 }, () => ({ ...tombstone, digest: h.swarm.rng.bytes(32), preimage: h.swarm.rng.bytes(16) }))
  const statuses: number[] = []
  for (let i = 0; i < 66; i++) statuses.push((await h.tomb(random())).status)
  assert.equal(statuses.filter((status) => status === HOLDER_STATUS.refused).length, 64)
  assert.equal(statuses.at(-1), HOLDER_STATUS.rate)
  const other = directLink(h.swarm, h.node, 'alice', '5.9.2.1')
  const genuine = Array.from({ length: 64 }, () => h.make().tombstone)
  for (let i = 0; i < 2; i++) {
    assert.equal((await h.tomb(genuine, other)).status, HOLDER_STATUS.ok)
    assert.equal(h.node.held.usage.mailDiskBytes, 64 * 512)
  }
})

test('MB-45 what deleted letters leave behind counts towards the disk, and deleting is never refused for it', async () => {
  await using h = await holder({ nodeBytes: 24_000 })
  let stored = 0
  for (; stored < 100; stored++) {
    const made = h.make()
    if ((await h.put(made)).status === HOLDER_STATUS.full) break
    assert.equal((await h.tomb([made.tombstone])).status, HOLDER_STATUS.ok)
  }
  assert.ok(stored > 10 && stored < 60, `${stored} letters`)
  const before = h.node.held.usage.mailDiskBytes
  await h.node.restart()
  assert.equal(h.node.held.usage.mailDiskBytes, before)
  await h.node.held.sweep(h.swarm.clock.now() + 32 * DAY_MS)
  assert.equal(h.node.held.usage.mailDiskBytes, 0)
})

test('MB-45 cards do not take the disk from letters, nor letters from cards, and a full disk takes a new version', async () => {
  await using h = await holder({ nodeBytes: 100_000, laneRecords: 10_000, sourceBytesPerHour: 2 ** 30 })
  const epochs = (): EpochKey => epochKey(crypto, h.swarm.rng.bytes(32), h.key.epoch)
  let cards = 1
  while ((await h.policy(1, epochs())).status === HOLDER_STATUS.ok) cards++
  assert.equal(cards, 6) // half of the disk
  assert.equal((await h.put(h.make())).status, HOLDER_STATUS.ok)
  while ((await h.put(h.make())).status === HOLDER_STATUS.ok);
  assert.equal((await h.policy(2)).status, HOLDER_STATUS.ok)
  await using mail = await holder({ nodeBytes: 100_000, laneRecords: 10_000, sourceBytesPerHour: 2 ** 30 })
  while ((await mail.put(mail.make())).status === HOLDER_STATUS.ok);
  assert.equal((await mail.policy(1, epochs())).status, HOLDER_STATUS.ok)
})

test('AS-01 a mailbox has four followers, the newest; a peer follows 64, however many streams it opens', async () => {
  await using h = await holder()
  const pushed: string[] = []
  const stream = (name: string, peer = name): MemoryLink =>
    new MemoryLink(h.node, peer, h.swarm.rng.bytes(32), () => pushed.push(name), '5.9.1.1')
  const follow = async (on: MemoryLink, key: EpochKey = h.key): Promise<number> => {
    const proof = await ownerProof(crypto, key, on.challenge, on.peerId)
    assert.equal((await h.ask({ kind: 4, body: { address: key.address, proof } }, on)).status, HOLDER_STATUS.ok)
    return (await h.ask({ kind: 8, body: { address: key.address } }, on)).status
  }
  for (let i = 0; i < 6; i++) assert.equal(await follow(stream(`device-${i}`)), HOLDER_STATUS.ok)
  await h.put(h.make())
  assert.deepEqual(pushed, ['device-2', 'device-3', 'device-4', 'device-5'])
  const greedy = [stream('greedy'), stream('greedy'), stream('greedy')]
  const statuses: number[] = []
  for (let i = 0; i < 60; i++) {
    const key = epochKey(crypto, h.swarm.rng.bytes(32), h.key.epoch)
    statuses.push(await follow(greedy[i % 3] as MemoryLink, key))
  }
  assert.equal(statuses.filter((status) => status === HOLDER_STATUS.ok).length, 60)
  await h.swarm.clock.advance(60_000)
  for (let i = 0; i < 6; i++) {
    const key = epochKey(crypto, h.swarm.rng.bytes(32), h.key.epoch)
    statuses.push(await follow(greedy[i % 3] as MemoryLink, key))
  }
  assert.equal(statuses.filter((status) => status === HOLDER_STATUS.ok).length, 64)
})

test('AS-01 long listings and large answers count as many requests', async () => {
  await using h = await holder({ sourceRequestsBurst: 20, sourceRequestsPerSecond: 1 })
  const made = Array.from({ length: 8 }, () => h.make(4))
  await Promise.all(made.map((each) => h.node.held.putLetter(each.id, each)))
  const proof = await ownerProof(crypto, h.key, h.link.challenge, h.link.peerId)
  const { address } = h.key
  assert.equal((await h.ask({ kind: 4, body: { address, proof } })).status, HOLDER_STATUS.ok)
  const get = async (): Promise<number> =>
    (await h.ask({ kind: 6, body: { address, ids: made.map(({ id }) => id) } })).status
  assert.equal(await get(), HOLDER_STATUS.ok) // 256 KiB: 16 and itself
  assert.equal(await get(), HOLDER_STATUS.ok)
  assert.equal(await get(), HOLDER_STATUS.rate)
  await h.swarm.clock.advance(10_000)
  assert.equal(await get(), HOLDER_STATUS.rate, 'what it owes is waited for')
  await h.swarm.clock.advance(10_000)
  assert.equal(await get(), HOLDER_STATUS.ok)
})

test('AS-02 a source of false stamps is not listened to for a while, others are', async () => {
  await using h = await holder()
  const claim = (): Letter => {
    const { letter } = h.make()
    return { ...letter, kind: 2, lane: new Uint8Array(16), stamp: { bits: 40, nonce: h.swarm.rng.bytes(16) } }
  }
  const put = async (on: MemoryLink): Promise<number> =>
    (await h.ask({ kind: 1, body: { letter: claim(), proof: { kind: 2, body: { reserved: 0 } }, rung: 0 } }, on)).status
  for (let i = 0; i < 10; i++) assert.equal(await put(h.link), HOLDER_STATUS.stamp)
  assert.equal(await put(h.link), HOLDER_STATUS.rate)
  assert.equal(await put(directLink(h.swarm, h.node, 'new-name', '5.9.1.77')), HOLDER_STATUS.rate)
  assert.equal(await put(directLink(h.swarm, h.node, 'stranger', '5.9.2.1')), HOLDER_STATUS.stamp)
})

test('a policy that is replaced while it is read does not stay', async () => {
  await using h = await holder()
  const { cards } = h.node.held
  let release = (): void => {}
  const gate = new Promise<void>((resolve) => (release = resolve))
  const slow = { get: async (...args: Parameters<typeof cards.get>) => [await cards.get(...args), await gate][0] }
  const deps = { clock: h.swarm.clock, crypto, held: { cards: slow } } as unknown as HolderDeps
  const policies = new Policies(deps)
  const reading = policies.of(h.key.address)
  await h.policy(2)
  policies.forget(h.key.address)
  release()
  const [first, second] = [await reading, await policies.of(h.key.address)]
  assert.ok(first !== undefined && second !== undefined)
  assert.notDeepEqual(first.lanes, second.lanes)
})

test('stamped letters that come side by side do not outgrow the intro box', async () => {
  await using h = await holder({ stampedLetters: 3 })
  const stamps = new LetterStamps(crypto, stampSolver(crypto, h.swarm.rng), h.swarm.clock)
  const letter = async (bits: number): Promise<Letter> =>
    stamps.stamp(makeLetter(h.swarm, h.seed, h.swarm.rng.bytes(32), { lifeMs: 7 * DAY_MS }).letter, bits, never)
  const put = async (given: Letter): Promise<number> =>
    (await h.ask({ kind: 1, body: { letter: given, proof: { kind: 2, body: { reserved: 0 } }, rung: 0 } })).status
  for (let i = 0; i < 3; i++) assert.equal(await put(await letter(2)), HOLDER_STATUS.ok)
  const better = await Promise.all(Array.from({ length: 6 }, () => letter(4)))
  await Promise.all(better.map(put))
  assert.equal(h.node.held.usage.mailbox(h.key.address)?.stamped.size, 3)
})
