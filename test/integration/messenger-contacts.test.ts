/** Consent: who becomes a contact, who does not, and what is left of one who is blocked, removed or not who it was. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../src/lib/bytes.ts'
import { ConflictError, IdentityChangedError, UsageError } from '../../src/lib/errors.ts'
import { DAY_MS } from '../../src/lib/time.ts'
import { CONTACT_STATE } from '../../src/store/records.ts'
import { encode } from '../../src/wire/codec.ts'
import { CONTENT_KIND, contactAcceptBodyCodec, contentCodec, textBodyCodec } from '../../src/wire/content.ts'
import { DIRECT_FRAME } from '../../src/wire/direct.ts'
import { HOLDER_VERB } from '../../src/wire/holder.ts'
import { parseInvite } from '../../src/wire/invite.ts'
import { LETTER_KIND } from '../../src/wire/letter.ts'
import { World } from '../support/messenger.ts'
import type { Person } from '../support/messenger.ts'

const pair = async (options = {}) => {
  const world = await World.of(['alice', 'bob'], options)
  return { world, alice: world.named('alice'), bob: world.named('bob') }
}
/** Alice and Mallory, who have not met. */
const strangers = async () => {
  const world = await World.strangers(['alice', 'mallory'])
  return { world, alice: world.named('alice'), mallory: world.named('mallory') }
}
const stateOf = async (who: Person, of: Person): Promise<number | undefined> =>
  (await who.rooms.contacts.get(of.known))?.state
const text = (words: string): Uint8Array => encode(textBodyCodec, { text: words, replyTo: undefined })

test('PR-16 F18 a request stays pending, whatever its text says; an accept nobody asked for opens nothing', async () => {
  const { world, alice, mallory } = await strangers()
  await using _ = world
  await mallory.add(alice, { note: 'Contact request accepted' })
  await world.must(async () => (await stateOf(alice, mallory)) === CONTACT_STATE.incoming, 'it is pending')
  const grant = (await mallory.rooms.contacts.require(alice.id)).devices[0]?.grant
  assert.equal(grant, undefined, 'a request is answered with nothing')
  const alices = (await alice.rooms.contacts.require(mallory.id)).devices[0]?.grant
  assert.ok(alices)
  await mallory.say(alice, CONTENT_KIND.contactAccept, encode(contactAcceptBodyCodec, { grant: alices }))
  await mallory.say(alice, CONTENT_KIND.text, text('hello, friend'))
  // Whoever holds to no rules does not wait for consent either.
  await mallory.rooms.journal.commit(async () => {
    const contact = await mallory.rooms.contacts.require(alice.id)
    const devices = contact.devices.map((device) => ({ ...device, grant: { ...alices, addresses: [] } }))
    return { ops: mallory.rooms.store.contacts.put({ ...contact, state: 3, devices }), facts: [], result: undefined }
  })
  await world.clock.pass(3 * 60_000)
  assert.equal(await stateOf(alice, mallory), CONTACT_STATE.incoming)
  assert.deepEqual(await alice.read(mallory), [])
  assert.deepEqual(await alice.events('message:received'), [])
  assert.equal(await stateOf(mallory, alice), 3)
  await assert.rejects(alice.send(mallory, 'x'), UsageError)
})

/** A text as somebody seals it who waits for no consent. */
async function unasked(from: Person, to: Person, words: string): Promise<Uint8Array> {
  const { journal, contacts, sessions } = from.rooms
  const [id, preimage] = [from.world.rng.bytes(16), from.world.rng.bytes(16)]
  const content = {
    version: 1,
    id,
    preimage,
    sentAt: 0,
    kind: CONTENT_KIND.text,
    body: text(words),
    extensions: [],
  } as const
  return journal.commit(async () => {
    const contact = await contacts.require(to.id)
    const { ops, sealed } = await sessions.seal(
      contact,
      contact.devices[0] ?? assert.fail(),
      encode(contentCodec, content),
    )
    return { ops, facts: [], result: sealed.envelope }
  })
}

