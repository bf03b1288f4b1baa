/** The sender is the sixth replica: it looks whether its letters are still there, puts them again, and knows who lied. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromHex, toHex } from '../../src/lib/bytes.ts'
import { ConflictError } from '../../src/lib/errors.ts'
import { HOUR_MS } from '../../src/lib/time.ts'
import { MESSAGE_LIFE_MS, PUT_BACKOFF, RECHECK_MS } from '../../src/services/outbox/limits.ts'
import { HOLDER_STATUS, HOLDER_VERB, POSSESSION } from '../../src/wire/holder.ts'
import type { HolderRequest, HolderResponse } from '../../src/wire/holder.ts'
import { World } from '../support/messenger.ts'
import type { Holder, Person, WorldOptions } from '../support/messenger.ts'

const pair = async (options: WorldOptions = {}) => {
  const world = await World.of(['alice', 'bob'], options)
  return { world, alice: world.named('alice'), bob: world.named('bob') }
}

/** Bob is away: what is sent is put. */
async function sendStored(world: World, alice: Person, bob: Person, text: string): Promise<string> {
  bob.offline()
  const id = await alice.send(bob, text)
  await world.must(async () => (await alice.status(id)) === 'stored', 'stored')
  await world.clock.pass(1_000)
  return id
}

const stepsOf = async (alice: Person, id: string): Promise<string[]> => {
  const [device] = (await alice.app.why(id)).devices
  return device?.steps.map(({ event, detail }) => `${event} ${detail}`.trim()) ?? []
}

const itemOf = async (alice: Person, bob: Person, id: string) => {
  const [item] = await alice.rooms.outbox.itemsOf(fromHex(id) ?? new Uint8Array(), bob.known)
  assert.ok(item)
  return item
}

/** Counts what holders are asked from here on. */
function counted(world: World): Map<number, number> {
  const counts = new Map<number, number>()
  for (const holder of world.holders) {
    holder.lie = async (_caller, request, honest) => {
      counts.set(request.kind, (counts.get(request.kind) ?? 0) + 1)
      return honest()
    }
  }
  return counts
}

const holdersOf = async (world: World, id: Uint8Array): Promise<Holder[]> => {
  const states = await Promise.all(world.holders.map(async ({ held }) => held.stateOf(id)))
  return world.holders.filter((_, i) => states[i] === 'known')
}

const refusal = (status: HolderResponse['status']): HolderResponse => ({
  status,
  answer: { kind: 0, body: {} },
  closer: [],
})

test('MB-09 I1 any four of the five holders may go for good, in all five combinations, with the sender gone too', async () => {
  const { world, alice, bob } = await pair({ holders: 5 })
  await using _ = world
  for (const survivor of world.holders) {
    const text = survivor.peerId.slice(0, 12)
    await sendStored(world, alice, bob, text)
    alice.offline()
    for (const holder of world.holders) if (holder !== survivor) holder.down()
    bob.online()
    await world.must(async () => (await bob.read(alice)).includes(text), 'read')
    for (const holder of world.holders) if (!holder.up) holder.back()
    alice.online()
    await world.clock.pass(5_000)
  }
  assert.equal((await bob.read(alice)).length, 5)
})

test('MB-14 MB-15 entries that two holders lost are found on the others, and each is shown once', async () => {
  const { world, alice, bob } = await pair({ holders: 5 })
  await using _ = world
  for (let i = 0; i < 6; i++) await sendStored(world, alice, bob, `m${i}`)
  const letters = [...world.letters.values()]
  for (const [at, holder] of world.holders.slice(0, 2).entries()) {
    for (const letter of letters.filter((_letter, i) => i % 2 === at)) {
      const [id] = [...world.letters].find(([, each]) => each === letter) ?? []
      await holder.held.evict(letter.address, fromHex(id ?? '') ?? new Uint8Array())
    }
  }
  alice.offline()
  bob.online()
  await world.must(async () => (await bob.read(alice)).length === 6, 'all are read')
  await world.clock.pass(60_000)
  assert.equal((await bob.events('message:received')).length, 6)
})

