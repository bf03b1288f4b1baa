/** NA-09: who may learn where we are, and what the others are told and allowed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Grant } from '../../src/wire/content.ts'
import { parseInvite } from '../../src/wire/invite.ts'
import { World } from '../support/messenger.ts'
import type { Person } from '../support/messenger.ts'

const SELF = '12D3KooWAvd4jSNemYpZ3tx5Z3DVFENY813tkGEd8V5qFE6BeAmx'
const OTHER = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA'
const RELAYED = [`/ip4/203.0.113.1/tcp/4001/p2p/${OTHER}/p2p-circuit/p2p/${SELF}`]
const PUBLIC = [`/ip4/198.51.100.7/tcp/4001/p2p/${SELF}`, ...RELAYED]
const NEIGHBOUR = `/ip4/203.0.113.1/tcp/4001/p2p/${OTHER}`
const pair = async () => {
  const world = await World.of(['alice', 'bob'])
  return { world, alice: world.named('alice'), bob: world.named('bob') }
}
/** What somebody knows of where another is dialled. */
const granted = async (who: Person, of: Person): Promise<Grant | undefined> =>
  (await who.rooms.contacts.require(of.id)).devices[0]?.grant

test('NA-09 a contact may learn our address from acceptance on; one that is blocked, removed or locked away may not', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  assert.equal(alice.meeting(bob.peerId), 'direct')
  assert.equal(alice.meeting('somebody'), 'stranger')
  assert.deepEqual((await granted(bob, alice))?.multiaddrs, ['/memory/alice'])
  await alice.app.blockContact(bob.address)
  assert.equal(alice.meeting(bob.peerId), 'none')
  await alice.app.unblockContact(bob.address)
  assert.equal(alice.meeting(bob.peerId), 'direct')
  await alice.app.lock()
  assert.equal(alice.meeting(bob.peerId), 'stranger')
  await alice.unlock()
  assert.equal(alice.meeting(bob.peerId), 'direct')
  await alice.app.removeContact(bob.address)
  assert.equal(alice.meeting(bob.peerId), 'stranger')
})

test('NA-09 PR-16 who asks to be a contact may learn nothing before the answer', async () => {
  const world = await World.strangers(['alice', 'mallory'])
  await using _ = world
  const [alice, mallory] = [world.named('alice'), world.named('mallory')]
  await mallory.add(alice)
  await world.must(async () => (await alice.app.contacts()).length === 1, 'it is pending')
  assert.equal(alice.meeting(mallory.peerId), 'stranger')
  await alice.accept(mallory)
  assert.equal(alice.meeting(mallory.peerId), 'direct')
})

test('NA-09 direct: never, for one contact: it is told how relays lead here and nothing else, at once, and back', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  alice.addresses = RELAYED
  alice.behindNat = true
  const view = await alice.app.updateContact(bob.address, { direct: 'never' })
  assert.equal(view.direct, 'never')
  assert.equal(alice.meeting(bob.peerId), 'relayed')
  await world.must(async () => (await granted(bob, alice))?.multiaddrs[0] === RELAYED[0], 'the relay is told')
  assert.deepEqual((await granted(bob, alice))?.multiaddrs, RELAYED)
  await alice.app.updateContact(bob.address, { direct: 'always' })
  assert.equal(alice.meeting(bob.peerId), 'direct')
})

test('NA-09 direct: never, before it is known that nobody can dial us: no peer id is told, whatever the addresses look like', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  alice.addresses = []
  await alice.app.updateContact(bob.address, { direct: 'never' })
  assert.equal(alice.meeting(bob.peerId), 'none')
  await world.must(async () => (await granted(bob, alice))?.peerId === '', 'nothing is told')
  alice.addresses = RELAYED
  assert.equal(alice.meeting(bob.peerId), 'none')
  alice.behindNat = true
  assert.equal(alice.meeting(bob.peerId), 'relayed')
  await world.must(
    async () => (await granted(bob, alice))?.multiaddrs[0] === RELAYED[0],
    'the verdict alone has it told',
  )
  alice.addresses = PUBLIC
  assert.equal(alice.meeting(bob.peerId), 'none')
})

test('NA-09 where we can be dialled ourselves, a contact with direct: never learns no peer id and is met nowhere', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  alice.addresses = PUBLIC
  await alice.app.updateContact(bob.address, { direct: 'never' })
  assert.equal(alice.meeting(bob.peerId), 'none')
  await world.must(async () => (await granted(bob, alice))?.peerId === '', 'nothing is told')
  assert.deepEqual((await granted(bob, alice))?.multiaddrs, [])
  world.block(alice, bob)
  await bob.send(alice, 'by the mailbox')
  await world.must(async () => (await alice.read(bob)).length === 1, 'mail still comes')
})

test('NA-09 direct: never, for all: no contact and no invite learns an address of ours, whatever a contact is set to', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await alice.stop()
  alice.neverDirect = true
  alice.behindNat = true
  alice.addresses = RELAYED
  await alice.start()
  alice.online()
  assert.equal(alice.meeting(bob.peerId), 'relayed')
  alice.addresses = PUBLIC
  assert.equal(alice.meeting(bob.peerId), 'none')
  const invited = async (): Promise<readonly string[]> =>
    parseInvite((await alice.app.invite({ token: false })).link).addresses
  alice.waysIn = [...PUBLIC, NEIGHBOUR]
  assert.deepEqual(await invited(), [NEIGHBOUR])
  alice.addresses = RELAYED
  alice.waysIn = [...RELAYED, NEIGHBOUR]
  assert.deepEqual(await invited(), [...RELAYED, NEIGHBOUR])
})

test('NA-09 who is met directly by nobody does not dial what stands in an invite', async () => {
  const world = await World.strangers(['alice', 'bob'])
  await using _ = world
  const [alice, bob] = [world.named('alice'), world.named('bob')]
  alice.waysIn = [NEIGHBOUR]
  const { link } = await alice.app.invite({ token: false })
  for (const neverDirect of [false, true]) {
    await bob.stop()
    bob.neverDirect = neverDirect
    await bob.start()
    bob.online()
    bob.joinedBy.length = 0
    await world.clock.during(bob.app.addContact({ target: link }))
    assert.deepEqual(bob.joinedBy, neverDirect ? [] : [NEIGHBOUR])
    await bob.app.removeContact(alice.address)
  }
})

test('NA-09 a peer id that several contacts claim: one that is blocked takes nothing from another', async () => {
  const world = await World.of(['alice', 'bob', 'carol'])
  await using _ = world
  const [alice, bob, carol] = [world.named('alice'), world.named('bob'), world.named('carol')]
  await alice.rooms.journal.commit(async () => {
    const contact = await alice.rooms.contacts.require(carol.id)
    const devices = contact.devices.map((device) =>
      device.grant === undefined ? device : { ...device, grant: { ...device.grant, peerId: bob.peerId } },
    )
    return { ops: alice.rooms.store.contacts.put({ ...contact, devices }), facts: [], result: undefined }
  })
  assert.equal(alice.meeting(carol.peerId), 'stranger', 'it named another')
  await alice.app.blockContact(carol.address)
  assert.equal(alice.meeting(bob.peerId), 'direct')
})
