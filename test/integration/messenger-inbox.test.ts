/** What comes in: taken once or not at all, whatever a contact, a stranger or a holder makes of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CryptoProvider } from '../../src/crypto/provider.ts'
import { toHex } from '../../src/lib/bytes.ts'
import { LaneFinder, laneSeed } from '../../src/services/contacts/lanes.ts'
import { laneOf } from '../../src/protocol/mailbox-rules.ts'
import { nativeProvider } from '../../src/crypto/native.ts'
import { CONTENT_KIND } from '../../src/wire/content.ts'
import { DIRECT_FRAME } from '../../src/wire/direct.ts'
import type { Letter } from '../../src/wire/letter.ts'
import { World } from '../support/messenger.ts'
import type { Person } from '../support/messenger.ts'
import { bytes, contact } from '../unit/store/fixtures.ts'

const pair = async () => {
  const world = await World.of(['alice', 'bob'])
  return { world, alice: world.named('alice'), bob: world.named('bob') }
}
const deviceOf = async (who: Person, of: Person): Promise<Uint8Array> => {
  const device = (await who.rooms.contacts.require(of.known)).devices[0]
  assert.ok(device)
  return device.deviceId
}

test('E2-43 a large message that was complete and is sent again in a new session is answered all the same', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  world.block(alice, bob)
  const id = await alice.send(bob, 'L'.repeat(150_000))
  await world.must(async () => (await bob.read(alice)).length === 1, 'it is complete')
  // The answer is lost, and then Bob's sessions.
  alice.deaf = true
  await world.clock.pass(10_000)
  for (const holder of world.holders) await holder.forget()
  alice.deaf = false
  const { journal, outbox } = alice.rooms
  const device = await deviceOf(alice, bob)
  await journal.commit(async () => ({ ops: await outbox.resealOps(bob.id, device), facts: [], result: undefined }))
  outbox.wake()
  await world.must(async () => (await alice.status(id)) === 'delivered', 'answered')
  assert.equal((await bob.read(alice)).length, 1)
})

test('E2-33 a content that cannot be decoded is neither shown, acknowledged nor asked for again', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const { journal, contacts, sessions } = alice.rooms
  const envelope = await journal.commit(async () => {
    const to = await contacts.require(bob.id)
    const [device] = to.devices
    assert.ok(device)
    const { ops, sealed } = await sessions.seal(to, device, world.rng.bytes(300))
    return { ops, facts: [], result: sealed.envelope }
  })
  const acks = world.sent.length
  const buried = bob.rooms.mailbox.tombstones.size
  world.inject(alice, bob, { kind: DIRECT_FRAME.envelope, body: { envelope } })
  world.inject(alice, bob, { kind: DIRECT_FRAME.envelope, body: { envelope } })
  await world.clock.pass(2_000)
  assert.equal(world.sent.length, acks)
  assert.deepEqual(await bob.read(alice), [])
  assert.equal(bob.rooms.inbox.refused.duplicate, 0, 'it is known, not tried again')
  assert.equal(bob.rooms.mailbox.tombstones.size, buried)
})

test('E2-33 a body that does not fit its kind is not shown, and the talk goes on', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  for (const kind of Object.values(CONTENT_KIND)) await alice.say(bob, kind, world.rng.bytes(50))
  const id = await alice.send(bob, 'still here')
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  assert.deepEqual(await bob.read(alice), ['still here'])
  assert.equal((await alice.app.contacts()).length, 1)
})

test('PR-06 receipts that the disk refused are sent later', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  world.block(alice, bob)
  const id = await alice.send(bob, 'x')
  await world.must(async () => (await bob.read(alice)).length === 1, 'it arrives')
  bob.disk.full = true
  await world.clock.pass(5_000)
  bob.disk.full = false
  await world.must(async () => (await alice.status(id)) === 'delivered', 'told')
})

test('AS-06 the price of unreadable letters is bounded: no key is derived for what is on no lane, and each lane once', () => {
  let derived = 0
  const crypto: CryptoProvider = {
    ...nativeProvider,
    ed25519PublicKey: (seed) => {
      derived++
      return nativeProvider.ed25519PublicKey(seed)
    },
  }
  const seed = bytes(32)
  const contacts = Array.from({ length: 50 }, () => contact(bytes(32)))
  const lanes = new LaneFinder(crypto, seed)
  const letter = (kind: 1 | 2, lane: Uint8Array): Letter => ({
    version: 1,
    kind,
    address: bytes(32),
    lane,
    expiry: 1,
    sizeClass: 0,
    commitment: bytes(32),
    stamp: { bits: 0, nonce: bytes(16) },
    ciphertext: bytes(10),
  })
  for (let i = 0; i < 100; i++) assert.equal(lanes.find(contacts, [1, 2, 3], letter(2, new Uint8Array(16))), undefined)
  assert.equal(derived, 0)
  for (let i = 0; i < 100; i++) assert.equal(lanes.find(contacts, [1, 2, 3], letter(1, bytes(16))), undefined)
  assert.equal(derived, 150)
  const [, , third] = contacts
  assert.ok(third)
  const lane = laneOf(nativeProvider, laneSeed(nativeProvider, seed, third), 2)
  assert.equal(toHex(lanes.find(contacts, [1, 2, 3], letter(1, lane))?.accountId ?? bytes(1)), toHex(third.accountId))
  const moved = { ...third, laneNumber: 1 }
  assert.equal(lanes.find([moved], [1, 2, 3], letter(1, lane)), undefined, 'a lane that was replaced is nobody’s')
})

test('E2-35 who sends garbage is soon not looked at any more, and does not stop the others', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  for (let i = 0; i < 300; i++) {
    world.inject('peer-stranger', bob, { kind: DIRECT_FRAME.envelope, body: { envelope: world.rng.bytes(4_096) } })
  }
  const id = await alice.send(bob, 'through')
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  const refused = Object.values(bob.rooms.inbox.refused).reduce((sum, count) => sum + count, 0)
  assert.ok(refused <= 21, `${refused} were looked at`)
})
