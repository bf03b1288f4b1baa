/** Contacts out of a record beside those that are here. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { accountCardHash } from '../../../src/protocol/card-rules.ts'
import { mergedContact } from '../../../src/services/recovery/merge.ts'
import { CONTACT_STATE } from '../../../src/store/records.ts'
import type { Contact } from '../../../src/store/records.ts'
import type { AccountCard } from '../../../src/wire/card.ts'
import type { RecoveredContact } from '../../../src/wire/recovery.ts'

const { requested, incoming, accepted, blocked } = CONTACT_STATE
const SINCE = 1_000
const accountId = new Uint8Array(32).fill(5)
const key = { ed25519: new Uint8Array(32), mldsa65: new Uint8Array(1_952) }
const card = (number: number): AccountCard => ({
  body: {
    version: 1,
    suite: 1,
    account: key,
    number,
    previous: new Uint8Array(32),
    issuedAt: 1,
    expiresAt: 2,
    devices: [],
    successor: undefined,
  },
  signature: { ed25519: new Uint8Array(64), mldsa65: new Uint8Array(3_309) },
})

const kept = (changes: Partial<RecoveredContact> = {}): RecoveredContact => ({
  version: 1,
  accountId,
  name: 'as it was',
  state: accepted,
  note: '',
  pin: { number: 4, hash: accountCardHash(nativeProvider, card(4)) },
  pinSource: 2,
  verified: true,
  suspended: false,
  favourite: true,
  direct: 2,
  addedAt: 7,
  muted: false,
  pinned: false,
  timer: 0,
  lamport: 0,
  ...changes,
})

const here = (changes: Partial<Contact> = {}): Contact => ({
  accountId,
  name: 'as it is',
  state: accepted,
  pinned: card(4),
  pinSource: 1,
  pinnedAt: 3,
  checkedAt: 3,
  verified: false,
  changed: undefined,
  laneNumber: 2,
  note: '',
  favourite: false,
  direct: 1,
  addedAt: SINCE - 1,
  lastSeenAt: 0,
  token: undefined,
  devices: [],
  ...changes,
})

const merge = (local: Contact | undefined, record: Partial<RecoveredContact> = {}, sure = true) =>
  mergedContact(nativeProvider, local, kept(record), { since: SINCE, sure })

test('ID-12 a block that the record has stands, unless the user has added the contact since', () => {
  for (const local of [here(), here({ state: requested }), here({ state: incoming, addedAt: SINCE + 1 })]) {
    const merged = merge(local, { state: blocked }) ?? assert.fail()
    assert.deepEqual([merged.contact.state, merged.sought], [blocked, undefined])
  }
  assert.equal(merge(here({ state: requested, addedAt: SINCE + 1 }), { state: blocked }), undefined)
  assert.equal(merge(here({ state: blocked })), undefined, 'and a block that is here stays')
})

test('ID-12 who asks while the record is looked for is the contact that it was', () => {
  const merged = merge(here({ state: incoming, addedAt: SINCE + 1 })) ?? assert.fail()
  const { state, name, verified, favourite, direct, laneNumber } = merged.contact
  assert.deepEqual([state, name, verified, favourite, direct, laneNumber], [accepted, 'as it was', true, true, 2, 2])
  assert.equal(merged.sought?.greet, true)
  assert.equal(merge(here()), undefined, 'what is here and no less stays as it is')
})

test('ID-12 the later pin counts, and one that contradicts ours is judged anew', () => {
  const hash = new Uint8Array(32).fill(9)
  for (const number of [4, 5]) {
    const merged = merge(here(), { pin: { number, hash } }) ?? assert.fail()
    assert.equal(merged.contact.pinned, undefined)
    assert.equal(merged.contact.name, 'as it is')
    assert.deepEqual(merged.sought?.pin, { number, hash })
  }
  assert.equal(merge(here(), { pin: { number: 3, hash } }), undefined)
})

test('ID-12 what is found beside a home that has its own records makes no contact and verifies none', () => {
  const merged = merge(undefined, {}, false) ?? assert.fail()
  const { state, verified, favourite } = merged.contact
  assert.deepEqual([state, verified, favourite, merged.sought?.greet], [incoming, false, false, false])
  assert.equal(merge(undefined, { state: blocked }, false)?.contact.state, blocked)
  for (const local of [here(), here({ state: incoming })]) {
    for (const state of [accepted, blocked]) assert.equal(merge(local, { state, pin: undefined }, false), undefined)
  }
  assert.equal(merge(undefined)?.contact.verified, true, 'the words alone bring back everything')
})