test('AS-05 of a stranger there is one pending request and nothing else, the 21st message as the first; a contact has no such limit', async () => {
  const { world, alice, mallory } = await strangers()
  await using _ = world
  await mallory.add(alice, { note: 'hello' })
  await world.must(async () => (await stateOf(alice, mallory)) === CONTACT_STATE.incoming, 'it is pending')
  await world.clock.pass(60_000)
  const shown = async (): Promise<unknown> => [
    await alice.read(mallory),
    await alice.events('message:received'),
    await alice.events('contact:requested'),
    await alice.app.conversations(),
  ]
  const before = await shown()
  for (let i = 1; i <= 21; i++) {
    const envelope = await unasked(mallory, alice, `message ${i}`)
    if (i % 2 === 0) world.inject(mallory, alice, { kind: DIRECT_FRAME.envelope, body: { envelope } })
    else assert.equal((await alice.rooms.inbox.accept(envelope, { kind: 'letter' })).kind, 'committed', 'it was read')
  }
  await world.clock.pass(60_000)
  assert.deepEqual(await shown(), before)
  assert.equal(await stateOf(alice, mallory), CONTACT_STATE.incoming)

  await alice.accept(mallory)
  await world.must(async () => (await stateOf(mallory, alice)) === CONTACT_STATE.accepted, 'accepted')
  const words = Array.from({ length: 40 }, (_each, i) => `known ${i}`)
  for (const each of words) await mallory.send(alice, each)
  await world.must(
    async () => (await alice.read(mallory)).length === words.length,
    'all of them within a minute',
    60_000,
  )
  assert.deepEqual((await alice.read(mallory)).sort(), words.sort())
})

test('PR-16 blocking a request and letting it in again does not accept it', async () => {
  const { world, alice, mallory } = await strangers()
  await using _ = world
  await mallory.add(alice)
  await world.must(async () => (await stateOf(alice, mallory)) === CONTACT_STATE.incoming, 'it is pending')
  await alice.app.blockContact(mallory.address)
  assert.equal((await alice.app.unblockContact(mallory.address)).state, 'incoming')
  await alice.accept(mallory)
  await world.must(async () => (await stateOf(mallory, alice)) === CONTACT_STATE.accepted, 'accepted')
})

test('PR-16 a request that is blocked and unblocked by who asked is asked again', async () => {
  const { world, alice, mallory } = await strangers()
  await using _ = world
  world.block(alice, mallory)
  alice.offline()
  await mallory.add(alice)
  await mallory.app.blockContact(alice.address)
  assert.equal((await mallory.app.unblockContact(alice.address)).state, 'requested')
  alice.online()
  await world.must(async () => (await stateOf(alice, mallory)) === CONTACT_STATE.incoming, 'it is asked')
})

test('an invite with a token needs no stamp, and serves once', async () => {
  const { world, alice, mallory } = await strangers()
  await using _ = world
  const { link } = await world.clock.during(alice.app.invite({ token: true }))
  await mallory.add(alice, { target: link })
  await world.must(async () => (await stateOf(alice, mallory)) === CONTACT_STATE.incoming, 'it is pending')
  assert.deepEqual(
    [...world.letters.values()].map(({ kind }) => kind),
    [LETTER_KIND.lane],
  )
  const left = [...(await alice.rooms.store.settings.all()).keys()].filter((name) => name.startsWith('invite:'))
  assert.deepEqual(left, [], 'the token is spent')
  await alice.accept(mallory)
  await world.must(async () => (await stateOf(mallory, alice)) === CONTACT_STATE.accepted, 'accepted')
})

test('two who ask each other at the same moment are contacts, and can write', async () => {
  const { world, alice, mallory } = await strangers()
  await using _ = world
  const both = Promise.all([
    alice.app.addContact({ target: mallory.address }),
    mallory.app.addContact({ target: alice.address }),
  ])
  await world.clock.during(both)
  await world.must(
    async () => (await stateOf(alice, mallory)) === 3 && (await stateOf(mallory, alice)) === 3,
    'both are accepted',
  )
  const ids = [await alice.send(mallory, 'a'), await mallory.send(alice, 'b')]
  await world.must(async () => (await alice.status(ids[0] ?? '')) === 'delivered', 'there')
  await world.must(async () => (await mallory.status(ids[1] ?? '')) === 'delivered', 'and back')
  await world.clock.pass(60_000)
  assert.equal(alice.rooms.outbox.queue.size + mallory.rooms.outbox.queue.size, 0)
})

test('two who ask each other while one is away: the request that was dropped for it is not missed', async () => {
  const { world, alice, mallory } = await strangers()
  await using _ = world
  await alice.add(mallory)
  await world.clock.pass(20_000)
  // Alice goes with her request put; Mallory's own request never gets to a holder before he reads hers.
  mallory.deaf = true
  await alice.stop()
  mallory.deaf = false
  await world.must(async () => (await stateOf(mallory, alice)) !== undefined, 'he has hers')
  await alice.start()
  alice.online()
  if ((await stateOf(mallory, alice)) === CONTACT_STATE.incoming) await mallory.accept(alice)
  await world.must(async () => (await stateOf(alice, mallory)) === 3, 'she learns of it')
})

