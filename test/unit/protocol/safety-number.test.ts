import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { nobleProvider } from '../../../src/crypto/noble.ts'
import { fromHex } from '../../../src/lib/bytes.ts'
import {
  compareQr,
  deviceSetHash,
  formatSafetyNumber,
  safetyNumber,
  safetyQr,
} from '../../../src/protocol/safety-number.ts'
import { encodeSafetyQr, parseSafetyQr } from '../../../src/wire/invite.ts'
import { cardOf, certificateOf, idOf, NOW_S } from './card-fixtures.ts'

interface Vector {
  readonly one: string
  readonly other: string
  readonly digits: string
}
const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/safety-number.json', import.meta.url), 'utf8'),
) as readonly Vector[]
const crypto = nativeProvider
const alice = await cardOf(1)
const bob = await cardOf(2)
const mallory = await cardOf(3)

for (const provider of [nativeProvider, nobleProvider]) {
  test(`ID-30 safety number vectors (${provider.name})`, () => {
    for (const { one, other, digits } of vectors) {
      assert.equal(safetyNumber(provider, fromHex(one)!, fromHex(other)!), digits)
    }
  })
}

test('ID-30 both ends see the same 60 digits', () => {
  const digits = safetyNumber(crypto, idOf(1), idOf(2))
  assert.match(digits, /^\d{60}$/)
  assert.equal(safetyNumber(crypto, idOf(2), idOf(1)), digits)
  assert.match(formatSafetyNumber(digits), /^(\d{5} ){11}\d{5}$/)
  assert.equal(formatSafetyNumber(digits).replaceAll(' ', ''), digits)
})

test('ID-30 with somebody in between the digits differ', () => {
  assert.notEqual(safetyNumber(crypto, idOf(1), idOf(3)), safetyNumber(crypto, idOf(3), idOf(2)))
})

test('ID-30 the digits change when either account is rotated', () => {
  const before = safetyNumber(crypto, idOf(1), idOf(2))
  assert.notEqual(safetyNumber(crypto, idOf(4), idOf(2)), before)
  assert.notEqual(safetyNumber(crypto, idOf(1), idOf(4)), before)
})

test('ID-30 codes of both ends match, also after they went through a QR code', () => {
  const scanned = parseSafetyQr(encodeSafetyQr(safetyQr(crypto, bob, alice)))
  assert.deepEqual(scanned, safetyQr(crypto, bob, alice))
  assert.equal(compareQr(safetyQr(crypto, alice, bob), scanned), 'match')
})

test("ID-30 a code of somebody in between, of another contact, or one's own does not match", () => {
  const own = safetyQr(crypto, alice, bob)
  const others = [safetyQr(crypto, bob, mallory), safetyQr(crypto, mallory, alice), safetyQr(crypto, alice, bob)]
  for (const scanned of others) assert.equal(compareQr(own, scanned), 'mismatch')
})

test('ID-30 the code covers both device sets', async () => {
  const devices = [await certificateOf(2, 50), await certificateOf(2, 51)]
  const scanned = safetyQr(crypto, await cardOf(2, { devices }), alice)
  assert.equal(compareQr(safetyQr(crypto, alice, bob), scanned), 'devices-differ')
})

test('ID-30 the device set hash knows neither order nor dates, but every key', async () => {
  const one = await certificateOf(1, 50)
  const two = await certificateOf(1, 51)
  const hash = deviceSetHash(crypto, await cardOf(1, { devices: [one, two] }))
  assert.deepEqual(deviceSetHash(crypto, await cardOf(1, { devices: [two, one] })), hash)
  const renewed = await certificateOf(1, 51, { expiresAt: NOW_S + 5 })
  assert.deepEqual(deviceSetHash(crypto, await cardOf(1, { devices: [one, renewed] })), hash)
  const rekeyed = await certificateOf(1, 51, { identityKey: new Uint8Array(32).fill(3) })
  assert.notDeepEqual(deviceSetHash(crypto, await cardOf(1, { devices: [one, rekeyed] })), hash)
})
