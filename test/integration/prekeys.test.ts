import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex, utf8 } from '../../src/lib/bytes.ts'
import { DecryptError, NetworkError, NotFoundError } from '../../src/lib/errors.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/lib/time.ts'
import { HOLDER_STATUS, HOLDER_VERB } from '../../src/wire/holder.ts'
import type { HolderResponse, HolderStatus } from '../../src/wire/holder.ts'
import type { PrekeySlice } from '../../src/wire/prekey-slices.ts'
import { ownerIn } from '../unit/services/prekey-owner.ts'
import type { Owner } from '../unit/services/prekey-owner.ts'
import { crypto, Swarm } from '../unit/services/swarm.ts'
import type { HolderNode, Lie } from '../unit/services/swarm.ts'

/** Long enough to get somewhere, short enough to see what comes first. */
const STEP_MS = 6 * MINUTE_MS
/** The longest that a look after the pool takes to come. */
const CYCLE_MS = 36 * MINUTE_MS

const deviceOf = (owner: Owner) => ({ deviceId: owner.account.deviceId, prekeys: owner.cards.current().card })

/** A message from one device to another, in a session for which a bundle was asked unless that was done before. */
async function seal(from: Owner, to: Owner, text: string, prepared = false): Promise<Uint8Array> {
  const contact = { accountId: to.account.accountId }
  if (!prepared) await from.sessions.prepare(contact, deviceOf(to))
  return from.journal.commit(async () => {
    const { ops, sealed } = await from.sessions.seal(contact, deviceOf(to), utf8(text))
    return { ops, facts: [], result: sealed.envelope }
  })
}

async function open(to: Owner, envelope: Uint8Array): Promise<string> {
  return to.journal.commit(async () => {
    const { ops, content } = await to.sessions.open(envelope)
    return { ops, facts: [], result: Buffer.from(content).toString() }
  })
}

async function facts(owner: Owner, type: string): Promise<Record<string, unknown>[]> {
  const events = await owner.store.events.since(0, 1_000)
  return events.filter((event) => event.type === type).map(({ data }) => JSON.parse(data) as Record<string, unknown>)
}

/** Every slice that was put anywhere. */
function slicesSeen(swarm: Swarm): { readonly holder: string; readonly slice: PrekeySlice }[] {
  const seen: { holder: string; slice: PrekeySlice }[] = []
  for (const node of swarm.nodes) {
    const before = node.lie
    node.lie = async (caller, request, honest) => {
      if (request.kind === HOLDER_VERB.putSlice) seen.push({ holder: node.peerId, slice: request.body })
      return before === undefined ? honest() : before(caller, request, honest)
    }
  }
  return seen
}

/** From now on the holder answers this verb with this status, and otherwise as before. */
function answering(node: HolderNode, verb: number, status: HolderStatus): void {
  const before = node.lie
  node.lie = async (caller, request, honest) => {
    const reply: typeof honest = async () =>
      request.kind === verb ? { status, answer: { kind: 0, body: {} }, closer: [] } : honest()
    return before === undefined ? reply() : before(caller, request, reply)
  }
}

test('PK-01 PK-16 the pool is 100 in five slices of 20 at five holders, and the card names its root', async () => {
  await using swarm = await Swarm.create(8)
  await using owner = await ownerIn(swarm)
  const status = await owner.ready()
  assert.equal(status.total, 100)
  assert.deepEqual(
    status.slices.map(({ left }) => left),
    [20, 20, 20, 20, 20],
  )
  const holders = status.slices.map(({ holder }) => holder)
  assert.deepEqual(
    new Set(holders),
    new Set(
      swarm
        .order(owner.key)
        .slice(0, 5)
        .map(({ peerId }) => peerId),
    ),
  )
  const { card } = owner.cards.current()
  assert.equal(card.body.pool.count, 100)
  assert.equal(status.number, card.body.number)
  assert.ok(status.createdAt > 0 && status.lastRotatedAt > 0)
})

test('PK-05 200 initiators at once get 100 prekeys, no two the same, and the card serves the rest', async () => {
  await using swarm = await Swarm.create(8)
  await using owner = await ownerIn(swarm)
  await owner.ready()
  const bundles = await Promise.all(Array.from({ length: 200 }, async (_, i) => owner.take(`initiator ${i}`)))
  const ids = bundles.flatMap(({ oneTime }) => (oneTime === undefined ? [] : [oneTime.prekey.id]))
  assert.equal(ids.length, 100)
  assert.equal(new Set(ids).size, 100)
  for (const { card } of bundles) assert.equal(card.body.number, owner.cards.current().card.body.number)
})

