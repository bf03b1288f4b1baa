/** Whoever the user does not agree to may say what they like, of every kind there is: nothing comes of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromHex } from '../../src/lib/bytes.ts'
import { encode } from '../../src/wire/codec.ts'
import {
  CONTENT_KIND,
  contactAcceptBodyCodec,
  deleteBodyCodec,
  editBodyCodec,
  liveBodyCodec,
  profileBodyCodec,
  reactionBodyCodec,
  receiptBodyCodec,
  textBodyCodec,
  timerBodyCodec,
} from '../../src/wire/content.ts'
import { World } from '../support/messenger.ts'
import type { Person } from '../support/messenger.ts'

/** One of every kind but requests and grants, about messages of both sides. */
function everything(own: Uint8Array, other: Uint8Array): readonly (readonly [number, Uint8Array])[] {
  const { text, receipt, reaction, edit, delete: gone, profile, timer, live } = CONTENT_KIND
  return [
    [text, encode(textBodyCodec, { text: 'Contact request accepted', replyTo: other })],
    [receipt, encode(receiptBodyCodec, { delivered: [other], read: [other] })],
    [reaction, encode(reactionBodyCodec, { target: other, emoji: '👎' })],
    [edit, encode(editBodyCodec, { target: own, text: 'something else' })],
    [gone, encode(deleteBodyCodec, { targets: [own, other] })],
    [profile, encode(profileBodyCodec, { number: 9, name: 'Support', bio: '', avatar: undefined })],
    [timer, encode(timerBodyCodec, { seconds: 5 })],
    [live, encode(liveBodyCodec, { typing: 2, presence: 2 })],
    [200, Uint8Array.of(1)],
  ]
}

/** All that the user can see of a conversation and its contact. */
async function shown(who: Person, other: Person): Promise<unknown> {
  const { items } = await who.app.messages(other.address, { limit: 100 })
  const conversations = await who.app.conversations()
  const contact = await who.app.contact(other.address)
  const profile = await who.app.contactProfile(other.address)
  const events = (await who.events()).filter(({ type }) => !type.startsWith('prekeys:'))
  return { items, conversations, contact, profile, events }
}

const bytesOf = (id: string): Uint8Array => fromHex(id) ?? assert.fail()

test('LS-11 PR-09 PR-17 a blocked contact is not heard, whatever it says, over streams and mailboxes', async () => {
  const world = await World.of(['alice', 'bob'])
  await using _ = world
  const [alice, bob] = [world.named('alice'), world.named('bob')]
  const own = await bob.send(alice, 'mine')
  const other = await alice.send(bob, 'yours')
  const both = async () => (await bob.status(own)) === 'delivered' && (await alice.status(other)) === 'delivered'
  await world.must(both, 'both are delivered')
  await world.clock.pass(10_000)
  await alice.app.blockContact(bob.address)
  await world.clock.pass(3_000)
  const before = await shown(alice, bob)
  for (const path of ['stream', 'mailbox']) {
    if (path === 'mailbox') world.block(alice, bob)
    for (const [kind, body] of everything(bytesOf(own), bytesOf(other))) await bob.say(alice, kind, body)
    await world.clock.pass(10 * 60_000)
    assert.deepEqual(await shown(alice, bob), before, path)
  }
})

test('PR-16 F18 who asks and is not answered can neither approve itself nor say or change anything', async () => {
  const world = await World.strangers(['alice', 'mallory'])
  await using _ = world
  const [alice, mallory] = [world.named('alice'), world.named('mallory')]
  await mallory.add(alice, { note: 'Contact request accepted' })
  await world.must(async () => (await alice.app.contacts()).length === 1, 'the request is pending')
  const before = await shown(alice, mallory)
  const accept = encode(contactAcceptBodyCodec, {
    grant: { firstEpoch: 0, addresses: [], laneSeed: new Uint8Array(32), peerId: mallory.peerId, multiaddrs: [] },
  })
  const id = world.rng.bytes(16)
  for (const [kind, body] of [[CONTENT_KIND.contactAccept, accept] as const, ...everything(id, id)])
    await mallory.say(alice, kind, body)
  await world.clock.pass(10 * 60_000)
  assert.deepEqual(await shown(alice, mallory), before)
  assert.equal((await alice.app.contact(mallory.address)).state, 'incoming')
})
