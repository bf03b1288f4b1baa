/** Typing and presence: over open streams only, to contacts only, as far as both sides want, and kept nowhere. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import type { LiveEvent } from '../../src/api/application/live.ts'
import { NotFoundError } from '../../src/lib/errors.ts'
import { BUCKET } from '../../src/store/buckets.ts'
import { encode } from '../../src/wire/codec.ts'
import { CONTENT_KIND, LIVE, liveBodyCodec } from '../../src/wire/content.ts'
import { DIRECT_FRAME } from '../../src/wire/direct.ts'
import { toHex } from '../../src/lib/bytes.ts'
import { World } from '../support/messenger.ts'
import type { Person } from '../support/messenger.ts'

interface Watched {
  readonly who: Person
  readonly seen: LiveEvent[]
}
const watch = (who: Person): LiveEvent[] => {
  const seen: LiveEvent[] = []
  who.app.onLive((event) => seen.push(event))
  return seen
}

/** Two contacts with an open stream; both let their presence be seen where that is asked for. */
async function pair(input: { presence?: boolean } = {}): Promise<{
  world: World
  alice: Person
  bob: Person
  a: Watched['seen']
  b: Watched['seen']
}> {
  const world = await World.of(['alice', 'bob'])
  const [alice, bob] = [world.named('alice'), world.named('bob')]
  const [a, b] = [watch(alice), watch(bob)]
  for (const person of input.presence === true ? [alice, bob] : []) await person.app.updateSettings({ presence: true })
  return { world, alice, bob, a, b }
}

async function connect(world: World, from: Person, to: Person): Promise<void> {
  const id = await from.send(to, 'hello')
  await world.must(async () => (await from.status(id)) === 'delivered', 'a stream is open')
}

const online = async (who: Person, other: Person) => (await who.app.contact(other.address)).online
const isLive = ({ frame }: World['sent'][number]): boolean => frame.kind === DIRECT_FRAME.live
/** Everything in the database but the state of the sessions. */
async function kept(who: Person): Promise<readonly string[]> {
  const records: string[] = []
  const all = { gte: Uint8Array.of(0), lt: Uint8Array.of(255), reverse: false, limit: -1 }
  for await (const [key, value] of who.disk.database.iterate(all))
    if (key[0] !== BUCKET.sessions) records.push(`${toHex(key)}=${toHex(value)}`)
  return records
}

/** What they keep once nothing follows any more from how they met: profiles, grants, receipts. */
async function settled(world: World, ...people: readonly Person[]): Promise<(readonly string[])[]> {
  const all = async () => Promise.all(people.map(kept))
  let before = await all()
  for (let i = 0; i < 30; i++) {
    await world.clock.pass(10_000)
    const after = await all()
    if (isDeepStrictEqual(after, before)) return after
    before = after
  }
  return assert.fail('they go on writing')
}

test('PR-01 a contact is seen within 5 s of a stream, on both sides, and stays so while it is open, without a write', async () => {
  const { world, alice, bob, a, b } = await pair({ presence: true })
  await using _ = world
  assert.equal(await online(alice, bob), false)
  await connect(world, alice, bob)
  const both = async () => (await online(alice, bob)) && online(bob, alice)
  await world.must(both, 'both see one another', 5_000)
  assert.deepEqual(a, [{ type: 'presence', contact: bob.address, online: true }])
  assert.deepEqual(b, [{ type: 'presence', contact: alice.address, online: true }])
  await world.clock.pass(10_000)
  const writes = [alice.disk.writes, bob.disk.writes]
  await world.clock.pass(10 * 60_000)
  assert.equal(await both(), true)
  assert.deepEqual([alice.disk.writes, bob.disk.writes], writes, 'the stream is kept alive without the disk')
  assert.equal(world.sent.filter(isLive).length, 2, 'it was said once by each')
})

test('PR-01 PR-03 who goes is offline at once, who falls silent within 60 s, and was seen when it was heard last', async () => {
  const { world, alice, bob, a } = await pair({ presence: true })
  await using _ = world
  await connect(world, alice, bob)
  await world.must(async () => online(alice, bob), 'it is seen')
  await world.clock.pass(30_000)
  bob.offline()
  assert.equal(await online(alice, bob), false)
  assert.deepEqual(a.at(-1), { type: 'presence', contact: bob.address, online: false })
  bob.online()
  await connect(world, bob, alice)
  await world.must(async () => online(alice, bob), 'it is seen again')
  // The line is cut, and nobody is told.
  world.blocked.add([alice.peerId, bob.peerId].sort().join(' '))
  const cutAt = world.clock.now()
  await world.must(async () => !(await online(alice, bob)), 'silence is noticed', 60_000)
  const seenAt = Date.parse((await alice.app.contact(bob.address)).lastSeenAt ?? '')
  assert.ok(seenAt <= cutAt + 1_000 && seenAt > cutAt - 30_000)
})