test('PK-02 PK-03 when 20 are left, 50 are made with the next look; no prekey goes to two holders', async () => {
  await using swarm = await Swarm.create(8)
  const seen = slicesSeen(swarm)
  await using owner = await ownerIn(swarm)
  const before = await owner.ready()
  const given = new Set<number>()
  for (let i = 0; given.size < 79; i++) given.add((await owner.take(`peer ${i}`)).oneTime?.prekey.id ?? -1)
  await owner.until(async () => (await owner.pool.status()).total === 21, STEP_MS)
  assert.equal((await owner.pool.status()).number, before.number, 'not before 20 are left')
  given.add((await owner.take('the eightieth')).oneTime?.prekey.id ?? -1)
  const takenAt = swarm.clock.now()
  await owner.until(async () => (await owner.pool.status()).total === 70, STEP_MS)
  assert.ok(swarm.clock.now() - takenAt <= CYCLE_MS + STEP_MS)
  await owner.ready()
  const after = await owner.pool.status()
  assert.equal(after.number, before.number + 1)
  assert.deepEqual(
    after.slices.map(({ holder }) => holder),
    before.slices.map(({ holder }) => holder),
  )
  assert.deepEqual(await facts(owner, 'prekeys:generated'), [{ count: 100 }, { count: 50 }])
  for (let i = 0; i < 80; i++) {
    const { oneTime } = await owner.take(`later ${i}`)
    assert.equal(oneTime !== undefined, i < 70, `later ${i}`)
    if (oneTime !== undefined) assert.ok(!given.has(oneTime.prekey.id), 'given twice')
    if (oneTime !== undefined) given.add(oneTime.prekey.id)
  }
  const keepers = new Map<number, string>()
  for (const { holder, slice } of seen) {
    for (const { prekey } of slice.body.prekeys) {
      assert.equal(keepers.get(prekey.id) ?? holder, holder)
      keepers.set(prekey.id, holder)
    }
  }
  assert.equal(keepers.size, 150)
})

test('PK-07 SE-06 one prekey is made, published, served, consumed and gone; the private half with it', async () => {
  await using swarm = await Swarm.create(6)
  await using bob = await ownerIn(swarm, 'bob')
  await using alice = await ownerIn(swarm, 'alice')
  await bob.ready()
  const all = await bob.store.prekeys.oneTime.list()
  assert.ok(all.every(({ state }) => state === 2))
  const envelope = await seal(alice, bob, 'hello')
  await bob.until(async () => (await bob.pool.status()).total === 99, STEP_MS)
  const [served] = (await bob.store.prekeys.oneTime.list()).filter(({ state }) => state === 3)
  assert.ok(served && served.retiredAt > 0)
  assert.equal(await open(bob, envelope), 'hello')
  assert.equal(await bob.store.prekeys.oneTime.get(served.id), undefined)
  const use = await bob.store.prekeys.uses.get(served.id)
  assert.equal(use?.uses, 1)
  assert.equal(use.holder, served.holder)
  assert.deepEqual(await facts(bob, 'prekeys:served'), [{ count: 1, lostSlices: 0 }])
  assert.ok(alice.sessions.describe(bob.account.accountId).every(({ oneTime }) => oneTime))
  await assert.rejects(open(bob, envelope), DecryptError)
  assert.equal((await bob.store.prekeys.uses.get(served.id))?.uses, 1, 'a replay is no second use')
})

test('PK-02 E2-05 with none left the last resort serves, is counted, and the session says so', async () => {
  await using swarm = await Swarm.create(6)
  await using bob = await ownerIn(swarm, 'bob')
  await using alice = await ownerIn(swarm, 'alice')
  await bob.ready()
  for (let i = 0; i < 100; i++) assert.ok((await bob.take(`peer ${i}`)).oneTime)
  assert.equal(await open(bob, await seal(alice, bob, 'late')), 'late')
  assert.deepEqual(
    bob.sessions.describe(alice.account.accountId).map(({ oneTime }) => oneTime),
    [false],
  )
  const status = await bob.pool.status()
  assert.equal(status.lastResortUses, 1)
  assert.equal(status.used, 0)
})