test('MB-19 all letters of a device are looked for together, and nothing is put again that is there', async () => {
  const { world, alice, bob } = await pair({ holders: 6 })
  await using _ = world
  bob.offline()
  const ids: string[] = []
  for (let i = 0; i < 40; i++) ids.push(await alice.send(bob, `n${i}`))
  await world.must(async () => (await alice.status(ids.at(-1) ?? '')) === 'stored', 'stored')
  await world.clock.pass(10_000)
  const counts = counted(world)
  await world.clock.pass(RECHECK_MS[0] + 60_000)
  assert.equal(counts.get(HOLDER_VERB.prove), 6, 'one question to each holder of the zone')
  assert.equal(counts.get(HOLDER_VERB.put), undefined)
  for (const id of ids) assert.ok((await stepsOf(alice, id)).includes('checked 5 hold it'))
  const why = await alice.app.why(ids[0] ?? '')
  assert.match(why.summary, /^5 of 5 holders showed at .* that they have it/)
  assert.equal(why.devices[0]?.proved?.holders, 5)
  const next = Date.parse(why.devices[0]?.nextAttemptAt ?? '') - world.clock.now()
  assert.ok(Math.abs(next - RECHECK_MS[1]) < 120_000, 'the next look is after six hours')
  // The time between passes as in a machine's sleep: what is due happens once.
  await world.clock.sleep(RECHECK_MS[1])
  await world.clock.pass(60_000)
  assert.equal(counts.get(HOLDER_VERB.prove), 12)
  await world.clock.sleep(RECHECK_MS[2])
  await world.clock.pass(60_000)
  assert.equal(counts.get(HOLDER_VERB.prove), 18, 'then daily')
})

test('MB-19 MB-48 with all five holders killed for good it is put on others within one cycle, and delivered', async () => {
  const { world, alice, bob } = await pair({ holders: 10 })
  await using _ = world
  const id = await sendStored(world, alice, bob, 'still there')
  const { letterId } = await itemOf(alice, bob, id)
  assert.ok(letterId)
  const five = await holdersOf(world, letterId)
  assert.equal(five.length, 5)
  for (const holder of five) holder.down()
  await world.clock.pass(RECHECK_MS[0] + 60_000)
  // Its five holders were those of the policy, too: the others take the letter for its stamp.
  const item = await itemOf(alice, bob, id)
  const after = (await holdersOf(world, item.letterId ?? letterId)).filter((holder) => !five.includes(holder))
  assert.equal(after.length, 5)
  const steps = await stepsOf(alice, id)
  assert.deepEqual(steps.slice(4, 6), ['checked 0 hold it', 're-put'])
  assert.equal(steps.at(-1), 'stored 5 receipts')
  assert.equal((await alice.app.message(id)).stored, 5)
  bob.online()
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
})

test('MB-19 what is stored is told as it was last proved, also where that is less', async () => {
  const { world, alice, bob } = await pair({ holders: 5 })
  await using _ = world
  const id = await sendStored(world, alice, bob, 'fewer')
  for (const holder of world.holders.slice(0, 2)) await holder.forget()
  await world.clock.pass(RECHECK_MS[0] + 60_000)
  const message = await alice.app.message(id)
  assert.deepEqual([message.status, message.stored, message.storedOf], ['stored', 3, 5])
  assert.ok((await stepsOf(alice, id)).includes('checked 3 hold it'), 'three are enough: nothing is put again')
})

