import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat } from '../../../src/lib/bytes.ts'
import { CodecError } from '../../../src/lib/errors.ts'
import {
  accountCardBodyCodec,
  accountCardCodec,
  deviceCertificateCodec,
  DEVICES_MAX,
  hybridPublicKeyCodec,
  hybridSignatureCodec,
} from '../../../src/wire/card.ts'
import type { AccountCard } from '../../../src/wire/card.ts'
import { decode, encode } from '../../../src/wire/codec.ts'
import { encoded, holdsStrict, refuses, SEED } from '../../support/strict.ts'
import { wireSample } from '../../support/wire-samples.ts'

const card = (): AccountCard => decode(accountCardCodec, encoded('account card'))

test('SE-19 card structures: round trip, truncated, trailing', () => {
  for (const name of ['hybrid public key', 'device certificate', 'successor']) holdsStrict(name)
  holdsStrict('account card', 2)
})

test('a device certificate has one size', () => {
  assert.equal(encoded('device certificate').length, 5_447)
})

test('E2-50 another version or suite is refused', () => {
  for (const name of ['device certificate', 'account card']) {
    const { codec } = wireSample(name)
    for (const at of [0, 1]) {
      for (const value of [0, 2, 255]) {
        const bytes = encoded(name)
        bytes[at] = value
        refuses(codec, bytes, `${name}: byte ${at} is ${value}`)
      }
    }
  }
})

test('a card lists at most eight devices', () => {
  const base = card()
  const certificate = decode(deviceCertificateCodec, encoded('device certificate'))
  const of = (count: number): AccountCard => ({
    ...base,
    body: { ...base.body, devices: Array.from({ length: count }, () => certificate) },
  })
  const most = encode(accountCardCodec, of(DEVICES_MAX))
  assert.equal(decode(accountCardCodec, most).body.devices.length, DEVICES_MAX)
  assert.throws(() => encode(accountCardCodec, of(DEVICES_MAX + 1)), CodecError)
  const countAt = 2 + 32 + 1_952 + 4 + 32 + 4 + 4
  assert.equal(most[countAt], DEVICES_MAX)
  most[countAt] = DEVICES_MAX + 1
  refuses(wireSample('account card').codec, most, 'nine devices')
})

test('E2-23 a card without a signature, or with half of one, is no card', () => {
  const { codec } = wireSample('account card')
  const body = encode(accountCardBodyCodec, card().body)
  const signature = encode(hybridSignatureCodec, card().signature)
  refuses(codec, body, 'no signature')
  refuses(codec, Uint8Array.from([...body, 0]), 'an empty signature')
  refuses(codec, Uint8Array.from([...body, ...signature.subarray(0, 64)]), 'Ed25519 only')
  refuses(codec, Uint8Array.from([...body, ...signature.subarray(64)]), 'ML-DSA only')
})

test('ID-06 a card with everything in it is a binary record of its own size', () => {
  const { codec, arbitrary } = wireSample('account card')
  for (const value of fc.sample(arbitrary, { numRuns: 20, seed: SEED })) {
    const { body } = value as AccountCard
    const expected =
      2 + 1_984 + 44 + 1 + body.devices.length * 5_447 + 1 + (body.successor === undefined ? 0 : 1_984 + 3_373) + 3_373
    assert.equal(encode(codec, value).length, expected)
  }
})

test('F3 keys travel as their bytes, and nothing but their bytes', () => {
  const key = decode(hybridPublicKeyCodec, encoded('hybrid public key'))
  assert.deepEqual(encode(hybridPublicKeyCodec, key), concat(key.ed25519, key.mldsa65))
  const text = Buffer.from(key.ed25519.join(','))
  assert.ok(!Buffer.from(encode(accountCardCodec, card())).includes(text))
  assert.throws(() => encode(hybridPublicKeyCodec, { ...key, ed25519: Uint8Array.from(text) }), CodecError)
})

test('DT-01 a card says who somebody is and not where', () => {
  const { body } = card()
  const fields = [
    ...Object.keys(body),
    ...Object.keys(decode(deviceCertificateCodec, encoded('device certificate')).body),
  ]
  assert.deepEqual(
    fields.filter((name) => /address|peer|host|port/i.test(name)),
    [],
  )
})
