/** Repair among real holders, each on a disk of its own, in virtual time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { equal } from '../../src/lib/bytes.ts'
import { HOUR_MS, MINUTE_MS } from '../../src/lib/time.ts'
import { cardVersion } from '../../src/protocol/mailbox-rules.ts'
import { rungPlacement } from '../../src/protocol/replicas.ts'
import { COPY_BYTES_PER_SECOND } from '../../src/services/repair/budget.ts'
import {
  ANSWER_KIND,
  HOLDER_VERB,
  POSSESSION,
  RECONCILE_IDS_MAX,
  RECONCILE_TOMBSTONES_MAX,
} from '../../src/wire/holder.ts'
import type { HolderResponse } from '../../src/wire/holder.ts'
import { RepairWorld } from '../support/repair-world.ts'
import type { Lie, Mailbox, MadeLetter, RepairHolder } from '../support/repair-world.ts'

/** One round of everybody, whatever their dice say. */
const PERIOD_MS = 1.3 * HOUR_MS

const copiesOf = (world: RepairWorld): number =>
  world.holders.reduce((sum, { duties }) => sum + duties.counters.copies, 0)

interface Scene {
  readonly world: RepairWorld
  readonly mailbox: Mailbox
  readonly letter: MadeLetter
  /** Everybody, nearest to the mailbox first; the letter lies on the first five. */
  readonly order: RepairHolder[]
}

async function scene(count: number, seed: number): Promise<Scene> {
  const world = await RepairWorld.create(count, seed)
  const mailbox = await world.mailbox()
  const letter = world.letter(mailbox)
  const order = world.order(mailbox.address)
  await world.deposit(mailbox, [letter], order.slice(0, 5))
  return { world, mailbox, letter, order }
}

const proofsOf = ({ answer }: HolderResponse) => (answer.kind === ANSWER_KIND.proofs ? answer.body.proofs : [])
const withProofs = (response: HolderResponse, proofs: ReturnType<typeof proofsOf>): HolderResponse => {
  return { ...response, answer: { kind: ANSWER_KIND.proofs, body: { proofs } } }
}

test('MB-17 kill 2 of 5, wait a repair period, kill the other 3 originals: the letter is fetched', async () => {
  const { world, mailbox, letter, order } = await scene(24, 1)
  await using _ = world
  await world.clock.pass(PERIOD_MS)
  assert.equal((await world.holdersOf(letter.id)).length, 5, 'nothing to repair, nothing copied')
  for (const holder of order.slice(0, 2)) await holder.crash()
  await world.clock.pass(PERIOD_MS)
  assert.ok((await world.holdersOf(letter.id)).length >= 5)
  for (const holder of order.slice(2, 5)) await holder.crash()
  const [first] = await world.holdersOf(letter.id)
  assert.ok(first !== undefined && !order.slice(0, 5).includes(first))
  const fetched = await world.fetch(first, mailbox, [letter.id])
  assert.deepEqual(fetched[0]?.letter, letter.letter)
  assert.ok(copiesOf(world) >= 2 && copiesOf(world) <= 6, `I8: ${copiesOf(world)} copies`)
})

test('MB-17 a holder that vanishes is made up for within 20 minutes; one that comes back in time costs nothing', async () => {
  const { world, letter, order } = await scene(22, 2)
  await using _ = world
  await world.clock.pass(PERIOD_MS)
  order[0]?.unplug()
  await world.clock.pass(10 * MINUTE_MS)
  order[0]?.plug()
  await world.clock.pass(5 * MINUTE_MS)
  assert.equal(copiesOf(world), 0)
  const rounds = world.holders.map(({ duties }) => duties.counters.rounds)
  for (const holder of order.slice(0, 2)) await holder.crash()
  await world.clock.pass(20.5 * MINUTE_MS)
  assert.ok((await world.holdersOf(letter.id)).length >= 5)
  assert.ok(
    order.slice(2, 5).every((holder) => holder.duties.counters.rounds > (rounds[world.holders.indexOf(holder)] ?? 0)),
  )
})

test('MB-17 the ages that copies go by are what was seen, not where a peer stands', async () => {
  const { world, letter, order } = await scene(12, 3)
  await using _ = world
  await world.clock.pass(2 * PERIOD_MS)
  const young = order.slice(5, 8)
  for (const holder of young) holder.unplug()
  await world.clock.pass(3 * HOUR_MS)
  for (const holder of young) holder.plug()
  for (const holder of order.slice(0, 2)) await holder.crash()
  await world.clock.pass(PERIOD_MS)
  const holders = await world.holdersOf(letter.id)
  assert.ok(holders.length >= 5)
  assert.ok(!holders.some((holder) => young.includes(holder)), 'nearer, but away until lately')
})

