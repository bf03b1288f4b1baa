/** Which contact a live signal may be from, where several claim one peer id. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../../src/lib/bytes.ts'
import { Places } from '../../../src/services/live/places.ts'
import { CONTACT_STATE } from '../../../src/store/records.ts'
import type { Contact } from '../../../src/store/records.ts'

const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

function claiming(value: number, devices: readonly number[]): Contact {
  const made = devices.map((device) => ({ deviceId: bytes(16, device), grant: { peerId: 'one' } }))
  return { accountId: bytes(32, value), state: CONTACT_STATE.accepted, devices: made } as unknown as Contact
}

test('PR-01 PR-04 a contact that claims a peer id with many devices does not keep its owner from being heard', () => {
  const places = new Places()
  const [mallory, bob] = [claiming(2, [11, 12, 13, 14, 15]), claiming(1, [1])]
  for (const contact of [mallory, bob]) places.note(contact.accountId, contact)
  const accounts = places.claims('one').map(({ account }) => account)
  assert.deepEqual(accounts, [toHex(mallory.accountId), toHex(bob.accountId)])
  for (let i = 20; i < 40; i++) places.note(bytes(32, i), claiming(i, [i]))
  assert.equal(places.claims('one').length, 4)
  assert.deepEqual(places.claims('two'), [])
})
