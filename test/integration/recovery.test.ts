/** The 24 words alone bring back account, contacts, settings and undelivered mail, and nobody else does anything for it (G22). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../src/lib/bytes.ts'
import { ConflictError, UsageError } from '../../src/lib/errors.ts'
import { DAY_MS, HOUR_MS } from '../../src/lib/time.ts'
import { accountCardKey } from '../../src/protocol/mailbox-rules.ts'
import { recoveryAddressOf } from '../../src/protocol/recovery-rules.ts'
import { CONTACT_STATE } from '../../src/store/records.ts'
import { RECOVERY_STATE } from '../../src/store/recovery.ts'
import { CARD_KIND, HOLDER_VERB } from '../../src/wire/holder.ts'
import type { CardRecord } from '../../src/wire/holder.ts'
import { World } from '../support/messenger.ts'
import type { Holder, Person } from '../support/messenger.ts'

const FRIENDS = ['bob', 'carol', 'dave']
/** Until what changed is on the holders. */
const KEPT_MS = 15_000

const stateOf = async (who: Person, of: Person): Promise<number | undefined> =>
  (await who.rooms.contacts.get(of.known))?.state

const canWrite = async (who: Person, to: Person): Promise<boolean> => {
  const contact = await who.rooms.contacts.get(to.known)
  return contact?.state === CONTACT_STATE.accepted && contact.devices.some(({ grant }) => grant !== undefined)
}

async function alone(options = {}) {
  const world = await World.of(['alice', ...FRIENDS], options)
  const [alice, bob, carol, dave] = ['alice', ...FRIENDS].map((name) => world.named(name))
  assert.ok(alice && bob && carol && dave)
  return { world, alice, bob, carol, dave }
}

test('SY-10 TE-07 G22 the 24 words alone bring back account, contacts, settings and undelivered mail within a minute', async () => {
  const { world, alice, bob, carol, dave } = await alone({ holders: 50 })
  await using _ = world
  await alice.app.updateSettings({ presence: true, retentionDays: 30 })
  await alice.app.updateContact(bob.address, { name: 'Robert', favourite: true })
  await alice.app.verifyContact(bob.address, { verified: true })
  await alice.app.blockContact(dave.address)
  const { digits } = await alice.app.safetyNumber(bob.address)
  const old = alice.id
  await world.clock.pass(KEPT_MS)
  const { phrase } = alice
  await alice.stop()

  const waiting = await bob.send(alice, 'while you were gone')
  await world.clock.pass(60_000)
  assert.equal(await bob.status(waiting), 'stored')
  const events = (await bob.events()).length

  const began = world.clock.now()
  const again = await world.restored('alice2', phrase)
  assert.deepEqual(again.id, old)
  assert.deepEqual(again.recovered, { card: true, contacts: 3, settings: true })
  const [robert] = (await again.app.contacts()).filter(({ accountId }) => accountId === bob.address)
  assert.deepEqual([robert?.name, robert?.favourite, robert?.verified], ['Robert', true, true])
  assert.equal((await again.app.settings()).retentionDays, 30)
  assert.equal(await stateOf(again, dave), CONTACT_STATE.blocked)

  await world.must(async () => (await again.read(bob)).length > 0, 'what waited comes again')
  await world.must(async () => canWrite(again, bob), 'bob has answered')
  await world.must(async () => canWrite(again, carol), 'carol has answered')
  assert.ok(world.clock.now() - began <= 60_000, `within a minute: ${world.clock.now() - began} ms`)
  assert.deepEqual(await again.read(bob), ['while you were gone'])
  await world.must(async () => (await bob.status(waiting)) === 'delivered', 'bob sees it delivered')

  await again.send(bob, 'hello again')
  await bob.send(again, 'welcome back')
  await carol.send(again, 'me too')
  await world.must(
    async () => (await again.read(bob)).length === 2 && (await bob.read(again)).length === 1,
    'both ways',
  )
  await world.must(async () => (await again.read(carol)).length === 1, 'carol as well')
  assert.deepEqual(await bob.read(again), ['hello again'])
  assert.deepEqual(await again.read(bob), ['while you were gone', 'welcome back'])
  assert.equal((await again.app.safetyNumber(bob.address)).digits, digits)

  const since = (await bob.events()).slice(events).map(({ type }) => type)
  assert.ok(since.includes('contact:devices-changed'), 'bob is told of the new device')
  assert.ok(!since.includes('contact:changed') && !since.includes('contact:requested'), 'and asked for nothing')
  assert.equal((await bob.app.contacts()).length, 3)
  assert.equal(toHex(again.rooms.account.deviceId) === toHex(alice.known), false)
})