test('PR-01 both see one another again where only one noticed that the stream was lost', async () => {
  const { world, alice, bob } = await pair({ presence: true })
  await using _ = world
  await connect(world, alice, bob)
  await world.must(async () => (await online(alice, bob)) && online(bob, alice), 'both see one another')
  await world.clock.pass(5_000)
  alice.rooms.live.onStream(bob.peerId, false)
  assert.equal(await online(alice, bob), false)
  // A new stream takes the place of the old: both are told of it.
  for (const [who, other] of [
    [alice, bob],
    [bob, alice],
  ] as const)
    who.rooms.live.onStream(other.peerId, true)
  await world.must(async () => (await online(alice, bob)) && online(bob, alice), 'both see one another again')
})

test('PR-01 a greeting that was missed or forgotten is made good within two beats, and then it is quiet', async () => {
  const { world, alice, bob } = await pair({ presence: true })
  await using _ = world
  await connect(world, alice, bob)
  const both = async () => (await online(alice, bob)) && online(bob, alice)
  await world.must(both, 'both see one another')
  // What bob heard of alice is forgotten, and she does not notice: the stream stays.
  await world.clock.pass(60_000)
  await bob.app.lock()
  await bob.unlock()
  await world.must(both, 'both see one another again', 60_000)
  assert.notEqual((await bob.app.contact(alice.address)).lastSeenAt, null)
  // Both forget at once.
  for (const person of [alice, bob]) await person.app.lock()
  for (const person of [alice, bob]) await person.unlock()
  await world.must(both, 'and again', 60_000)
  await world.clock.pass(60_000)
  const said = world.sent.filter(isLive).length
  await world.clock.pass(10 * 60_000)
  assert.equal(world.sent.filter(isLive).length, said, 'they do not go on greeting one another')
})

test('PR-03 presence is off at first: nothing is said, nothing shown; one side alone learns nothing', async () => {
  const { world, alice, bob, a, b } = await pair()
  await using _ = world
  await connect(world, alice, bob)
  await world.clock.pass(10_000)
  assert.equal(world.sent.filter(isLive).length, 0)
  await bob.app.updateSettings({ presence: true })
  await world.clock.pass(10_000)
  assert.deepEqual([await online(alice, bob), await online(bob, alice)], [false, false], 'alice does not want to see')
  assert.equal((await alice.app.contact(bob.address)).lastSeenAt, null)
  assert.deepEqual([a, b], [[], []])
  await alice.app.updateSettings({ presence: true })
  await world.must(async () => (await online(alice, bob)) && online(bob, alice), 'both want it')
})

test('PR-03 who switches presence off is not seen any more, nor when it was there, and sees nobody', async () => {
  const { world, alice, bob, b } = await pair({ presence: true })
  await using _ = world
  await connect(world, alice, bob)
  await world.must(async () => (await online(alice, bob)) && online(bob, alice), 'both see one another')
  await alice.app.updateSettings({ presence: false })
  assert.equal(await online(alice, bob), false)
  await world.must(async () => !(await online(bob, alice)), 'it is told', 5_000)
  assert.deepEqual(b.at(-1), { type: 'presence', contact: alice.address, online: false })
  assert.equal((await bob.app.contact(alice.address)).lastSeenAt, null)
  const said = world.sent.filter(isLive).length
  await world.clock.pass(5 * 60_000)
  assert.equal(world.sent.filter(isLive).length, said)
  assert.equal(await online(bob, alice), false)
})

