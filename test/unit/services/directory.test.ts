import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { toHex, utf8 } from '../../../src/lib/bytes.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { IdentityChangedError, NetworkError, NotFoundError } from '../../../src/lib/errors.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { accountCardHash, signAccountCard, signSuccessor } from '../../../src/protocol/card-rules.ts'
import { accountCardKey, prekeyCardKey } from '../../../src/protocol/mailbox-rules.ts'
import { Directory, FRESH_MS, RESOLVE_MS } from '../../../src/services/directory/directory.ts'
import { formerContact } from '../../../src/services/directory/follow.ts'
import type { ContactChange } from '../../../src/services/directory/ports.ts'
import { CONTACT_STATE, type Contact, PIN_SOURCE } from '../../../src/store/records.ts'
import type { AccountCard, AccountCardBody } from '../../../src/wire/card.ts'
import { CARD_KIND } from '../../../src/wire/holder.ts'
import type { PrekeyCard } from '../../../src/wire/prekeys.ts'
import { cardOf, certificateOf, idOf, NOW_S, prekeysOf, seedsOf } from '../protocol/card-fixtures.ts'
import { CardMemory } from './card-network.ts'

const first = await cardOf(1)
const prekeys = await prekeysOf(1, 50)
const BOB = idOf(1)
const BOBS_DEVICE = new Uint8Array(16).fill(50)

async function next(card: AccountCard, changes: Partial<AccountCardBody> = {}): Promise<AccountCard> {
  const { devices, number } = card.body
  return cardOf(1, { devices, number: number + 1, previous: accountCardHash(crypto, card), ...changes })
}

function contactOf(changes: Partial<Contact> = {}): Contact {
  return {
    accountId: BOB,
    name: 'Bob',
    state: CONTACT_STATE.accepted,
    pinned: undefined,
    pinSource: PIN_SOURCE.invite,
    pinnedAt: 0,
    checkedAt: 0,
    verified: true,
    changed: undefined,
    laneNumber: 3,
    note: '',
    favourite: true,
    direct: 1,
    addedAt: 1,
    lastSeenAt: 0,
    token: undefined,
    devices: [],
    ...changes,
  }
}

function world(contact?: Contact) {
  const clock = new VirtualClock(NOW_S * 1_000)
  const network = new CardMemory(clock)
  const book = new Map<string, Contact>()
  if (contact) book.set(toHex(contact.accountId), contact)
  const facts: { type: string; data: Readonly<Record<string, unknown>> }[] = []
  let staged: Contact[] = []
  const contacts = {
    get: async (id: Uint8Array) => book.get(toHex(id)),
    put: (changed: Contact) => {
      staged.push(changed)
      return []
    },
  }
  const journal = {
    async commit<T>(build: () => Promise<ContactChange<T>> | ContactChange<T>): Promise<T> {
      staged = []
      const change = await build()
      for (const changed of staged) book.set(toHex(changed.accountId), changed)
      facts.push(...change.facts)
      change.done?.()
      return change.result
    },
  }
  const suspended: string[] = []
  const hurried: string[] = []
  const directory = new Directory({
    crypto,
    clock,
    network,
    contacts,
    journal,
    log: silentLogger,
    onSuspend: async (id) => {
      suspended.push(toHex(id))
      return []
    },
    onFollow: (id) => hurried.push(toHex(id)),
  })
  const put = async (card: AccountCard | PrekeyCard): Promise<void> => {
    const record =
      'certificate' in card.body ? { kind: CARD_KIND.prekeys, body: card } : { kind: CARD_KIND.account, body: card }
    assert.deepEqual(await network.publish(record as never), { receipts: 5 })
  }
  const bob = (): Contact => book.get(toHex(BOB))!
  return { clock, network, directory, book, bob, facts, suspended, hurried, put }
}
const types = (facts: readonly { type: string }[]): string[] => facts.map(({ type }) => type)

test('ID-02 an account is found by its id, with the prekeys of each device', async () => {
  const { directory, put } = world()
  await put(first)
  await put(prekeys)
  const found = await directory.resolve(BOB)
  assert.deepEqual(found, { accountId: BOB, account: first, prekeys: [prekeys], checkedAt: NOW_S * 1_000 })
})

test('ID-02 an unknown account is not found; without any holder it is the network that is missing', async () => {
  const { directory, network } = world()
  await assert.rejects(directory.resolve(BOB), NotFoundError)
  network.holders = 0
  await assert.rejects(directory.resolve(BOB), NetworkError)
})

