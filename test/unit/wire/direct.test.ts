import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodecError } from '../../../src/lib/errors.ts'
import { encode } from '../../../src/wire/codec.ts'
import { DIRECT_FRAME_BYTES_MAX, directFrameCodec } from '../../../src/wire/direct.ts'
import { holdsStrict, refuses } from '../../support/strict.ts'
import { wireSample } from '../../support/wire-samples.ts'

const ack = { id: new Uint8Array(32), preimage: new Uint8Array(16) }

test('SE-19 direct frames: round trip, truncated, trailing', () => {
  holdsStrict('direct frame', 10)
})

test('the largest envelope fits the largest frame, one byte more does not exist', () => {
  const frame = (length: number): Uint8Array =>
    encode(directFrameCodec, { kind: 1, body: { envelope: new Uint8Array(length) } })
  assert.ok(frame(65_536).length <= DIRECT_FRAME_BYTES_MAX)
  assert.throws(() => frame(65_537), CodecError)
  assert.throws(() => frame(0), CodecError)
})

test('acknowledgements come in ones to sixty-fours', () => {
  const frame = (count: number): Uint8Array =>
    encode(directFrameCodec, { kind: 2, body: { acks: Array.from({ length: count }, () => ack) } })
  assert.equal(frame(64).length, 2 + 64 * 48)
  for (const count of [0, 65]) assert.throws(() => frame(count), CodecError)
  refuses(wireSample('direct frame').codec, Uint8Array.of(3, 0), 'kind 3')
  refuses(wireSample('direct frame').codec, Uint8Array.of(2, 0), 'no acknowledgement')
})

test('PR-04 a live signal has an envelope of 8 KiB at most, a beat has nothing, and neither is a hello', () => {
  const frame = (length: number): Uint8Array =>
    encode(directFrameCodec, { kind: 4, body: { envelope: new Uint8Array(length) } })
  assert.ok(frame(8_192).length > 8_192)
  for (const length of [0, 8_193]) assert.throws(() => frame(length), CodecError)
  assert.deepEqual(encode(directFrameCodec, { kind: 5, body: {} }), Uint8Array.of(5))
  refuses(wireSample('direct frame').codec, Uint8Array.of(5, 0), 'a beat with something in it')
  refuses(wireSample('direct frame').codec, Uint8Array.of(6), 'kind 6')
})