test('MB-16 I2 a letter that was deleted while two holders were away dies on them when they are back', async () => {
  const { world, letter, order } = await scene(21, 4)
  await using _ = world
  const [first, second, ...present] = order.slice(0, 5)
  first?.unplug()
  await second?.crash()
  await world.bury([letter], present)
  await world.clock.pass(5 * MINUTE_MS)
  first?.plug()
  await second?.start()
  await world.clock.pass(PERIOD_MS)
  assert.deepEqual(await world.holdersOf(letter.id), [])
  for (const holder of order.slice(0, 5)) assert.equal(await holder.held.stateOf(letter.id), 'gone')
})

test('I2 I3 within three intervals all holders of a zone agree on what is dead, and know the policy', async () => {
  const { world, mailbox, order } = await scene(14, 5)
  await using _ = world
  const letters = Array.from({ length: 20 }, () => world.letter(mailbox))
  await world.deposit(mailbox, letters, order.slice(0, 5))
  const [left, right] = [order.filter((_, i) => i % 2 === 0), order.filter((_, i) => i % 2 === 1)]
  for (const holder of left) for (const other of right) holder.cut.add(other.peerId)
  await world.bury(letters.slice(0, 7), left.slice(0, 3))
  await world.bury(letters.slice(5, 12), right.slice(0, 2))
  await world.clock.pass(PERIOD_MS)
  for (const holder of left) holder.cut.clear()
  await world.clock.pass(3 * HOUR_MS)
  for (const holder of order) {
    for (const { id } of letters.slice(0, 12)) assert.equal(await holder.held.stateOf(id), 'gone')
    for (const { id } of letters.slice(12)) assert.notEqual(await holder.held.stateOf(id), 'gone')
    const policy = await holder.held.cards.version(mailbox.address)
    assert.ok(policy !== undefined && equal(policy.hash, cardVersion(world.crypto, mailbox.policy).hash))
  }
})

test('I3 more tombstones than one question or answer holds come together, both ways', async () => {
  const { world, mailbox, order } = await scene(3, 6)
  await using _ = world
  const [a, b] = order
  assert.ok(a !== undefined && b !== undefined)
  for (const [holder, count] of [
    [a, RECONCILE_IDS_MAX + 20],
    [b, RECONCILE_TOMBSTONES_MAX + 20],
  ] as const) {
    for (let done = 0; done < count; done += 400) {
      const letters = Array.from({ length: Math.min(400, count - done) }, () => world.letter(mailbox))
      await world.deposit(mailbox, letters, [holder])
      await world.bury(letters, [holder])
    }
  }
  await a.repair()
  for (const holder of [a, b]) {
    let count = 0
    for await (const id of holder.held.graves.ids(mailbox.address, { after: 0 })) count += id.length / 32
    assert.equal(count, RECONCILE_IDS_MAX + RECONCILE_TOMBSTONES_MAX + 40)
  }
})

test('MB-20 who claims without holding is found by the audit, left out for a week, and made up for', async () => {
  const { world, letter, order } = await scene(21, 7)
  await using _ = world
  const liars = order.slice(1, 4)
  const claim: Lie = async (request, honest) => {
    const response = await honest()
    if (request.kind !== HOLDER_VERB.prove) return response
    const hash = world.rng.bytes(32)
    return withProofs(
      response,
      proofsOf(response).map(() => ({ kind: POSSESSION.held, body: { hash } })),
    )
  }
  for (const liar of liars) {
    await liar.held.evict(letter.letter.address, letter.id)
    liar.lie = claim
  }
  await world.clock.pass(PERIOD_MS)
  const [first] = order
  assert.ok(first !== undefined)
  for (const { peerId } of liars) {
    assert.ok(first.distrust.has(peerId))
    assert.equal(first.distrust.list().find((each) => each.peerId === peerId)?.kind, 'possession')
  }
  const honest = (await world.holdersOf(letter.id)).filter((holder) => !liars.includes(holder))
  assert.ok(honest.length >= 5)
  assert.ok(
    !honest.some(({ distrust }) => honest.some(({ peerId }) => distrust.has(peerId))),
    'nobody honest is accused',
  )
})

