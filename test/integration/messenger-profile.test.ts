/** What people say of themselves: who has it, in which order it holds, and who may say it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '../../src/lib/errors.ts'
import { encode } from '../../src/wire/codec.ts'
import { CONTENT_KIND, profileBodyCodec } from '../../src/wire/content.ts'
import type { ProfileBody } from '../../src/wire/content.ts'
import { World } from '../support/messenger.ts'
import type { Person } from '../support/messenger.ts'
import { png } from '../support/pictures.ts'

const PNG = png(256, 256, 24 * 1_024)
const AVATAR = { type: 'image/png', data: Buffer.from(PNG).toString('base64') } as const

const pair = async () => {
  const world = await World.of(['alice', 'bob'])
  return { world, alice: world.named('alice'), bob: world.named('bob') }
}
const seenBy = async (who: Person, of: Person) => who.app.contactProfile(of.address)
const lie = (number: number, name = 'liar'): Uint8Array => {
  const body: ProfileBody = { number, name, bio: '', avatar: undefined }
  return encode(profileBodyCodec, body)
}

test('PR-07 PR-08 a changed name, bio and picture are with a contact that is online within 2 s, on the direct path', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const own = await alice.app.updateProfile({ name: 'Alice', bio: 'two\nlines', avatar: AVATAR })
  const begun = world.clock.now()
  await world.must(async () => (await seenBy(bob, alice)).number === own.number, 'it arrives', 2_000)
  assert.ok(world.clock.now() - begun <= 2_000)
  assert.deepEqual(await seenBy(bob, alice), own)
  assert.deepEqual(own, { name: 'Alice', bio: 'two\nlines', avatar: AVATAR, number: own.number })
  const { name, profileName, profileNumber } = await bob.app.contact(alice.address)
  assert.deepEqual([name, profileName, profileNumber], ['alice', 'Alice', own.number], 'the own word for it stays')
  assert.deepEqual(
    (await bob.events('contact:profile')).map(({ data }) => data),
    [{ contact: alice.address, number: own.number }],
  )
  assert.equal(world.letters.size, 0)
  assert.deepEqual(await alice.app.profile(), own)
  assert.deepEqual((await bob.app.conversations()).length, 0, 'no message comes of it')
  const again = await alice.app.updateProfile({ name: 'Alice' })
  assert.equal(again.number, own.number, 'nothing changed')
  assert.equal((await alice.events('profile:changed')).length, 1)
})

test('PR-08 what is too long or no picture is refused, and nothing of it holds', async () => {
  const { world, alice } = await pair()
  await using _ = world
  const change = async (input: Parameters<Person['app']['updateProfile']>[0]) => alice.app.updateProfile(input)
  await assert.rejects(change({ name: 'Alice', bio: 'b'.repeat(513) }), UsageError)
  await assert.rejects(change({ avatar: { type: 'image/jpeg', data: AVATAR.data } }), UsageError)
  await assert.rejects(change({ avatar: { type: 'image/png', data: `${AVATAR.data.slice(0, -4)}A A=` } }), UsageError)
  assert.deepEqual(await alice.app.profile(), { name: '', bio: '', avatar: null, number: 0 })
})

test('PR-07 who is away gets the newest profile only, over the mailbox, and both keep it over a restart', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  bob.offline()
  await alice.app.updateProfile({ name: 'Alicia' })
  await world.clock.pass(60_000)
  await alice.app.updateProfile({ bio: 'old' })
  const own = await alice.app.updateProfile({ bio: 'new' })
  assert.equal(alice.rooms.outbox.queue.size, 1, 'one that waits is replaced')
  await world.must(() => world.held > 0, 'it lies at holders')
  await bob.stop()
  await alice.stop()
  await bob.start()
  bob.online()
  await world.must(async () => (await seenBy(bob, alice)).number === own.number, 'it is collected')
  assert.deepEqual(await seenBy(bob, alice), { name: 'Alicia', bio: 'new', avatar: null, number: own.number })
  await alice.start()
  alice.online()
  await world.must(() => alice.rooms.outbox.queue.size === 0, 'nothing waits any more')
  world.sent.length = 0
  await world.clock.pass(60_000)
  assert.deepEqual(await alice.app.profile(), own)
  await bob.stop()
  await bob.start()
  assert.equal((await seenBy(bob, alice)).number, own.number)
  await world.clock.pass(60_000)
  assert.equal(alice.rooms.outbox.queue.size, 0, 'a restart tells nobody again')
})

test('PR-07 a late or repeated profile never takes the place of a newer one, in whatever order they come', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  for (const [number, name] of [
    [7, 'seven'],
    [9, 'nine'],
    [8, 'eight'],
    [9, 'other nine'],
    [3, 'three'],
  ] as const)
    await bob.say(alice, CONTENT_KIND.profile, lie(number, name))
  await world.must(() => bob.rooms.outbox.queue.size === 0, 'all arrive')
  assert.deepEqual(await seenBy(alice, bob), { name: 'nine', bio: '', avatar: null, number: 9 })
  assert.deepEqual(
    (await alice.events('contact:profile')).map(({ data }) => data['number']),
    [7, 9],
  )
})

test('PR-07 frames that are lost, doubled and overtake one another end in the newest profile', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  Object.assign(world.weather, { loss: 0.2, duplicate: 0.3, delay: 0.3 })
  let number = 0
  for (let i = 0; i < 6; i++) {
    number = (await alice.app.updateProfile({ name: `Alice ${i}` })).number
    await world.clock.pass(300)
  }
  await world.must(async () => (await seenBy(bob, alice)).number === number, 'the newest arrives')
  await world.must(() => alice.rooms.outbox.queue.size === 0, 'all is settled')
  assert.equal((await seenBy(bob, alice)).name, 'Alice 5')
})

test('PR-07 who becomes a contact is told, on both sides; a stranger sees nothing before that', async () => {
  const world = await World.strangers(['alice', 'bob'])
  await using _ = world
  const [alice, bob] = [world.named('alice'), world.named('bob')]
  await alice.app.updateProfile({ name: 'Alice' })
  await bob.app.updateProfile({ name: 'Bob' })
  await alice.add(bob)
  await world.must(async () => (await bob.app.contacts()).length === 1, 'the request arrives')
  await world.clock.pass(10_000)
  assert.equal((await seenBy(bob, alice)).number, 0, 'asking tells nothing')
  assert.equal((await seenBy(alice, bob)).number, 0)
  await bob.accept(alice)
  await world.must(async () => (await seenBy(bob, alice)).name === 'Alice', 'who asked tells')
  await world.must(async () => (await seenBy(alice, bob)).name === 'Bob', 'who accepted tells')
})

test('PR-07 LS-11 a stranger and a blocked contact set nothing and are told nothing', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.app.updateProfile({ name: 'Bob' })
  await world.must(async () => (await seenBy(alice, bob)).name === 'Bob', 'it arrives')
  await alice.app.blockContact(bob.address)
  const before = (await alice.events()).length
  await bob.app.updateProfile({ name: 'Mallory' })
  await alice.app.updateProfile({ name: 'Alice' })
  await world.clock.pass(60_000)
  assert.equal((await seenBy(alice, bob)).name, 'Bob')
  assert.equal((await seenBy(bob, alice)).number, 0)
  assert.equal((await alice.events()).length, before + 1, 'the own change, and nothing else')
  await alice.app.unblockContact(bob.address)
  await world.must(async () => (await seenBy(bob, alice)).name === 'Alice', 'who is unblocked is told')
})

test('PR-07 a profile before the answer to a request is taken by who asked, not by who was asked', async () => {
  const world = await World.strangers(['alice', 'mallory'])
  await using _ = world
  const [alice, mallory] = [world.named('alice'), world.named('mallory')]
  await mallory.add(alice)
  await world.must(async () => (await alice.app.contacts()).length === 1, 'the request is pending')
  await mallory.say(alice, CONTENT_KIND.profile, lie(1))
  await world.clock.pass(60_000)
  assert.equal((await seenBy(alice, mallory)).number, 0)
  assert.equal((await alice.app.contact(mallory.address)).state, 'incoming')
})

test('PR-07 a contact that is removed leaves nothing behind, and starts anew when it is asked again', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.app.updateProfile({ name: 'Bob', avatar: AVATAR })
  await world.must(async () => (await seenBy(alice, bob)).name === 'Bob', 'it arrives')
  await alice.app.removeContact(bob.address)
  const { profiles } = alice.rooms.store
  assert.equal(await profiles.get(bob.id), undefined)
  assert.equal(await profiles.told(bob.id), undefined)
})

test('PR-07 a device that a contact has from now on is told, the others are not told again', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const own = await alice.app.updateProfile({ name: 'Alice' })
  await world.must(async () => (await seenBy(bob, alice)).number === own.number, 'it arrives')
  await world.must(() => alice.rooms.outbox.queue.size === 0, 'nothing waits')
  const { journal, store } = alice.rooms
  const contact = await alice.rooms.contacts.require(bob.id)
  const [known] = contact.devices
  assert.ok(known)
  const added = { ...known, deviceId: world.rng.bytes(16), prekeys: undefined }
  const more = { ...contact, devices: [...contact.devices, added] }
  await journal.commit(() => ({ ops: store.contacts.put(more), facts: [], result: undefined }))
  await world.must(() => alice.rooms.outbox.queue.size === 1, 'it waits for the new device')
  assert.equal(alice.rooms.outbox.queue.lane(bob.id, added.deviceId).entries.size, 1)
})

test('PR-07 after the owner took new account keys, contacts have the profile under the new account', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const own = await alice.app.updateProfile({ name: 'Alice' })
  await world.must(async () => (await seenBy(bob, alice)).number === own.number, 'it arrives')
  await world.clock.during(alice.rotate())
  alice.online()
  const follows = async () => (await bob.rooms.contacts.get(alice.id)) !== undefined
  await world.must(follows, 'bob follows')
  await world.must(async () => (await seenBy(bob, alice)).name === 'Alice', 'it arrives again')
})