/** The holder shows these cards instead of what it has, and takes no newer ones of theirs. */
function freeze(holder: Holder, cards: ReadonlyMap<string, CardRecord>): void {
  holder.lie = async (_caller, request, honest) => {
    if (request.kind !== HOLDER_VERB.getCard) return honest()
    const old = cards.get(toHex(request.body.key))
    const answer = await honest()
    return old === undefined ? answer : { status: 0, answer: { kind: 2, body: old }, closer: answer.closer }
  }
}

async function cardsNow(world: World, keys: readonly Uint8Array[]): Promise<ReadonlyMap<string, CardRecord>> {
  const found = new Map<string, CardRecord>()
  for (const key of keys) {
    for (const { held } of world.holders) {
      const card = await held.cards.get(key, world.clock.now())
      if (card !== undefined) found.set(toHex(key), card)
    }
  }
  return found
}

const secretOf = async (who: Person): Promise<Uint8Array> =>
  (await who.rooms.store.recovery.own())?.secret ?? assert.fail()

test('MB-43 ID-12 holders that show old records bring nothing old back, and a card of theirs never makes two of one number', async () => {
  const { world, alice, bob, carol } = await alone({ holders: 7 })
  await using _ = world
  await world.clock.pass(KEPT_MS)
  const keys = [accountCardKey(world.crypto, alice.id), recoveryAddressOf(world.crypto, await secretOf(alice), 0)]
  const old = await cardsNow(world, keys)
  assert.equal(old.size, 2)
  await alice.app.updateContact(bob.address, { name: 'Robert' })
  await alice.app.removeContact(carol.address)
  await world.clock.pass(KEPT_MS)
  const { phrase } = alice
  await alice.stop()
  const key = keys[1] ?? assert.fail()
  const keepers: Holder[] = []
  for (const holder of world.holders) {
    if ((await holder.held.cards.get(key, world.clock.now())) !== undefined) keepers.push(holder)
  }
  const [honest, silent] = keepers
  assert.ok(honest && silent)
  for (const holder of world.holders) if (holder !== honest) freeze(holder, old)
  // One that has it says that it has nothing.
  silent.lie = async (_caller, request, honest) => {
    const answer = await honest()
    return request.kind === HOLDER_VERB.getCard ? { status: 5, answer: { kind: 0, body: {} }, closer: [] } : answer
  }
  const again = await world.restored('alice2', phrase)
  const names = (await again.app.contacts()).map(({ name }) => name).sort()
  assert.deepEqual(names, ['Robert', 'dave'])
  for (const holder of world.holders) holder.lie = undefined
  await bob.send(again, 'still you')
  await world.must(async () => (await again.read(bob)).length === 1, 'bob follows')
  assert.deepEqual(await bob.events('contact:changed'), [])
})

test('ID-12 where every holder shows an old account card, the new one still contradicts none', async () => {
  const { world, alice, bob } = await alone()
  await using _ = world
  await world.clock.pass(KEPT_MS)
  const old = await cardsNow(world, [accountCardKey(world.crypto, alice.id)])
  // The card is made anew while the passphrase is at hand and 30 days have passed.
  await alice.app.lock()
  await world.clock.sleep(31 * DAY_MS)
  await alice.unlock()
  await world.clock.pass(5 * 60_000)
  await world.clock.during(bob.rooms.directory.resolve(alice.id, { refresh: true }))
  assert.equal((await bob.rooms.contacts.get(alice.id))?.pinned?.body.number, 2)
  const { phrase } = alice
  await alice.stop()
  for (const holder of world.holders) freeze(holder, old)
  const again = await world.restored('alice2', phrase)
  for (const holder of world.holders) holder.lie = undefined
  assert.equal(again.recovered?.card, true)
  assert.ok(((await again.rooms.store.accounts.own())?.number ?? 0) > 2)
  await world.must(async () => canWrite(again, bob), 'bob follows')
  assert.deepEqual(await bob.events('contact:changed'), [])
})