test('MB-20 I8 who signs for a copy and does not keep it is not given it again', async () => {
  const { world, letter, order } = await scene(21, 9)
  await using _ = world
  const silent = order.slice(5, 11)
  for (const liar of silent) {
    liar.lie = async (request, honest) => {
      const response = await honest()
      if (request.kind === HOLDER_VERB.copy) await liar.held.evict(letter.letter.address, letter.id)
      return response
    }
  }
  for (const holder of order.slice(2, 5)) await holder.crash()
  await world.clock.pass(30 * PERIOD_MS)
  const honest = (await world.holdersOf(letter.id)).filter((holder) => !silent.includes(holder))
  assert.ok(honest.length >= 4, `${honest.length} have it`)
  // Each of the two survivors, and of those that they chose, finds out about each liar by itself.
  assert.ok(copiesOf(world) <= 5 * silent.length + 10, `${copiesOf(world)} copies were made`)
})

test('MB-20 a proof that another holder made does not pass', async () => {
  const { world, letter, order } = await scene(21, 8)
  await using _ = world
  const [honest, relay] = [order[0], order[1]]
  assert.ok(honest !== undefined && relay !== undefined)
  await relay.held.evict(letter.letter.address, letter.id)
  relay.lie = async (request, own, from) => {
    if (request.kind !== HOLDER_VERB.prove) return own()
    return world.link(order[2] as RepairHolder, from).request(request, new AbortController().signal)
  }
  await honest.repair()
  assert.ok(honest.distrust.has(relay.peerId))
})

test('MB-20 I7 tombstones that open nothing are junk: no letter dies of them, and who sent them is caught', async () => {
  const { world, mailbox, letter, order } = await scene(21, 9)
  await using _ = world
  const other = world.letter(mailbox)
  const junk = { ...letter.tombstone, preimage: world.rng.bytes(16) }
  const [first, liar, thief] = order
  assert.ok(first !== undefined && liar !== undefined && thief !== undefined)
  liar.lie = async (request, honest) => {
    const response = await honest()
    if (request.kind !== HOLDER_VERB.prove) return response
    return withProofs(
      response,
      proofsOf(response).map(() => ({ kind: POSSESSION.dead, body: junk })),
    )
  }
  // A genuine tombstone, but of another letter.
  thief.lie = async (request, honest) => {
    const response = await honest()
    if (request.kind !== HOLDER_VERB.prove) return response
    return withProofs(
      response,
      proofsOf(response).map(() => ({ kind: POSSESSION.dead, body: other.tombstone })),
    )
  }
  await first.repair()
  assert.ok(await first.has(letter.id))
  for (const { peerId } of [liar, thief]) assert.ok(first.distrust.has(peerId))
})

test('MB-20 who answers nonsense, or not at all, costs a round little', async () => {
  const { world, letter, order } = await scene(21, 10)
  await using _ = world
  const [first, ...others] = order
  assert.ok(first !== undefined)
  for (const holder of others.slice(4, 12)) holder.lie = async () => new Promise<never>(() => {})
  for (const holder of others.slice(12)) {
    holder.lie = async (request, honest) => {
      const response = await honest()
      if (request.kind === HOLDER_VERB.sync)
        return { ...response, answer: { kind: ANSWER_KIND.differing, body: { places: [0, 0, 511] } } }
      if (request.kind === HOLDER_VERB.prove) return withProofs(response, [])
      return response
    }
  }
  await world.clock.pass(PERIOD_MS)
  const before = world.requests.length
  const began = world.clock.now()
  await first.repair()
  assert.ok(world.clock.now() - began < MINUTE_MS)
  assert.ok(world.requests.length - before < 120)
  assert.equal((await world.holdersOf(letter.id)).length, 5)
})

test('MB-17 one who leaves hands over what fewer than four others have, and is no longer counted', async () => {
  const { world, mailbox, order } = await scene(21, 11)
  await using _ = world
  const [first, second] = order
  assert.ok(first !== undefined && second !== undefined)
  const [lonely, shared] = [world.letter(mailbox), world.letter(mailbox)]
  await world.deposit(mailbox, [lonely], [first])
  await world.deposit(mailbox, [shared], order.slice(0, 5))
  await world.clock.pass(10_000)
  const copies = copiesOf(world)
  const began = world.clock.now()
  await first.leave()
  assert.ok(world.clock.now() - began <= 30_000)
  assert.ok((await world.holdersOf(lonely.id)).length >= 5)
  assert.equal((await world.holdersOf(shared.id)).length, 4)
  assert.ok(first.duties.counters.copies - copies <= 6)
  const asked = world.requests.length
  await second.repair()
  assert.ok(!world.requests.slice(asked).some(({ to }) => to === first.peerId))
})

test('MB-17 leaving among peers that do not answer ends within its half minute', async () => {
  const { world, order } = await scene(21, 12)
  await using _ = world
  for (const holder of order.slice(1)) holder.lie = async () => new Promise<never>(() => {})
  const began = world.clock.now()
  await order[0]?.leave()
  assert.ok(world.clock.now() - began <= 31_000)
})

