import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodecError } from '../../../src/lib/errors.ts'
import { decode, encode } from '../../../src/wire/codec.ts'
import { prekeyCardBodyCodec, prekeyCardCodec } from '../../../src/wire/prekeys.ts'
import type { PrekeyCard } from '../../../src/wire/prekeys.ts'
import { encoded, holdsStrict, refuses } from '../../support/strict.ts'
import { wireSample } from '../../support/wire-samples.ts'

const card = (): PrekeyCard => decode(prekeyCardCodec, encoded('prekey card'))

test('SE-19 prekey structures: round trip, truncated, trailing', () => {
  holdsStrict('prekey card', 2)
  holdsStrict('one-time prekey')
})

test('E2-08 the KEM prekey is there and has its one size', () => {
  const { body, signature } = card()
  for (const length of [0, 1_184, 1_567, 1_569]) {
    const wrong = { body: { ...body, kemPrekey: { id: 1, key: new Uint8Array(length) } }, signature }
    assert.throws(() => encode(prekeyCardCodec, wrong), CodecError)
  }
  assert.equal(body.kemPrekey.key.length, 1_568)
  assert.equal(encoded('one-time prekey').length, 1_604)
})

test('E2-23 a prekey card without a signature is refused', () => {
  refuses(wireSample('prekey card').codec, encode(prekeyCardBodyCodec, card().body), 'no signature')
})

test('E2-50 another version or suite of a prekey card is refused', () => {
  for (const at of [0, 1]) {
    const bytes = encoded('prekey card')
    bytes[at] = 2
    refuses(wireSample('prekey card').codec, bytes, `byte ${at}`)
  }
})

test('a prekey card names at most eight intro boxes and stays under 16 KiB', () => {
  const { body, signature } = card()
  const intro = Array.from({ length: 8 }, (_, epoch) => ({ epoch, address: new Uint8Array(32) }))
  const bytes = encode(prekeyCardCodec, { body: { ...body, intro }, signature })
  assert.ok(bytes.length < 16_384, `${bytes.length}`)
  const nine = { body: { ...body, intro: [...intro, { epoch: 9, address: new Uint8Array(32) }] }, signature }
  assert.throws(() => encode(prekeyCardCodec, nine), CodecError)
})