test('without a network the account works; its card waits, and with the network everything comes back', async () => {
  const { world, alice, bob, carol } = await alone()
  await using _ = world
  await world.clock.pass(KEPT_MS)
  const { phrase } = alice
  await alice.stop()
  const waiting = await bob.send(alice, 'are you there?')
  await world.clock.pass(60_000)
  for (const holder of world.holders) holder.down()
  const again = await world.restored('alice2', phrase)
  assert.deepEqual(again.recovered, { card: false, contacts: 0, settings: false })
  assert.equal((await again.app.publishIdentity()).receipts, 0)
  assert.equal((await again.app.identity()).accountId, alice.address)
  await again.app.updateSettings({ typing: false })
  await world.clock.pass(10 * 60_000)
  // Across a restart as well.
  await again.stop()
  await again.start()
  again.online()
  assert.equal(await again.rooms.recovery.holdsCard(), true)
  for (const holder of world.holders) holder.back()
  await world.must(async () => (await again.events('recovery:found')).length === 1, 'it is found')
  await world.must(async () => canWrite(again, bob), 'bob has answered')
  await world.must(async () => canWrite(again, carol), 'carol has answered')
  await world.must(async () => (await bob.status(waiting)) === 'delivered', 'what waited is delivered')
  assert.deepEqual(await again.read(bob), ['are you there?'])
  assert.equal((await again.app.settings()).typing, false, 'what was chosen meanwhile stays')
  assert.deepEqual(await bob.events('contact:changed'), [])
})

test('TE-07 a restore that is killed at any write goes on where it was, and delivers once', async () => {
  for (const [i, killAt] of [1, 2, 5, 6, 9, 13, 19, 27].entries()) {
    const { world, alice, bob } = await alone()
    await using _ = world
    await world.clock.pass(KEPT_MS)
    const { phrase } = alice
    await alice.stop()
    await bob.send(alice, 'once')
    await world.clock.pass(30_000)
    const again = world.device('alice2')
    again.onDisk = (disk) => {
      disk.onWrite = (count) => (count !== killAt ? 'write' : i % 2 === 0 ? 'lose' : 'last')
    }
    const began = again.start(phrase).catch(() => {})
    await world.clock.pass(20_000)
    again.onDisk = undefined
    await again.kill()
    void began
    await again.start(phrase)
    again.online()
    const what = `after a kill at write ${killAt}`
    await world.must(async () => canWrite(again, bob), `bob has answered ${what}`)
    await world.must(async () => (await again.read(bob)).length > 0, `what waited comes ${what}`)
    await again.send(bob, 'back')
    await world.must(async () => (await bob.read(again)).length > 0, `both ways ${what}`)
    await world.clock.pass(10 * 60_000)
    assert.deepEqual([await again.read(bob), await bob.read(again)], [['once'], ['back']], what)
    assert.equal((await again.app.contacts()).length, 3, what)
    assert.deepEqual(await bob.events('contact:changed'), [], what)
  }
})

test('ID-12 the words of before a rotation are told from those of after it', async () => {
  const { world, alice, bob } = await alone()
  await using _ = world
  const old = alice.phrase
  const rotated = await world.clock.during(alice.app.rotateIdentity({ passphrase: 'correct horse' }))
  await world.clock.pass(5 * 60_000)
  await alice.stop()
  const isReplaced = (error: unknown): boolean => error instanceof ConflictError && /replaced/.test(error.message)
  await assert.rejects(world.device('alice2').start(old), isReplaced)
  await assert.rejects(world.device('alice3').start(`${old} zebra`), UsageError)
  const wrong = old.replace(/^\w+/, 'nonsense')
  await assert.rejects(world.device('alice4').start(wrong), /word 1 of the recovery phrase is not/)
  const device = await world.restored('alice5', rotated.phrase)
  assert.equal(device.recovered?.contacts, 3)
  await world.must(async () => canWrite(device, bob), 'bob has answered')
  await device.send(bob, 'new keys, new device')
  await world.must(async () => (await bob.read(device)).length === 1, 'it arrives')
})