test('PR-04 typing is shown over a stream, at most every 3 s, and ends when it is taken back or after 6 s', async () => {
  const { world, alice, bob, b } = await pair()
  await using _ = world
  await connect(world, alice, bob)
  const [before, own] = await settled(world, bob, alice)
  for (let i = 0; i < 30; i++) {
    await alice.app.setTyping(bob.address, true)
    await world.clock.pass(200)
  }
  assert.equal(world.sent.filter(isLive).length, 2, 'in six seconds twice')
  assert.deepEqual(b, [{ type: 'typing', contact: alice.address, typing: true }])
  await alice.app.setTyping(bob.address, false)
  await alice.app.setTyping(bob.address, false)
  await world.clock.pass(1_000)
  assert.deepEqual(b.slice(1), [{ type: 'typing', contact: alice.address, typing: false }])
  await world.clock.pass(5_000)
  await alice.app.setTyping(bob.address, true)
  await world.clock.pass(1_000)
  assert.equal(b.length, 3)
  await world.clock.pass(6_000)
  assert.deepEqual(b.slice(3), [{ type: 'typing', contact: alice.address, typing: false }], 'it ends by itself')
  assert.deepEqual(await kept(bob), before, 'nothing but the session was written')
  assert.deepEqual(await kept(alice), own)
  assert.equal(world.letters.size, 0)
})

test('PR-04 typing to who is away is nothing: no write, no frame, no letter, no dial', async () => {
  const { world, alice, bob } = await pair({ presence: true })
  await using _ = world
  await world.clock.pass(60_000)
  const [before, writes] = [await kept(alice), [alice.disk.writes, bob.disk.writes]]
  world.sent.length = 0
  await alice.app.setTyping(bob.address, true)
  bob.offline()
  await alice.app.setTyping(bob.address, true)
  await world.clock.pass(60_000)
  assert.deepEqual(await kept(alice), before)
  assert.deepEqual([alice.disk.writes, bob.disk.writes], writes)
  assert.deepEqual([world.sent.length, world.letters.size, world.streams.size], [0, 0, 0])
  await assert.rejects(alice.app.setTyping(alice.address, true), NotFoundError)
})

test('PR-04 typing that is switched off is neither sent nor shown', async () => {
  const { world, alice, bob, a, b } = await pair()
  await using _ = world
  await connect(world, alice, bob)
  await world.clock.pass(5_000)
  await bob.app.updateSettings({ typing: false })
  await alice.app.setTyping(bob.address, true)
  await world.clock.pass(1_000)
  await bob.app.setTyping(alice.address, true)
  await world.clock.pass(1_000)
  assert.deepEqual([a, b], [[], []])
  assert.equal(world.sent.filter(isLive).length, 1)
  const id = await alice.send(bob, 'still there')
  await world.must(async () => (await alice.status(id)) === 'delivered', 'the session goes on')
})

test('PR-04 a live signal in a letter or an ordinary envelope is refused, and so is anything else in a live one', async () => {
  const { world, alice, bob, a } = await pair({ presence: true })
  await using _ = world
  world.block(alice, bob)
  const body = encode(liveBodyCodec, { typing: LIVE.yes, presence: LIVE.yes })
  await bob.say(alice, CONTENT_KIND.live, body)
  await world.must(() => world.letters.size > 0, 'it goes as a letter')
  await world.must(() => world.held === 0, 'it is taken and deleted')
  world.unblock(alice, bob)
  await bob.say(alice, CONTENT_KIND.live, body)
  await world.must(() => bob.rooms.outbox.queue.size <= 1, 'it goes as an envelope')
  await world.clock.pass(5_000)
  assert.equal(a.filter(({ type }) => type === 'typing').length, 0)
  assert.equal((await alice.app.conversations()).length, 0)
  assert.equal((await alice.events('message:received')).length, 0)
  // A text that is written as if it were a live signal.
  world.sent.length = 0
  bob.onSend = undefined
  await bob.send(alice, 'text')
  await world.must(() => world.sent.some(({ from }) => from === bob.peerId), 'it is under way')
  const sent = world.sent.find(({ from, frame }) => from === bob.peerId && frame.kind === DIRECT_FRAME.envelope)
  assert.ok(sent?.frame.kind === DIRECT_FRAME.envelope)
  world.inject(bob, alice, { kind: DIRECT_FRAME.live, body: { envelope: sent.frame.body.envelope } })
  await world.clock.pass(60_000)
  assert.ok((await alice.read(bob)).length <= 1)
})