test('PK-06 a holder that gives one prekey to two is seen, keeps no slice any more, and both sessions work', async () => {
  await using swarm = await Swarm.create(7)
  await using bob = await ownerIn(swarm, 'bob')
  await using alice = await ownerIn(swarm, 'alice')
  await using carol = await ownerIn(swarm, 'carol')
  await bob.ready()
  const keepers = await bob.keepers()
  const [liar] = keepers
  assert.ok(liar)
  let kept: HolderResponse | undefined
  const repeat: Lie = async (_, request, honest) => {
    if (request.kind !== HOLDER_VERB.takePrekey || !Buffer.from(request.body.card).equals(bob.key)) return honest()
    kept ??= await honest()
    return kept
  }
  liar.lie = repeat
  for (const node of keepers.slice(1)) node.up = false
  const [first, second] = [await seal(alice, bob, 'from alice'), await seal(carol, bob, 'from carol')]
  for (const node of keepers.slice(1)) node.up = true
  assert.equal(await open(bob, first), 'from alice')
  await assert.rejects(open(bob, second), DecryptError)
  await bob.until(async () => (await facts(bob, 'prekeys:reused')).length > 0, 1_000)
  assert.deepEqual(await facts(bob, 'prekeys:reused'), [{ holder: liar.peerId }])
  await bob.until(async () => {
    const { slices } = await bob.pool.status()
    return slices.every(({ holder, placed }) => placed && holder !== liar.peerId)
  }, 1_000)
  // The sender hears nothing for a day, and begins again without a one-time prekey.
  assert.deepEqual(carol.sessions.hanging(), [])
  await swarm.clock.advance(DAY_MS + HOUR_MS)
  const [hanging] = carol.sessions.hanging()
  assert.equal(toHex(hanging?.deviceId ?? utf8('none')), toHex(bob.account.deviceId))
  const contact = { accountId: bob.account.accountId }
  await carol.journal.commit(() => {
    const ops = carol.sessions.restart(contact, deviceOf(bob), { lastResort: true })
    assert.ok(ops)
    return { ops, facts: [], result: undefined }
  })
  assert.deepEqual(carol.sessions.hanging(), [])
  assert.equal(await open(bob, await seal(carol, bob, 'from carol, again')), 'from carol, again')
  assert.equal(await open(bob, await seal(alice, bob, 'from alice, again')), 'from alice, again')
})

test('PK-06 who makes up spent prekeys has one holder a day changed at most', async () => {
  await using swarm = await Swarm.create(8)
  await using owner = await ownerIn(swarm)
  await owner.ready()
  const used = (await owner.store.prekeys.oneTime.list()).filter(({ place }) => place % 32 === 0)
  assert.equal(used.length, 5)
  const now = swarm.clock.now()
  const uses = used.map(
    ({ id, holder }) => ({ version: 1, id, kind: 1, holder, uses: 1, firstAt: now, lastAt: now }) as const,
  )
  await owner.store.batch(
    uses.flatMap((use) => owner.store.prekeys.uses.put(use)),
    { generation: owner.store.generation },
  )
  const before = (await owner.pool.status()).slices.map(({ holder }) => holder)
  for (const { id } of used) owner.pool.reused(id)
  owner.pool.reused(4_000_000)
  await owner.until(async () => (await facts(owner, 'prekeys:reused')).length === 5, 1_000)
  await owner.until(async () => (await owner.pool.status()).slices.some(({ holder }, i) => holder !== before[i]), 1_000)
  await owner.ready()
  const after = (await owner.pool.status()).slices.map(({ holder }) => holder)
  assert.equal(after.filter((holder, i) => holder !== before[i]).length, 1)
})

test('PK-06 a prekey that is not the device’s is not believed, and its holder is distrusted', async () => {
  await using swarm = await Swarm.create(6)
  await using bob = await ownerIn(swarm, 'bob')
  await bob.ready()
  const keepers = await bob.keepers()
  const liar = keepers[2] as HolderNode
  liar.lie = async (_, request, honest) => {
    const response = await honest()
    if (request.kind !== HOLDER_VERB.takePrekey || response.answer.kind !== 8) return response
    const { card, oneTime } = response.answer.body
    if (oneTime === undefined) return response
    const bent = { ...oneTime, prekey: { ...oneTime.prekey, id: oneTime.prekey.id + 1 } }
    return { ...response, answer: { kind: 8, body: { card, oneTime: bent } } }
  }
  for (let i = 0; i < 12; i++) assert.ok((await bob.take(`peer ${i}`)).oneTime)
  assert.deepEqual([...swarm.distrust.noted], [[liar.peerId, 'prekey']])
})