test('old words without a network say nothing in the account’s name once the network tells of its successor', async () => {
  const { world, alice, bob } = await alone()
  await using _ = world
  const old = alice.phrase
  await world.clock.during(alice.app.rotateIdentity({ passphrase: 'correct horse' }))
  await world.clock.pass(5 * 60_000)
  await alice.stop()
  for (const holder of world.holders) holder.down()
  const device = await world.restored('alice2', old)
  for (const holder of world.holders) holder.back()
  await world.must(async () => (await device.events('recovery:replaced')).length === 1, 'it is told')
  await world.clock.sleep(DAY_MS)
  assert.equal((await device.rooms.store.accounts.own())?.publishedAt, 0)
  assert.deepEqual(await bob.events('contact:changed'), [])
})

test('a device that was only mislaid finds that another one took its place, and writes over nothing', async () => {
  const { world, alice, bob } = await alone()
  await using _ = world
  await world.clock.pass(KEPT_MS)
  const again = await world.restored('alice2', alice.phrase)
  await world.must(async () => canWrite(again, bob), 'bob has answered')
  await again.app.updateContact(bob.address, { name: 'the new device named me' })
  await world.clock.sleep(2 * DAY_MS)
  await world.clock.pass(KEPT_MS)
  const stale = await alice.rooms.store.accounts.own()
  assert.ok(stale && stale.card.body.number < stale.number, 'it knows')
  const [card] = (await cardsNow(world, [recoveryAddressOf(world.crypto, await secretOf(again), 0)])).values()
  assert.ok(card?.kind === CARD_KIND.recovery)
  const third = await world.restored('alice3', alice.phrase)
  const names = (await third.app.contacts()).map(({ name }) => name)
  assert.ok(names.includes('the new device named me'))
})

test('PR-16 requests that wait on either side are there again, and can be answered', async () => {
  const world = await World.strangers(['alice', 'eve', 'frank'])
  await using _ = world
  const [alice, eve, frank] = ['alice', 'eve', 'frank'].map((name) => world.named(name))
  assert.ok(alice && eve && frank)
  await alice.add(eve)
  await frank.add(alice)
  await world.must(async () => (await stateOf(eve, alice)) === CONTACT_STATE.incoming, 'eve is asked')
  await world.must(async () => (await stateOf(alice, frank)) === CONTACT_STATE.incoming, 'frank has asked')
  await world.clock.pass(KEPT_MS)
  const { phrase } = alice
  await alice.stop()
  const again = await world.restored('alice2', phrase)
  assert.equal(await stateOf(again, eve), CONTACT_STATE.requested)
  assert.equal(await stateOf(again, frank), CONTACT_STATE.incoming)
  await world.clock.pass(60_000)
  await again.accept(frank)
  await eve.accept(again)
  for (const other of [eve, frank]) {
    await world.must(async () => canWrite(again, other), `${other.name} is a contact`)
    await other.send(again, 'hello')
    await world.must(async () => (await again.read(other)).length === 1, `${other.name} is heard`)
  }
})

test('a device whose clock was far behind signs another card at its next unlock', async () => {
  const { world, alice, bob } = await alone()
  await using _ = world
  await world.clock.pass(KEPT_MS)
  const { phrase } = alice
  await alice.stop()
  for (const holder of world.holders) holder.down()
  const again = await world.restored('alice2', phrase)
  const { accounts } = again.rooms.store
  const own = await accounts.own()
  assert.ok(own)
  // As it would be where the clock said 1970.
  const behind = { ...own, number: 1, card: { ...own.card, body: { ...own.card.body, number: 1 } } }
  await again.rooms.journal.commit(() => ({ ops: accounts.put(behind), facts: [], result: undefined }))
  for (const holder of world.holders) holder.back()
  await world.must(async () => (await again.rooms.store.recovery.own())?.state === RECOVERY_STATE.settled, 'found')
  assert.equal((await again.rooms.store.recovery.own())?.signAgain, true)
  await again.app.lock()
  await again.unlock()
  assert.equal((await again.rooms.store.recovery.own())?.signAgain, false)
  await world.must(async () => canWrite(again, bob), 'bob has answered')
  assert.deepEqual(await bob.events('contact:changed'), [])
})