test('MB-20 three of five drop what they signed for: it is put on others, delivered, and the liars are left out', async () => {
  const { world, alice, bob } = await pair({ holders: 9 })
  await using _ = world
  const probe = await sendStored(world, alice, bob, 'who is near')
  const near = await holdersOf(world, (await itemOf(alice, bob, probe)).letterId ?? new Uint8Array())
  const liars = near.slice(0, 3)
  for (const liar of liars) {
    liar.lie = async (_caller, request, honest) => {
      const answer = await honest()
      if (request.kind === HOLDER_VERB.put) await liar.forget()
      return request.kind === HOLDER_VERB.prove ? claimed(world, request) : answer
    }
  }
  const id = await sendStored(world, alice, bob, 'dropped')
  await world.clock.pass(RECHECK_MS[0] + 60_000)
  for (const liar of liars) assert.ok(alice.distrust.has(liar.peerId), 'caught')
  assert.equal(alice.distrust.list().length, 3, 'and nobody else')
  const { letterId } = await itemOf(alice, bob, id)
  const honest = (await holdersOf(world, letterId ?? new Uint8Array())).filter((holder) => !liars.includes(holder))
  assert.ok(honest.length >= 5, `${honest.length} honest holders`)
  const asked: Holder[] = []
  for (const liar of liars) {
    liar.lie = async (_caller, request, truly) => {
      if (request.kind === HOLDER_VERB.put) asked.push(liar)
      return truly()
    }
  }
  await sendStored(world, alice, bob, 'not to them')
  assert.equal(asked.length, 0)
  bob.online()
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
})

/** "I have them all." */
function claimed(world: World, request: HolderRequest): HolderResponse {
  const ids = request.kind === HOLDER_VERB.prove ? request.body.ids : []
  const proofs = ids.map(() => ({ kind: POSSESSION.held, body: { hash: world.rng.bytes(32) } }) as const)
  return { status: HOLDER_STATUS.ok, answer: { kind: 5, body: { proofs } }, closer: [] }
}

test('I1b a zone that takes letters and drops them is left for the next rung after its second failed look', async () => {
  const { world, alice, bob } = await pair({ holders: 6 })
  await using _ = world
  for (const holder of world.holders) {
    holder.lie = async (_caller, request, honest) => {
      const answer = await honest()
      if (request.kind === HOLDER_VERB.put && request.body.rung === 0) await holder.forget()
      return answer
    }
  }
  const id = await sendStored(world, alice, bob, 'captured')
  await world.clock.pass(RECHECK_MS[0] + 60_000)
  assert.equal((await itemOf(alice, bob, id)).ladder.rung, 0, 'once may be an accident')
  await world.clock.pass(RECHECK_MS[0] + 60_000)
  const item = await itemOf(alice, bob, id)
  assert.equal(item.ladder.rung, 1)
  assert.equal(item.rungs, 0b011, 'both are known, should it be taken back')
  assert.ok((await stepsOf(alice, id)).includes('re-put rung 1'))
  assert.equal((await holdersOf(world, item.letterId ?? new Uint8Array())).length, 5)
  await world.clock.pass(RECHECK_MS[0] + 60_000)
  assert.ok((await stepsOf(alice, id)).at(-1)?.startsWith('checked 5'))
})

test('I1b where a zone takes too little three times over an hour, another rung is tried; and none while we are offline', async () => {
  const { world, alice, bob } = await pair({ holders: 6 })
  await using _ = world
  alice.offline()
  bob.offline()
  const id = await alice.send(bob, 'nobody takes it')
  await world.clock.pass(2 * HOUR_MS)
  assert.equal((await itemOf(alice, bob, id)).ladder.rung, 0, 'our own network is gone, not the zone')
  const tried = new Set<number>()
  for (const holder of world.holders) {
    holder.lie = async (_caller, request, honest) => {
      if (request.kind !== HOLDER_VERB.put) return honest()
      tried.add(request.body.rung)
      return request.body.rung === 0 ? refusal(HOLDER_STATUS.full) : honest()
    }
  }
  alice.online()
  await world.must(async () => (await alice.status(id)) === 'stored', 'stored', HOUR_MS + 2 * PUT_BACKOFF.maxMs)
  assert.equal((await itemOf(alice, bob, id)).ladder.rung, 1)
  assert.deepEqual([...tried], [0, 1])
})