test('MB-17 who left and is back is one of the zone again', async () => {
  const { world, mailbox, order } = await scene(6, 20)
  await using _ = world
  const [first, second] = order
  assert.ok(first !== undefined && second !== undefined)
  await world.clock.pass(10 * MINUTE_MS)
  await first.leave()
  await first.start()
  const letter = world.letter(mailbox)
  await world.deposit(mailbox, [letter], [second])
  await second.repair()
  assert.equal((await world.holdersOf(letter.id)).length, 5)
  const asked = world.requests.filter(({ from, to }) => from === second.peerId && to === first.peerId)
  assert.ok(asked.length > 0)
})

test('MB-17 a letter of the fallback ladder is kept in the zone of its rung', async () => {
  await using world = await RepairWorld.create(44, 21)
  const mailbox = await world.mailbox()
  const letter = world.letter(mailbox)
  const target = rungPlacement(world.crypto, mailbox.address, 2)
  const order = world.near(target, () => true).map(({ id }) => world.holder(id))
  await world.deposit(mailbox, [letter], order.slice(0, 2), 2)
  await order[0]?.repair()
  const holders = await world.holdersOf(letter.id)
  assert.equal(holders.length, 5)
  assert.ok(holders.every((holder) => order.indexOf(holder) < 20))
  assert.equal((await holders[4]?.held.deposit(letter.id, world.clock.now()))?.rung, 2)
})

test('MB-17 who is not open to others yet brings copies to its zone, and does not count itself', async () => {
  const { world, mailbox, order } = await scene(8, 22)
  await using _ = world
  const [first] = order
  assert.ok(first !== undefined)
  const letter = world.letter(mailbox)
  await world.deposit(mailbox, [letter], [first])
  first.duties.opened(false)
  await first.repair()
  assert.equal((await world.holdersOf(letter.id)).length, 1 + 5)
})

test('cards are kept at four or more, and MB-43 I7 never go back to a lower number', async () => {
  await using world = await RepairWorld.create(21, 13)
  const mailbox = await world.mailbox()
  const order = world.order(mailbox.address)
  const newer = await world.policy(mailbox.key, mailbox.epoch, mailbox.laneSeed, 2)
  await world.deposit(mailbox, [], order.slice(0, 5))
  await world.deposit({ ...mailbox, policy: newer }, [], order.slice(0, 2))
  const numberOf = async (holder: RepairHolder): Promise<number> =>
    (await holder.held.cards.version(mailbox.address))?.number ?? 0
  await world.clock.pass(PERIOD_MS)
  const after = await Promise.all(order.map(numberOf))
  assert.deepEqual(after.slice(0, 5), [2, 2, 2, 2, 2])
  for (const holder of order.slice(0, 3)) await holder.crash()
  await world.clock.pass(PERIOD_MS)
  const late = await Promise.all(order.slice(3).map(numberOf))
  assert.ok(late.filter((number) => number === 2).length >= 4)
  assert.ok(late.every((number) => number !== 1))
  // A holder that comes back with the old one learns the new one, and brings the old one to nobody.
  await order[4]?.ask({ kind: HOLDER_VERB.putCard, body: mailbox.policy })
  assert.equal(await numberOf(order[4] as RepairHolder), 2)
})

test('copies keep to a mebibyte a second, and the letters that live longest go first', async () => {
  const world = await RepairWorld.create(6, 14)
  await using _ = world
  const mailbox = await world.mailbox()
  const [first, ...others] = world.order(mailbox.address)
  assert.ok(first !== undefined)
  const days = (count: number): number => count * 24 * HOUR_MS
  const long = Array.from({ length: 8 }, () => world.letter(mailbox, { sizeClass: 4, lifeMs: days(20) }))
  const short = Array.from({ length: 8 }, () => world.letter(mailbox, { sizeClass: 4, lifeMs: days(2) }))
  await world.deposit(mailbox, [...short, ...long], [first])
  await world.clock.pass(0)
  const began = world.clock.now()
  const [from, order]: [number, number[]] = [world.requests.length, []]
  await first.repair()
  for (const { verb, bytes } of world.requests.slice(from)) if (verb === HOLDER_VERB.copy) order.push(bytes)
  assert.equal(order.length, 16 * 4)
  const seconds = (world.clock.now() - began) / 1_000
  const bytes = order.reduce((sum, each) => sum + each, 0)
  assert.ok(bytes / (seconds + 1) <= COPY_BYTES_PER_SECOND, `${bytes} bytes in ${seconds} s`)
  assert.ok(seconds > 2)
  for (const { id } of [...long, ...short]) assert.equal((await world.holdersOf(id)).length, 5)
  assert.ok(others.every(({ up }) => up))
})