test('PR-01 PR-09 LS-11 strangers and blocked contacts learn nothing and are not shown', async () => {
  const { world, alice, bob, a } = await pair({ presence: true })
  await using _ = world
  await connect(world, alice, bob)
  await world.must(async () => (await online(alice, bob)) && online(bob, alice), 'both see one another')
  await alice.app.blockContact(bob.address)
  assert.equal(await online(alice, bob), false)
  assert.equal((await alice.app.contact(bob.address)).lastSeenAt, null)
  const said = a.length
  world.sent.length = 0
  const writes = alice.disk.writes
  await bob.app.setTyping(alice.address, true)
  await bob.app.updateSettings({ presence: false })
  await bob.app.updateSettings({ presence: true })
  for (let i = 0; i < 50; i++) {
    world.inject('peer-stranger', alice, { kind: DIRECT_FRAME.live, body: { envelope: world.rng.bytes(2_048) } })
    world.inject('peer-stranger', alice, { kind: DIRECT_FRAME.beat, body: {} })
  }
  await world.clock.pass(60_000)
  assert.equal(a.length, said)
  assert.equal(alice.disk.writes, writes)
  assert.equal(world.sent.filter(({ from }) => from === alice.peerId).length, 0)
})

test('PR-04 garbage and floods of live frames cost little and harm nothing', async () => {
  const { world, alice, bob, b } = await pair()
  await using _ = world
  await connect(world, alice, bob)
  await world.clock.pass(5_000)
  const writes = bob.disk.writes
  for (let i = 0; i < 200; i++)
    world.inject(alice, bob, { kind: DIRECT_FRAME.live, body: { envelope: world.rng.bytes(2_048) } })
  await world.clock.pass(1_000)
  assert.deepEqual(b, [])
  assert.equal(bob.disk.writes, writes)
  await world.clock.pass(60_000)
  const id = await alice.send(bob, 'after the flood')
  await world.must(async () => (await alice.status(id)) === 'delivered', 'messages go on')
  await alice.app.setTyping(bob.address, true)
  await world.must(() => b.length === 1, 'so does typing')
})

test('PR-01 PR-04 live signals that are lost, doubled and overtaken leave the sessions whole', async () => {
  const { world, alice, bob } = await pair({ presence: true })
  await using _ = world
  await connect(world, alice, bob)
  Object.assign(world.weather, { loss: 0.3, duplicate: 0.3, delay: 0.3 })
  const ids: string[] = []
  for (let i = 0; i < 12; i++) {
    for (const [who, other] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      await who.app.setTyping(other.address, true)
      ids.push(await who.send(other, `${who.name} ${i}`))
    }
    await world.clock.pass(3_500)
  }
  Object.assign(world.weather, { loss: 0, duplicate: 0, delay: 0 })
  const settled = () => [alice, bob].every(({ rooms }) => rooms.outbox.queue.waiting === 0)
  await world.must(settled, 'everything is delivered')
  for (const [who, other] of [
    [alice, bob],
    [bob, alice],
  ] as const)
    assert.equal((await who.read(other)).filter((text) => /\d/.test(text)).length, 12)
  assert.equal(ids.length, 24)
})

test('PR-01 locking ends what is shown, and unlocking begins it anew', async () => {
  const { world, alice, bob } = await pair({ presence: true })
  await using _ = world
  await connect(world, alice, bob)
  await world.must(async () => online(alice, bob), 'it is seen')
  await alice.app.lock()
  await alice.unlock()
  await world.must(async () => online(bob, alice), 'the stream was open all the time')
  await bob.app.updateSettings({ presence: false })
  await bob.app.updateSettings({ presence: true })
  await world.must(async () => online(alice, bob), 'it is told anew')
})

test('PR-01 two who have just become contacts see one another, and what each calls itself, within 5 s', async () => {
  const world = await World.strangers(['alice', 'bob'])
  await using _ = world
  const [alice, bob] = [world.named('alice'), world.named('bob')]
  for (const person of [alice, bob]) {
    await person.app.updateSettings({ presence: true })
    await person.app.updateProfile({ name: `${person.name}!` })
  }
  await alice.add(bob)
  await world.must(async () => (await bob.app.contacts()).length === 1, 'the request arrives')
  await bob.accept(alice)
  await world.must(async () => (await alice.app.contact(bob.address)).state === 'accepted', 'the answer arrives')
  await world.must(async () => (await online(alice, bob)) && online(bob, alice), 'both see one another', 5_000)
  await world.must(async () => (await alice.app.contact(bob.address)).profileName === 'bob!', 'and the name', 2_000)
})