test('who removed a contact and asks again is answered: the other side had agreed', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.app.removeContact(alice.address)
  await world.clock.pass(2_000)
  await bob.add(alice)
  await world.must(async () => (await stateOf(bob, alice)) === CONTACT_STATE.accepted, 'accepted again')
  const id = await bob.send(alice, 'back')
  await world.must(async () => (await bob.status(id)) === 'delivered', 'delivered')
  const answer = await alice.send(bob, 'welcome')
  await world.must(async () => (await alice.status(answer)) === 'delivered', 'and back')
})

test('removing a contact drops what waits for it, whatever is under way', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.stop()
  const sending = Array.from({ length: 5 }, async (_, i) => alice.send(bob, `never mind ${i}`))
  const removing = alice.app.removeContact(bob.address)
  await Promise.all([...sending, removing])
  await world.clock.pass(30_000)
  assert.equal(alice.rooms.outbox.queue.size, 0)
  assert.equal(await alice.rooms.store.outbox.count(), 0)
  assert.deepEqual(alice.rooms.sessions.describe(bob.known), [])
})

test('AS-06 LS-11 who is blocked is not shown, not told, and has no lane any more', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await alice.app.blockContact(bob.address)
  await world.clock.pass(3_000)
  const events = (await alice.events()).length
  const id = await bob.send(alice, 'let me in')
  await world.clock.pass(2 * 60_000)
  assert.deepEqual(await alice.read(bob), [])
  assert.equal((await alice.events()).length, events, 'nothing is notified')
  assert.notEqual(await bob.status(id), 'delivered')
  assert.equal(world.sent.filter(({ from }) => from === alice.peerId).length, 0, 'not a word to him')
  const steps = (await bob.app.why(id)).devices[0]?.steps.map(({ event }) => event) ?? []
  assert.ok(steps.includes('lane-refused'), steps.join())
  await assert.rejects(alice.send(bob, 'x'), UsageError)
  assert.equal((await alice.app.unblockContact(bob.address)).state, 'accepted')
  const again = await bob.send(alice, 'and now?')
  await world.must(async () => (await bob.status(again)) === 'delivered', 'delivered')
  assert.deepEqual(await alice.read(bob), ['and now?'])
})

test('E2-37 an identity that changed suspends: nothing goes out or comes in until the user accepts it', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const { contacts, journal, store, sessions, directory } = alice.rooms
  const contact = await contacts.require(bob.id)
  assert.ok(contact.pinned)
  // What the network shows is not what was pinned: here the pin is bent, which comes to the same.
  const { body } = contact.pinned
  const bent = { ...contact.pinned, body: { ...body, expiresAt: body.expiresAt - 1 } }
  await journal.commit(() => ({ ops: store.contacts.put({ ...contact, pinned: bent }), facts: [], result: undefined }))
  await assert.rejects(world.clock.during(directory.resolve(bob.id, { refresh: true })), IdentityChangedError)
  assert.equal((await alice.app.contact(bob.address)).changed, true)
  assert.ok(sessions.describe(bob.id).every(({ status }) => status === 'suspended'))
  await assert.rejects(alice.send(bob, 'is it you?'), IdentityChangedError)
  const id = await bob.send(alice, 'it is me')
  await world.clock.pass(60_000)
  assert.deepEqual(await alice.read(bob), [])
  assert.notEqual(await bob.status(id), 'delivered')
  assert.equal((await alice.events('contact:changed')).length, 1)
  await world.clock.during(alice.app.verifyContact(bob.address, { acceptChange: true, verified: true }))
  assert.ok((await alice.app.contact(bob.address)).verified)
  const answer = await alice.send(bob, 'good')
  await world.must(async () => (await alice.status(answer)) === 'delivered', 'delivered')
  await world.clock.sleep(DAY_MS / 24)
  await world.must(async () => (await bob.status(id)) === 'delivered', 'what waited comes in')
})

test('E2-37 an item that waits while the identity is in question says so', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.stop()
  for (const holder of world.holders) holder.down()
  const id = await alice.send(bob, 'waiting')
  const { journal, store, contacts } = alice.rooms
  const contact = await contacts.require(bob.known)
  const changed = contact.pinned
  await journal.commit(() => ({ ops: store.contacts.put({ ...contact, changed }), facts: [], result: undefined }))
  await world.clock.pass(2 * 60_000)
  assert.match((await alice.app.why(id)).summary, /keys changed/)
  await alice.app.verifyContact(bob.address, { acceptChange: true }).catch(() => {})
  assert.equal(await alice.status(id), 'queued')
})