test('ID-02 where the network stays silent, an unknown account is not found within 10 s', async () => {
  const { directory, network, clock } = world()
  network.silent = true
  const startedAt = clock.now()
  let endedAt = 0
  const refused = assert.rejects(directory.resolve(BOB), NotFoundError).then(() => (endedAt = clock.now()))
  for (let i = 0; i < 11; i++) await clock.advance(i === 0 ? 0 : 1_000)
  await refused
  assert.equal(endedAt - startedAt, RESOLVE_MS)
  assert.ok(RESOLVE_MS < 10_000)
})

test('ID-05 whatever a holder answers, only the card that the id commits to is believed', async () => {
  const { directory, network } = world()
  const lies = [await cardOf(2), await signAccountCard(crypto, seedsOf(2), first.body)]
  for (const body of lies) {
    network.lies.set(toHex(accountCardKey(crypto, BOB)), { kind: CARD_KIND.account, body })
    await assert.rejects(directory.resolve(BOB), NotFoundError)
  }
  network.lies.set(toHex(accountCardKey(crypto, BOB)), { kind: CARD_KIND.prekeys, body: prekeys })
  await assert.rejects(directory.resolve(BOB), NotFoundError)
})

test('ID-05 prekeys of an unlisted device, or of a listed one with other keys, are left aside', async () => {
  const { directory, network, put } = world()
  await put(first)
  const other = await certificateOf(1, 51, { deviceId: BOBS_DEVICE })
  const key = toHex(prekeyCardKey(crypto, BOB, BOBS_DEVICE))
  for (const body of [await prekeysOf(1, 51), await prekeysOf(1, 51, { certificate: other })]) {
    network.lies.set(key, { kind: CARD_KIND.prekeys, body })
    assert.deepEqual((await directory.resolve(BOB, { refresh: true })).prekeys, [])
  }
})

for (const kind of ['contact', 'stranger'] as const) {
  test(`ID-07 within the hour a ${kind}'s cards come from memory; after it the network is asked again`, async () => {
    const { directory, network, clock, put } = world(kind === 'contact' ? contactOf() : undefined)
    await put(first)
    await put(prekeys)
    await directory.resolve(BOB)
    const asked = network.fetched.length
    await clock.advance(FRESH_MS - 1)
    const found = await directory.resolve(BOB)
    assert.equal(network.fetched.length, asked)
    assert.deepEqual(found.prekeys, [prekeys])
    await clock.advance(60_000)
    await directory.resolve(BOB)
    assert.equal(network.fetched.length, asked + 2)
  })
}

test('ID-07 a pin never expires: with the network gone for a year it still answers', async () => {
  const { directory, network, clock, put } = world(contactOf())
  await put(first)
  await put(prekeys)
  await directory.resolve(BOB)
  await clock.advance(400 * 86_400_000)
  network.holders = 0
  const found = await directory.resolve(BOB)
  assert.deepEqual(found.account, first)
  assert.deepEqual(found.prekeys, [], 'its prekeys do expire')
})

test('ID-07 many questions at once are one question', async () => {
  const { directory, network, put } = world()
  await put(first)
  await put(prekeys)
  const found = await Promise.all(Array.from({ length: 10 }, async () => directory.resolve(BOB)))
  assert.equal(network.fetched.length, 2)
  assert.equal(new Set(found).size, 1)
})

test('ID-10 the first card of a contact is pinned with where the contact came from', async () => {
  const { directory, bob, facts, hurried, put } = world(contactOf())
  await put(first)
  await put(prekeys)
  await directory.resolve(BOB)
  assert.deepEqual(bob().pinned, first)
  assert.deepEqual(bob().devices, [
    { deviceId: BOBS_DEVICE, prekeys, prekeysAt: NOW_S * 1_000, grant: undefined, grantSent: 0 },
  ])
  assert.deepEqual(facts, [
    { type: 'contact:pinned', data: { contact: toHex(BOB), number: 1, source: PIN_SOURCE.invite } },
  ])
  assert.deepEqual(hurried, [toHex(BOB)])
})

test('ID-10 a card that contradicts the pin suspends the contact, and nothing is resolved any more', async () => {
  const { directory, bob, facts, network, suspended, put } = world(contactOf({ pinned: first }))
  const forked = await next(first, { previous: new Uint8Array(32).fill(9) })
  await put(forked)
  await assert.rejects(directory.resolve(BOB), IdentityChangedError)
  assert.deepEqual(bob().pinned, first)
  assert.deepEqual(bob().changed, forked)
  assert.equal(bob().verified, false)
  assert.deepEqual(facts, [{ type: 'contact:changed', data: { contact: toHex(BOB), why: 'chain' } }])
  assert.deepEqual(suspended, [toHex(BOB)])
  const asked = network.fetched.length
  await assert.rejects(directory.resolve(BOB), IdentityChangedError)
  assert.equal(network.fetched.length, asked)
})

