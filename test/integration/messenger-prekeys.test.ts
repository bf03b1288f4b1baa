import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HOLDER_STATUS, HOLDER_VERB } from '../../src/wire/holder.ts'
import type { HolderResponse } from '../../src/wire/holder.ts'
import { World } from '../support/messenger.ts'
import type { Person } from '../support/messenger.ts'
import { HOUR_MS } from '../../src/lib/time.ts'

/** Until the person's prekeys lie at five holders. */
async function placed(world: World, person: Person, slices = 5): Promise<void> {
  await world.must(
    async () => (await person.app.prekeys()).slices.filter((slice) => slice.placed).length === slices,
    'the slices are placed',
  )
}

const oneTimes = (from: Person, to: Person): boolean[] =>
  from.rooms.sessions.describe(to.id).map(({ oneTime }) => oneTime)

test('PK-01 PK-02 PK-23 who is added is written to with a one-time prekey, which is gone then', async () => {
  await using world = await World.strangers(['alice', 'bob'], { holders: 6 })
  const [alice, bob] = [world.named('alice'), world.named('bob')]
  await placed(world, bob)
  const before = await bob.app.prekeys()
  assert.deepEqual([before.total, before.target, before.used], [100, 100, 0])
  await world.befriend(alice, bob)
  assert.deepEqual(oneTimes(bob, alice), [true])
  await world.must(async () => (await bob.app.prekeys()).total === 99, 'one is gone', HOUR_MS)
  assert.equal((await bob.app.prekeys()).used, 1)
  assert.equal((await bob.app.prekeys()).lastResortUses, 0)
})

test('PK-01 fewer holders than slices: each keeps one, and sessions begin all the same', async () => {
  await using world = await World.strangers(['alice', 'bob'], { holders: 3 })
  const [alice, bob] = [world.named('alice'), world.named('bob')]
  await placed(world, bob, 3)
  assert.equal((await bob.app.prekeys()).total, 60)
  await world.befriend(alice, bob)
  assert.deepEqual(oneTimes(bob, alice), [true])
})

test('PK-02 E2-05 where no holder gives one, the card serves and the session says so', async () => {
  await using world = await World.strangers(['alice', 'bob'], { holders: 5 })
  const [alice, bob] = [world.named('alice'), world.named('bob')]
  await placed(world, bob)
  for (const holder of world.holders) {
    holder.lie = async (_, request, honest) => (request.kind === HOLDER_VERB.takePrekey ? refusal() : honest())
  }
  await world.befriend(alice, bob)
  assert.deepEqual(oneTimes(bob, alice), [false])
  assert.equal((await bob.app.prekeys()).lastResortUses, 1)
})

const refusal = (): HolderResponse => ({ status: HOLDER_STATUS.rate, answer: { kind: 0, body: {} }, closer: [] })

test('PK-06 a holder that repeats a prekey: the first session works, the second is begun again after a day', async () => {
  await using world = await World.strangers(['alice', 'bob', 'carol'], { holders: 6 })
  const [alice, bob, carol] = [world.named('alice'), world.named('bob'), world.named('carol')]
  await placed(world, bob)
  const liar = (await bob.app.prekeys()).slices[0]?.holder
  let kept: HolderResponse | undefined
  for (const holder of world.holders) {
    holder.lie = async (_, request, honest) => {
      if (request.kind !== HOLDER_VERB.takePrekey) return honest()
      if (holder.peerId !== liar) return refusal()
      kept ??= await honest()
      return kept
    }
  }
  await world.befriend(alice, bob)
  await carol.add(bob)
  await world.must(async () => (await bob.events('prekeys:reused')).length > 0, 'bob sees it', HOUR_MS)
  assert.equal(await bob.rooms.contacts.get(carol.id), undefined)
  for (const person of world.people) await person.stop()
  await world.clock.pass(25 * HOUR_MS)
  for (const person of world.people) {
    await person.start()
    person.online()
  }
  const known = async (): Promise<boolean> => (await bob.rooms.contacts.get(carol.id)) !== undefined
  await world.must(known, 'carol’s request comes again', HOUR_MS)
  await bob.accept(carol)
  await world.must(async () => (await carol.rooms.contacts.get(bob.id))?.state === 3, 'carol hears', HOUR_MS)
  await alice.send(bob, 'from alice')
  await carol.send(bob, 'from carol')
  await world.must(async () => (await bob.read(alice)).includes('from alice'), 'alice is read')
  await world.must(async () => (await bob.read(carol)).includes('from carol'), 'carol is read')
  const isOut = async (): Promise<boolean> =>
    (await bob.app.prekeys()).slices.every(({ holder, placed: there }) => there && holder !== liar)
  await world.must(isOut, 'the liar keeps no slice', HOUR_MS)
  assert.deepEqual((await bob.events('prekeys:reused'))[0]?.data, { holder: liar })
})