test('PK-02 a holder that restarts keeps its slice; one that is gone for two hours loses it, with fresh prekeys elsewhere', async () => {
  await using swarm = await Swarm.create(7)
  const seen = slicesSeen(swarm)
  await using owner = await ownerIn(swarm)
  await owner.ready()
  const [first, second] = await owner.keepers()
  assert.ok(first && second)
  await first.restart()
  second.down()
  const downAt = swarm.clock.now()
  await owner.until(
    async () => (await owner.pool.status()).slices.every(({ holder }) => holder !== second.peerId),
    STEP_MS,
  )
  assert.ok(swarm.clock.now() - downAt >= 2 * HOUR_MS)
  await owner.until(async () => (await owner.pool.status()).slices.every(({ placed }) => placed), 1_000)
  const status = await owner.pool.status()
  assert.equal(status.total, 100)
  assert.equal(status.slices.filter(({ holder }) => holder === first.peerId).length, 1)
  const keepers = new Map<number, Set<string>>()
  for (const { holder, slice } of seen) {
    for (const { prekey } of slice.body.prekeys)
      keepers.set(prekey.id, (keepers.get(prekey.id) ?? new Set()).add(holder))
  }
  assert.ok([...keepers.values()].every(({ size }) => size === 1))
  assert.equal(keepers.size, 120)
})

test('PK-01 a holder that takes no slice is passed over, and what was meant for it goes to nobody', async () => {
  await using swarm = await Swarm.create(7)
  const seen = slicesSeen(swarm)
  await using owner = await ownerIn(swarm)
  const unwilling = swarm.order(owner.key)[1] as HolderNode
  answering(unwilling, HOLDER_VERB.putSlice, HOLDER_STATUS.refused)
  const { slices, total } = await owner.ready()
  assert.equal(total, 100)
  assert.ok(slices.every(({ holder }) => holder !== unwilling.peerId))
  const offered = seen.filter(({ holder }) => holder === unwilling.peerId).flatMap(({ slice }) => slice.body.prekeys)
  const others = seen.filter(({ holder }) => holder !== unwilling.peerId).flatMap(({ slice }) => slice.body.prekeys)
  assert.ok(offered.length > 0)
  const ids = new Set(others.map(({ prekey }) => prekey.id))
  assert.ok(offered.every(({ prekey }) => !ids.has(prekey.id)))
})

test('PK-01 a holder that signs for a slice and says that it has none is not given another one that day', async () => {
  await using swarm = await Swarm.create(7)
  const seen = slicesSeen(swarm)
  await using owner = await ownerIn(swarm)
  const liar = swarm.order(owner.key)[1] as HolderNode
  answering(liar, HOLDER_VERB.askSlice, HOLDER_STATUS.notFound)
  await owner.ready()
  await owner.until(async () => (await owner.keepers()).every(({ peerId }) => peerId !== liar.peerId), 60_000)
  for (let looks = 0; looks < 4; looks++) {
    const until = swarm.clock.now() + 40 * 60_000
    await owner.until(() => swarm.clock.now() >= until, 60_000)
  }
  const offered = seen.filter(({ holder }) => holder === liar.peerId).flatMap(({ slice }) => slice.body.prekeys)
  assert.equal(new Set(offered.map(({ prekey }) => prekey.id)).size, 20)
})