test('ID-10 two cards of one number suspend, a stranger with two is refused', async () => {
  const one = await next(first)
  const other = await next(first, { expiresAt: one.body.expiresAt - 1 })
  const known = world(contactOf({ pinned: one }))
  await known.put(other)
  await assert.rejects(known.directory.resolve(BOB), IdentityChangedError)
  const stranger = world()
  await stranger.put(one)
  await stranger.directory.resolve(BOB)
  stranger.network.lies.set(toHex(accountCardKey(crypto, BOB)), { kind: CARD_KIND.account, body: other })
  await assert.rejects(stranger.directory.resolve(BOB, { refresh: true }), IdentityChangedError)
})

test('ID-12 an older version that a hostile holder plays again changes nothing', async () => {
  const second = await next(first)
  const { directory, network, bob, facts } = world(contactOf({ pinned: second }))
  network.lies.set(toHex(accountCardKey(crypto, BOB)), { kind: CARD_KIND.account, body: first })
  assert.deepEqual((await directory.resolve(BOB)).account, second)
  assert.deepEqual(bob().pinned, second)
  assert.deepEqual(facts, [])
})

test('ID-12 an older prekey card never replaces a newer one', async () => {
  const newer = await prekeysOf(1, 50, { number: 7 })
  const device = { deviceId: BOBS_DEVICE, prekeys: newer, prekeysAt: 1, grant: undefined, grantSent: 5 }
  const { directory, network, bob, put } = world(contactOf({ pinned: first, devices: [device] }))
  await put(first)
  network.lies.set(toHex(prekeyCardKey(crypto, BOB, BOBS_DEVICE)), { kind: CARD_KIND.prekeys, body: prekeys })
  assert.deepEqual((await directory.resolve(BOB)).prekeys, [newer])
  assert.deepEqual(bob().devices, [device])
  const stranger = world()
  await stranger.put(first)
  await stranger.put(newer)
  await stranger.directory.resolve(BOB)
  stranger.network.lies.set(toHex(prekeyCardKey(crypto, BOB, BOBS_DEVICE)), { kind: CARD_KIND.prekeys, body: prekeys })
  assert.deepEqual((await stranger.directory.resolve(BOB, { refresh: true })).prekeys, [newer])
})

test('ID-15 prekeys of a listed device with other keys do not stay, whatever their number', async () => {
  const certificate = await certificateOf(1, 50, { identityKey: new Uint8Array(32).fill(9) })
  const foreign = await prekeysOf(1, 50, { certificate, number: 0xffff_ffff })
  const device = { deviceId: BOBS_DEVICE, prekeys: foreign, prekeysAt: 1, grant: undefined, grantSent: 5 }
  const { directory, bob, put } = world(contactOf({ pinned: first, devices: [device] }))
  await put(first)
  await put(prekeys)
  assert.deepEqual((await directory.resolve(BOB)).prekeys, [prekeys])
  assert.deepEqual(bob().devices, [{ ...device, prekeys, prekeysAt: NOW_S * 1_000 }])
})

test('ID-15 a changed device list is followed with a notice; what stays known of a device stays', async () => {
  const kept = { deviceId: BOBS_DEVICE, prekeys, prekeysAt: 1, grant: undefined, grantSent: 5 }
  const { directory, bob, facts, put } = world(contactOf({ pinned: first, devices: [kept] }))
  const second = await next(first, { devices: [first.body.devices[0]!, await certificateOf(1, 51)] })
  await put(second)
  await directory.resolve(BOB)
  assert.deepEqual(
    bob().devices.map(({ grantSent }) => grantSent),
    [5, 0],
  )
  assert.deepEqual(facts, [
    { type: 'contact:devices-changed', data: { contact: toHex(BOB), number: 2, added: 1, removed: 0 } },
  ])
  await put(await next(second, { devices: [second.body.devices[1]!] }))
  await directory.resolve(BOB, { refresh: true })
  assert.deepEqual(
    bob().devices.map(({ deviceId }) => deviceId[0]),
    [51],
  )
  assert.equal(bob().verified, true)
})