/** Whose card goes out later, and which numbers it has. */
const numbers = async (who: Person): Promise<readonly (number | undefined)[]> => {
  const own = await who.rooms.store.accounts.own()
  return [own?.card.body.number, own?.number]
}

test('ID-12 a card that is signed above another device’s leaves a gap, and no contact suspends the account', async () => {
  const { world, alice, bob } = await alone()
  await using _ = world
  await world.clock.pass(KEPT_MS)
  const { phrase } = alice
  await alice.stop()
  const two = await world.restored('alice2', phrase)
  await world.must(async () => canWrite(two, bob), 'bob follows')
  await world.clock.pass(KEPT_MS)
  const [shown = 0] = await numbers(two)
  await two.stop()
  for (const holder of world.holders) holder.down()
  const three = await world.restored('alice3', phrase)
  const { accounts } = three.rooms.store
  const own = (await accounts.own()) ?? assert.fail()
  // As it would be where the clock was behind.
  const behind = { ...own, number: 1_000, card: { ...own.card, body: { ...own.card.body, number: 1_000 } } }
  await three.rooms.journal.commit(() => ({ ops: accounts.put(behind), facts: [], result: undefined }))
  for (const holder of world.holders) holder.back()
  await world.must(async () => (await three.rooms.store.recovery.own())?.state === RECOVERY_STATE.settled, 'found')
  await three.app.lock()
  await three.unlock()
  await world.must(async () => canWrite(three, bob), 'bob follows again')
  assert.deepEqual(await numbers(three), [shown + 2, shown + 2])
  assert.deepEqual(await bob.events('contact:changed'), [])
})

test('ID-12 who is brought back twice, a second apart and the second time without a network, is suspended by nobody', async () => {
  for (const apart of [0, 1, 2]) {
    const { world, alice, bob } = await alone()
    await using _ = world
    await world.clock.pass(KEPT_MS)
    const { phrase } = alice
    await alice.stop()
    const two = await world.restored('alice2', phrase)
    await world.must(async () => canWrite(two, bob), 'bob follows')
    const [shown = 0] = await numbers(two)
    await two.stop()
    for (const holder of world.holders) holder.down()
    const three = await world.restored('alice3', phrase)
    const { accounts } = three.rooms.store
    const own = (await accounts.own()) ?? assert.fail()
    const number = shown + apart
    const near = { ...own, number, card: { ...own.card, body: { ...own.card.body, number } } }
    await three.rooms.journal.commit(() => ({ ops: accounts.put(near), facts: [], result: undefined }))
    for (const holder of world.holders) holder.back()
    await world.must(async () => (await three.rooms.store.recovery.own())?.asked === true, 'the network was asked')
    assert.equal((await three.rooms.store.recovery.own())?.signAgain, apart < 2)
    await world.clock.sleep(7 * HOUR_MS)
    await world.clock.pass(60_000)
    assert.deepEqual(await bob.events('contact:changed'), [])
  }
})

test('MB-27 what is said to a contact that came back, before any device of it is known, waits and arrives', async () => {
  const { world, alice, bob } = await alone()
  await using _ = world
  await world.clock.pass(KEPT_MS)
  const { phrase } = alice
  await alice.stop()
  const key = toHex(accountCardKey(world.crypto, bob.id))
  // Of bob nobody shows a card yet.
  for (const holder of world.holders) {
    holder.lie = async (_caller, request, honest) => {
      const answer = await honest()
      const isBob = request.kind === HOLDER_VERB.getCard && toHex(request.body.key) === key
      return isBob ? { status: 5, answer: { kind: 0, body: {} }, closer: answer.closer } : answer
    }
  }
  const again = await world.restored('alice2', phrase)
  assert.deepEqual((await again.rooms.contacts.get(bob.id))?.devices, [])
  const said = await again.send(bob, 'are you there?')
  await world.clock.pass(60_000)
  assert.equal(await again.status(said), 'queued')
  for (const holder of world.holders) holder.lie = undefined
  await world.must(async () => (await bob.read(again)).length === 1, 'it arrives')
  await world.must(async () => (await again.status(said)) === 'delivered', 'and is said to have')
})