test('PK-24 a home brought back from a copy gives no prekey out again: it makes a new pool', async () => {
  await using swarm = await Swarm.create(7)
  await using owner = await ownerIn(swarm)
  await owner.ready()
  const { prekeys, devices } = owner.store
  const [records, pool, device] = [await prekeys.oneTime.list(), await prekeys.pool(), await devices.own()]
  assert.ok(device)
  const given = new Set<number>()
  for (let i = 0; i < 80; i++) given.add((await owner.take(`peer ${i}`)).oneTime?.prekey.id ?? -1)
  await owner.until(async () => (await owner.pool.status()).total === 70, STEP_MS)
  await owner.ready()
  const newest = owner.cards.current().card.body.number
  await owner.pool.stop()
  await owner.cards.stop()
  const copy = [
    ...records.flatMap((each) => prekeys.oneTime.put(each)),
    ...prekeys.putPool(pool),
    ...devices.put(device),
  ]
  const since = (await prekeys.oneTime.list()).filter(({ id }) => !records.some((each) => each.id === id))
  copy.push(...since.flatMap(({ id }) => prekeys.oneTime.delete(id)))
  await owner.store.batch(copy, { generation: owner.store.generation })
  await owner.cards.start()
  assert.ok(owner.cards.current().card.body.number <= newest)
  owner.pool.start()
  await owner.until(async () => {
    const { slices } = await owner.pool.status()
    return owner.cards.current().card.body.number > newest && slices.every(({ placed }) => placed)
  }, STEP_MS)
  for (let i = 0; i < 30; i++) {
    const { card, oneTime } = await owner.take(`later ${i}`)
    assert.ok(card.body.number > newest)
    if (oneTime === undefined) continue
    assert.ok(!given.has(oneTime.prekey.id), 'given twice')
    const own = await prekeys.oneTime.get(oneTime.prekey.id)
    assert.deepEqual(own && crypto.x25519PublicKey(own.secret), oneTime.prekey.key, 'its private half is here')
  }
})

test('PK-07 PK-09 SE-06 prekeys that went out and were never used are wiped after 60 days', async () => {
  await using swarm = await Swarm.create(5)
  await using owner = await ownerIn(swarm)
  await owner.ready()
  const { oneTime } = owner.store.prekeys
  const now = swarm.clock.now()
  const [old, young] = await oneTime.list()
  assert.ok(old && young)
  const out = [
    { ...old, state: 3 as const, retiredAt: now - 60 * DAY_MS },
    { ...young, state: 3 as const, retiredAt: now - 59 * DAY_MS },
  ]
  await owner.store.batch(
    out.flatMap((each) => oneTime.put(each)),
    { generation: owner.store.generation },
  )
  await owner.until(async () => (await oneTime.get(old.id)) === undefined, STEP_MS)
  assert.ok(await oneTime.get(young.id))
})

test('PK-18 PK-23 a bundle is one question to one holder, and a session with a prefetched one asks nobody', async () => {
  await using swarm = await Swarm.create(6)
  await using bob = await ownerIn(swarm, 'bob')
  await using alice = await ownerIn(swarm, 'alice')
  await bob.ready()
  await alice.ready()
  let asked = 0
  for (const node of swarm.nodes) {
    node.lie = (_caller, request, honest) => {
      if (request.kind === HOLDER_VERB.takePrekey) asked++
      return honest()
    }
  }
  await alice.sessions.prepare({ accountId: bob.account.accountId }, deviceOf(bob))
  assert.equal(asked, 1)
  assert.equal(alice.sessions.prepare({ accountId: bob.account.accountId }, deviceOf(bob)), undefined)
  for (const node of swarm.nodes) node.down()
  const envelope = await seal(alice, bob, 'from the cache')
  assert.equal(asked, 1)
  assert.equal(await open(bob, envelope), 'from the cache')
  assert.equal((await bob.pool.status()).used, 1)
})

test('PK-22 a device that nobody knows is not found; where nobody answers, that is said', async () => {
  await using swarm = await Swarm.create(4)
  await using owner = await ownerIn(swarm)
  await assert.rejects(owner.take('early'), NotFoundError)
  await owner.ready()
  assert.ok((await owner.take('later')).oneTime)
  for (const node of swarm.nodes) node.down()
  await assert.rejects(owner.take('too late'), NetworkError)
})

test('PK-02 holders that do not answer cost a first message 1.5 s and no more', async () => {
  await using swarm = await Swarm.create(5)
  await using bob = await ownerIn(swarm, 'bob')
  await using alice = await ownerIn(swarm, 'alice')
  await bob.ready()
  for (const node of swarm.nodes) node.hangs = true
  // Taken when it happens: by the time that `until` looks, rounds of the disk's pace have moved the clock on.
  let doneAt: number | undefined
  const startedAt = swarm.clock.now()
  void alice.sessions.prepare({ accountId: bob.account.accountId }, deviceOf(bob))?.then(() => {
    doneAt = swarm.clock.now()
  })
  await alice.until(() => doneAt !== undefined)
  assert.equal((doneAt ?? Infinity) - startedAt, 1_500)
  for (const node of swarm.nodes) node.hangs = false
  assert.equal(await open(bob, await seal(alice, bob, 'without', true)), 'without')
  assert.equal((await bob.pool.status()).lastResortUses, 1)
})