test('PR-06 a letter that was deleted although no receipt came is asked about with another one, which is answered', async () => {
  const { world, alice, bob } = await pair({ holders: 5 })
  await using _ = world
  const id = await sendStored(world, alice, bob, 'receipt lost')
  const first = (await itemOf(alice, bob, id)).letterId ?? new Uint8Array()
  // His receipts go nowhere: he reads, deletes, and Alice never hears of it.
  alice.offline()
  bob.online()
  await world.must(async () => (await bob.read(alice)).length === 1, 'read')
  await world.clock.pass(60_000)
  for (const holder of world.holders) await holder.forget()
  bob.offline()
  alice.online()
  await world.clock.pass(RECHECK_MS[0] + 60_000)
  assert.ok((await stepsOf(alice, id)).includes('deleted'))
  const item = await itemOf(alice, bob, id)
  assert.equal(item.former.length, 1, 'the first letter is remembered')
  bob.online()
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered', RECHECK_MS[1] + HOUR_MS)
  assert.deepEqual(await bob.read(alice), ['receipt lost'])
  assert.equal(toHex(first).length, 64)
})

test('I1b what expires is said once, with its message and its reason; a part of it is no silence either', async () => {
  const { world, alice, bob } = await pair({ holders: 5 })
  await using _ = world
  const ids = [await sendStored(world, alice, bob, 'short'), await sendStored(world, alice, bob, 'p'.repeat(90_000))]
  // Bob is away for good, and his holders forget what expires.
  await world.clock.sleep(MESSAGE_LIFE_MS - 2 * HOUR_MS)
  for (const id of ids) assert.equal(await alice.status(id), 'stored', 'until then it is not given up')
  await world.clock.sleep(2 * HOUR_MS)
  await world.must(async () => (await alice.events('message:expired')).length === 2, 'both are reported')
  await world.clock.sleep(24 * HOUR_MS)
  const said = (await alice.events('message:expired')).map(({ data }) => data['id'])
  assert.deepEqual([said.length, new Set(said)], [2, new Set(ids)])
  for (const id of ids) {
    assert.equal(await alice.status(id), 'expired')
    const why = await alice.app.why(id)
    assert.match(why.summary, /within 30 days/)
    assert.ok(
      why.devices.every(({ steps, nextAttemptAt }) => steps.at(-1)?.event === 'expired' && nextAttemptAt === null),
    )
    await assert.rejects(alice.app.takeBack(id), ConflictError)
  }
  assert.equal(alice.rooms.outbox.queue.waiting, 0)
})

test('TE-08 a stranger whose box is full of dearer letters pays more, twice and no more', async () => {
  const world = await World.strangers(['alice', 'bob'], { holders: 5 })
  await using _ = world
  const [alice, bob] = [world.named('alice'), world.named('bob')]
  const bits: number[] = []
  let enough = 99
  for (const holder of world.holders) {
    holder.lie = async (_caller, request, honest) => {
      if (request.kind !== HOLDER_VERB.put) return honest()
      bits.push(request.body.letter.stamp.bits)
      return request.body.letter.stamp.bits < enough ? refusal(HOLDER_STATUS.full) : honest()
    }
  }
  bob.deaf = true
  await alice.add(bob)
  await world.clock.pass(5 * 60_000)
  const paid = [...new Set(bits)].sort((a, b) => a - b)
  assert.equal(paid.length, 3)
  assert.deepEqual(
    paid.map((each) => each - (paid[0] ?? 0)),
    [0, 2, 4],
  )
  enough = 0
  bob.deaf = false
  bob.online()
  await world.must(async () => (await bob.rooms.contacts.get(alice.id)) !== undefined, 'the request arrives')
})
