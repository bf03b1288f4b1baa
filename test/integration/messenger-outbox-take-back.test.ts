/** MB-47: what was sent and not read yet can be taken back by its sender, who knows the preimage too. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromHex, toHex } from '../../src/lib/bytes.ts'
import { ConflictError, NotFoundError } from '../../src/lib/errors.ts'
import { letterLifeMs } from '../../src/protocol/mailbox-rules.ts'
import { LOCAL } from '../../src/lib/network-profile.ts'
import { HOLDER_STATUS, HOLDER_VERB } from '../../src/wire/holder.ts'
import { World } from '../support/messenger.ts'
import type { Person, WorldOptions } from '../support/messenger.ts'

const pair = async (options: WorldOptions = {}) => {
  const world = await World.of(['alice', 'bob'], { holders: 6, ...options })
  return { world, alice: world.named('alice'), bob: world.named('bob') }
}

async function sendStored(world: World, alice: Person, bob: Person, text: string): Promise<string> {
  bob.offline()
  const id = await alice.send(bob, text)
  await world.must(async () => (await alice.status(id)) === 'stored', 'stored')
  await world.clock.pass(1_000)
  return id
}

/** Nobody holds any of the letters that were ever put. */
async function allGone(world: World): Promise<boolean> {
  for (const id of world.letters.keys()) {
    for (const { held } of world.holders) {
      if ((await held.stateOf(fromHex(id) ?? new Uint8Array())) === 'known') return false
    }
  }
  return true
}

test('MB-47 taken back before it was fetched it is never delivered, and no holder keeps it', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const id = await sendStored(world, alice, bob, 'never mind')
  const other = await alice.send(bob, 'but this')
  await world.must(async () => (await alice.status(other)) === 'stored', 'stored')
  assert.equal((await alice.app.takeBack(id)).status, 'taken-back')
  await world.clock.pass(10_000)
  bob.online()
  await world.must(async () => (await bob.read(alice)).length === 1, 'the other one arrives')
  await world.clock.pass(30 * 60_000)
  assert.deepEqual(await bob.read(alice), ['but this'])
  assert.ok(await allGone(world))
  assert.equal((await alice.app.message(id)).status, 'taken-back')
  const why = await alice.app.why(id)
  assert.match(why.summary, /taken back/)
  assert.equal(why.devices[0]?.steps.at(-1)?.event, 'taken-back')
  assert.equal(why.devices[0]?.nextAttemptAt, null)
  const events = await alice.events('message:taken-back')
  assert.deepEqual(
    events.map(({ data }) => data['id']),
    [id],
  )
  assert.equal((await alice.app.takeBack(id)).status, 'taken-back', 'once more changes nothing')
  assert.equal((await alice.events('message:taken-back')).length, 1)
})

test('MB-47 what was delivered, came in, or is unknown cannot be taken back', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const id = await alice.send(bob, 'read already')
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  await assert.rejects(alice.app.takeBack(id), ConflictError)
  await assert.rejects(bob.app.takeBack(id), NotFoundError)
  await assert.rejects(alice.app.takeBack(toHex(world.rng.bytes(16))), NotFoundError)
  assert.equal(await alice.status(id), 'delivered')
  assert.deepEqual(await bob.read(alice), ['read already'])
})

test('MB-47 a sender that dies right after the answer still takes it back when it starts again', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const id = await sendStored(world, alice, bob, 'killed in between')
  for (const holder of world.holders) holder.down()
  await alice.app.takeBack(id)
  await alice.kill()
  for (const holder of world.holders) holder.back()
  await alice.start()
  alice.online()
  assert.equal(await alice.status(id), 'taken-back')
  await world.must(async () => allGone(world), 'the holders hear of it', 10 * 60_000)
  bob.online()
  await world.clock.pass(30 * 60_000)
  assert.deepEqual(await bob.read(alice), [])
})

test('MB-47 dying at any write of it leaves it sent or taken back, never between', async () => {
  for (let at = 1; at <= 2; at++) {
    for (const fate of ['lose', 'last'] as const) {
      const { world, alice, bob } = await pair()
      await using _ = world
      const id = await sendStored(world, alice, bob, 'all or nothing')
      let writes = 0
      alice.disk.onWrite = () => (++writes === at ? fate : 'write')
      const answer = alice.app.takeBack(id).then(
        () => true,
        () => false,
      )
      await world.clock.pass(5_000)
      await alice.kill()
      await alice.start()
      alice.online()
      await world.clock.pass(5 * 60_000)
      const taken = (await alice.status(id)) === 'taken-back'
      assert.equal(await allGone(world), taken, `write ${at}, ${fate}`)
      bob.online()
      await world.clock.pass(30_000)
      assert.deepEqual(await bob.read(alice), taken ? [] : ['all or nothing'])
      void answer
    }
  }
})

test('MB-47 one that is on its way to the holders, or waits for a turn, is not put any more', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  bob.offline()
  const gate = Promise.withResolvers<void>()
  let waiting = 0
  for (const holder of world.holders) {
    holder.lie = async (_caller, request, honest) => {
      if (request.kind !== HOLDER_VERB.put) return honest()
      waiting++
      await gate.promise
      return honest()
    }
  }
  const id = await alice.send(bob, 'late')
  await world.must(() => waiting >= 5, 'the put is under way')
  await alice.app.takeBack(id)
  await world.clock.pass(2_000)
  gate.resolve()
  await world.clock.pass(20_000)
  assert.ok(await allGone(world), 'the tombstone was there before the letter')
  assert.equal(await alice.status(id), 'taken-back', 'no receipt of a holder changes that')
  bob.online()
  await world.clock.pass(60_000)
  assert.deepEqual(await bob.read(alice), [])
})

test('MB-47 every letter that it was ever put in is deleted: those of other boxes and rungs as well', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  for (const holder of world.holders) {
    holder.lie = async (_caller, request, honest) => {
      const lane = request.kind === HOLDER_VERB.put && request.body.letter.kind === 1
      const answer = await honest()
      return lane ? { ...answer, status: HOLDER_STATUS.lane } : answer
    }
  }
  bob.offline()
  const id = await alice.send(bob, 'by lane, then by stamp')
  await world.must(async () => (await alice.status(id)) === 'stored', 'stored')
  assert.equal(world.letters.size, 2)
  for (const holder of world.holders) holder.lie = undefined
  await world.clock.sleep(letterLifeMs(LOCAL) / 30)
  assert.equal(await allGone(world), false)
  await alice.app.takeBack(id)
  await world.clock.pass(10_000)
  assert.ok(await allGone(world))
})

test('MB-47 who had it already says so: taken back too late is shown as delivered', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const id = await sendStored(world, alice, bob, 'too late')
  alice.offline()
  bob.online()
  await world.must(async () => (await bob.read(alice)).length === 1, 'read')
  await alice.app.takeBack(id)
  assert.equal(await alice.status(id), 'taken-back')
  alice.online()
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
})