test('a holder that knows no policy is brought it along with the copy', async () => {
  const { world, letter, mailbox, order } = await scene(8, 15)
  await using _ = world
  for (const holder of order.slice(1, 4)) await holder.crash()
  const [first] = order
  await first?.repair()
  const holders = await world.holdersOf(letter.id)
  assert.equal(holders.length, 5)
  for (const holder of holders) assert.ok((await holder.held.cards.version(mailbox.address)) !== undefined)
})

test('I8 days and nights cost few copies: those who are always there get them', async () => {
  const { world, mailbox, letter, order } = await scene(15, 16)
  await using _ = world
  const others = Array.from({ length: 9 }, () => world.letter(mailbox))
  await world.deposit(mailbox, others, order.slice(0, 5))
  // A third is always on; the others sleep by turns, for a day.
  for (let hour = 0; hour < 24; hour += 8) {
    const asleep = order.filter((_, i) => i % 3 !== 0 && i % 2 === (hour / 8) % 2)
    for (const holder of asleep) holder.unplug()
    await world.clock.pass(8 * HOUR_MS)
    for (const holder of asleep) holder.plug()
  }
  const perRecord = copiesOf(world) / 10
  // Nobody is old yet on the first day: it costs the most.
  assert.ok(perRecord <= 4, `${perRecord} copies a record`)
  assert.ok((await world.holdersOf(letter.id)).length >= 4)
})

test('a round of 20 holders and 100 mailboxes costs each pair two requests', async () => {
  await using world = await RepairWorld.create(20, 17)
  for (let i = 0; i < 100; i++) {
    const mailbox = await world.mailbox()
    const [letter, dead] = [world.letter(mailbox), world.letter(mailbox)]
    await world.deposit(mailbox, [letter], world.order(mailbox.address).slice(0, 5))
    // As after an hour or two of repair: everybody knows the policy and what is dead.
    await world.clock.during(
      Promise.all(
        world.holders.map(async ({ held }) => {
          await held.cards.put(mailbox.policy, world.clock.now())
          await held.adoptTombstone(dead.id, dead.tombstone)
        }),
      ),
    )
  }
  const most = async (): Promise<number> => {
    const from = world.requests.length
    for (const holder of world.holders.slice(0, 3)) await holder.repair()
    const pairs = new Map<string, number>()
    for (const { from: asker, to } of world.requests.slice(from))
      pairs.set(asker + to, (pairs.get(asker + to) ?? 0) + 1)
    return Math.max(...pairs.values())
  }
  assert.equal(await most(), 2, 'a SYNC and a PROVE')
  const from = world.requests.length
  assert.equal(await most(), 2)
  const syncs = world.requests.slice(from).filter(({ verb }) => verb === HOLDER_VERB.sync)
  assert.equal(syncs.length, 2 * 3, 'two partners each, where nothing changed')
  assert.equal(copiesOf(world), 0)
})

test('a disk that fails puts repair off, and nothing else', async () => {
  const { world, letter, order } = await scene(9, 18)
  await using _ = world
  for (const holder of order.slice(1, 4)) await holder.crash()
  const [first] = order
  assert.ok(first !== undefined)
  for (const holder of order.slice(5)) holder.disk.full = true
  await first.repair()
  assert.equal((await world.holdersOf(letter.id)).length, 2)
  for (const holder of order.slice(5)) holder.disk.full = false
  await world.clock.pass(PERIOD_MS)
  assert.ok((await world.holdersOf(letter.id)).length >= 5)
})

test('a copy from outside its zone that four others have may go when the disk is full, and not before', async () => {
  const world = await RepairWorld.create(26, 19)
  await using _ = world
  const mailbox = await world.mailbox()
  const [shared, alone] = [world.letter(mailbox), world.letter(mailbox)]
  const order = world.order(mailbox.address)
  const outside = order.at(-1)
  assert.ok(outside !== undefined)
  await world.deposit(mailbox, [shared], [...order.slice(0, 4), outside])
  await world.deposit(mailbox, [alone], [outside])
  for (const holder of order.slice(0, 20))
    holder.lie = async (request, honest) => {
      const response = await honest()
      return request.kind === HOLDER_VERB.copy ? { ...response, status: 2, answer: { kind: 0, body: {} } } : response
    }
  await outside.repair()
  assert.ok(await outside.held.evictSpare())
  assert.ok(!(await outside.has(shared.id)))
  assert.ok(await outside.has(alone.id))
  assert.equal(await outside.held.evictSpare(), false)
})