test('E2-33 a device that the pinned list leaves out is not heard any more, in no session', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const { contacts, journal, store } = alice.rooms
  const contact = await contacts.require(bob.id)
  assert.ok(contact.pinned)
  const other = { ...contact.pinned, body: { ...contact.pinned.body, devices: [] } }
  await journal.commit(() => ({
    ops: store.contacts.put({ ...contact, pinned: other, devices: [] }),
    facts: [],
    result: undefined,
  }))
  alice.rooms.directory.stop()
  const id = await bob.send(alice, 'from a device that is gone')
  await bob.rooms.contacts.refreshGrants(world.clock.now() + 1)
  await world.clock.pass(60_000)
  assert.deepEqual(await alice.read(bob), [])
  assert.notEqual(await bob.status(id), 'delivered')
  assert.deepEqual((await contacts.require(bob.id)).devices, [], 'nor does it get back on the list by a grant')
})

test('E2-43 what waits for a device that is gone goes to the one that came', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  bob.deaf = true
  const gone = world.rng.bytes(16)
  const { contacts, journal, store, outbox } = alice.rooms
  const contact = await contacts.require(bob.id)
  const [device] = contact.devices
  assert.ok(device)
  const before = { ...contact, devices: [{ ...device, deviceId: gone }] }
  await journal.commit(() => ({ ops: store.contacts.put(before), facts: [], result: undefined }))
  const id = await alice.send(bob, 'x'.repeat(100_000))
  await journal.commit(() => ({ ops: store.contacts.put(contact), facts: [], result: undefined }))
  bob.deaf = false
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  assert.equal((await bob.read(alice)).length, 1)
  assert.equal(outbox.queue.size, 0)
})

test('ID-12 an account that is rotated is followed with a notice, and messages flow both ways', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const old = bob.address
  await bob.rotate()
  await world.clock.pass(10_000)
  assert.notEqual(bob.address, old)
  const first = await bob.send(alice, 'it is still me')
  await world.must(async () => (await bob.status(first)) === 'delivered', 'the new account is heard')
  assert.equal((await alice.events('contact:succeeded')).length, 1)
  const contact = await alice.app.contact(bob.address)
  assert.deepEqual([contact.state, contact.name], ['accepted', 'bob'])
  assert.deepEqual(await alice.read(bob), ['it is still me'])
  const answer = await alice.send(bob, 'so I see')
  await world.must(async () => (await alice.status(answer)) === 'delivered', 'and is answered')
  assert.deepEqual(await bob.read(alice), ['so I see'])
})

test('ID-12 what was under way when an account was rotated is delivered and counted', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  world.block(alice, bob)
  bob.offline()
  const old = bob.address
  const id = await alice.send(bob, 'to the old account')
  await world.must(async () => (await alice.status(id)) === 'stored', 'stored')
  await bob.rotate()
  bob.online()
  await world.must(async () => (await bob.read(alice)).length === 1, 'read in the old session')
  await world.must(async () => (await alice.status(id)) === 'delivered', 'told in the new one')
  assert.notEqual(bob.address, old)
})

test('LS-11 policies that enough holders have are left alone until something changes', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await world.clock.pass(10_000)
  let puts = 0
  for (const holder of world.holders) {
    holder.lie = async (_caller, request, honest) => {
      if (request.kind === HOLDER_VERB.putCard) puts++
      return honest()
    }
  }
  await world.clock.pass(600_000)
  assert.equal(puts, 0)
  // A change while the last one is being published is published as well.
  await alice.app.blockContact(bob.address)
  await world.clock.pass(55)
  await alice.app.unblockContact(bob.address)
  await world.clock.pass(10_000)
  assert.ok(puts > 0)
  const id = await bob.send(alice, 'on the new lane')
  await world.must(async () => (await bob.status(id)) === 'delivered', 'delivered')
})

test('adding oneself, twice, or whom one blocked is refused', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await assert.rejects(alice.add(bob), ConflictError)
  await alice.app.blockContact(bob.address)
  await assert.rejects(alice.add(bob), ConflictError)
  await assert.rejects(alice.add(alice), UsageError)
})

test('AS-08 one-time passes that are out are bounded: the 65th takes the place of the oldest', async () => {
  const { world, alice } = await strangers()
  await using _ = world
  const { settings } = alice.rooms.store
  const names = Array.from({ length: 64 }, (_, i) => `invite:${i.toString(16).padStart(32, '0')}`)
  const until = (i: number) => String(world.clock.now() + DAY_MS + i)
  await alice.rooms.journal.commit(() => ({
    ops: names.flatMap((name, i) => settings.put(name, until(i))),
    facts: [],
    result: undefined,
  }))
  const { link } = await world.clock.during(alice.app.invite({ token: true }))
  const token = toHex(parseInvite(link).token ?? new Uint8Array(0))
  const left = [...(await settings.all()).keys()].filter((name) => name.startsWith('invite:'))
  assert.deepEqual(new Set(left), new Set([...names.slice(1), `invite:${token}`]))
  await world.clock.during(alice.app.invite({ token: false }))
  assert.equal([...(await settings.all()).keys()].filter((name) => name.startsWith('invite:')).length, 64)
})