async function rotated() {
  const last = await next(first, { successor: await signSuccessor(crypto, seedsOf(2), BOB) })
  return { last, heir: await cardOf(2, { devices: [await certificateOf(2, 50)] }), heirPrekeys: await prekeysOf(2, 50) }
}

test('ID-12 a rotated account is followed with a notice: name, standing and granted mailboxes go on', async () => {
  const grant = { firstEpoch: 1, addresses: [], laneSeed: new Uint8Array(32), peerId: 'x', multiaddrs: [] }
  const device = { deviceId: BOBS_DEVICE, prekeys, prekeysAt: 1, grant, grantSent: 5 }
  const { directory, book, bob, facts, put } = world(contactOf({ pinned: first, devices: [device] }))
  const { last, heir, heirPrekeys } = await rotated()
  for (const card of [last, heir, heirPrekeys]) await put(card)
  const found = await directory.resolve(BOB)
  assert.deepEqual(found.accountId, idOf(2))
  assert.deepEqual(found.prekeys, [heirPrekeys])
  const contact = book.get(toHex(idOf(2)))!
  assert.equal(contact.name, 'Bob')
  assert.equal(contact.state, CONTACT_STATE.accepted)
  assert.equal(contact.verified, false, 'the safety number is another one')
  assert.deepEqual(contact.pinned, heir)
  assert.deepEqual(contact.devices, [
    { deviceId: BOBS_DEVICE, prekeys: heirPrekeys, prekeysAt: NOW_S * 1_000, grant, grantSent: 0 },
  ])
  assert.equal(bob().name, 'Bob (former)')
  assert.deepEqual(bob().pinned, last)
  assert.deepEqual(facts, [{ type: 'contact:succeeded', data: { contact: toHex(BOB), successor: toHex(idOf(2)) } }])
  assert.deepEqual((await directory.resolve(BOB)).accountId, idOf(2))
  await directory.resolve(BOB, { refresh: true })
  assert.equal(facts.length, 1)
})

test('ID-12 until the new card is in the network the old pin stays as it is', async () => {
  const { directory, bob, facts, put } = world(contactOf({ pinned: first }))
  const { last } = await rotated()
  await put(last)
  await assert.rejects(directory.resolve(BOB), NotFoundError)
  assert.deepEqual(bob().pinned, first)
  assert.deepEqual(types(facts), [])
})

test('ID-12 a stranger that was rotated is found under its old id', async () => {
  const { directory, put } = world()
  const { last, heir, heirPrekeys } = await rotated()
  for (const card of [last, heir, heirPrekeys]) await put(card)
  assert.deepEqual((await directory.resolve(BOB)).account, heir)
})

test('ID-12 a succession takes no stranger back to an older card', async () => {
  const { directory, network, put } = world()
  const { last, heir } = await rotated()
  const newer = await cardOf(2, { devices: heir.body.devices, number: 2, previous: accountCardHash(crypto, heir) })
  for (const card of [last, newer]) await put(card)
  assert.deepEqual((await directory.resolve(idOf(2))).account, newer)
  network.lies.set(toHex(accountCardKey(crypto, idOf(2))), { kind: CARD_KIND.account, body: heir })
  assert.deepEqual((await directory.resolve(BOB)).account, newer)
  assert.deepEqual((await directory.resolve(idOf(2))).account, newer)
})

test('ID-12 a forged succession, which the new account did not sign, is not followed', async () => {
  const { directory, bob, network } = world(contactOf({ pinned: first }))
  const successor = await signSuccessor(crypto, seedsOf(2), idOf(3))
  const body = await next(first, { successor })
  network.lies.set(toHex(accountCardKey(crypto, BOB)), { kind: CARD_KIND.account, body })
  assert.deepEqual((await directory.resolve(BOB)).account, first)
  assert.deepEqual(bob().pinned, first)
})

test('ID-12 the former contact’s name stays within its bytes and well formed', () => {
  for (const name of ['a'.repeat(64), '🦊'.repeat(16), `${'ü'.repeat(31)}🦊`]) {
    const former = formerContact(contactOf({ name })).name
    assert.ok(
      utf8(former).length <= 64 && former.isWellFormed() && !former.includes('\uFFFD') && former.endsWith(' (former)'),
    )
  }
})

test('ID-26 the directory runs on what it is handed: stopping it ends what is under way', async () => {
  const { directory, network } = world()
  network.silent = true
  const refused = assert.rejects(directory.resolve(BOB), NotFoundError)
  directory.stop()
  await refused
})
