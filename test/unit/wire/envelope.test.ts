import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concat } from '../../../src/lib/bytes.ts'
import { CodecError } from '../../../src/lib/errors.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { decode, encode } from '../../../src/wire/codec.ts'
import { CONTENT_BYTES_MAX } from '../../../src/wire/content.ts'
import {
  decodeHeader,
  encodeHeader,
  HEADER_KINDS,
  INITIAL_PREFIX_BYTES,
  INITIAL_PREKEY_IDS_BYTES,
  initialPrekeyIdsCodec,
  isEnvelopeSize,
  overheadBytes,
  PLAINTEXT_BYTES_MAX,
  SEALED_HEADER_BYTES,
  SENDER_CARD_BYTES,
  splitMessage,
  splitPrefix,
  splitTurn,
  TURN_BYTES,
} from '../../../src/wire/envelope.ts'
import { prekeyCardCodec } from '../../../src/wire/prekeys.ts'
import { encoded, holdsStrict, refuses } from '../../support/strict.ts'
import { wireSample } from '../../support/wire-samples.ts'

const rng = seededRng(1)

test('SE-19 what a session is bound to: round trip, truncated, trailing', () => {
  for (const name of ['initial prekey ids', 'device identity', 'transcript']) holdsStrict(name)
})

test('an absent one-time prekey has one encoding and no length of its own', () => {
  const { codec } = wireSample('initial prekey ids')
  const ids = { signedPrekeyId: 1, kemPrekeyId: 2, oneTimeId: undefined, cardHash: new Uint8Array(32) }
  const bytes = encode(initialPrekeyIdsCodec, ids)
  assert.equal(bytes.length, INITIAL_PREKEY_IDS_BYTES)
  assert.equal(encode(initialPrekeyIdsCodec, { ...ids, oneTimeId: 7 }).length, INITIAL_PREKEY_IDS_BYTES)
  refuses(codec, bytes.with(13, 1), 'an id that is not there')
  refuses(codec, bytes.with(9, 2), 'neither there nor absent')
  refuses(codec, bytes.with(0, 2), 'another suite')
})

test('E2-08 headers have the sizes of their kinds and come back as they went', () => {
  assert.deepEqual(Object.values(SEALED_HEADER_BYTES), [20, 1_240, 1_144, 2_712])
  for (const kind of HEADER_KINDS) {
    const turn = kind === 'short' ? undefined : rng.bytes(TURN_BYTES[kind])
    const bytes = encodeHeader(7, kind === 'short' ? 0 : 3, turn)
    assert.equal(bytes.length + 16, SEALED_HEADER_BYTES[kind])
    assert.deepEqual(decodeHeader(kind, bytes), { n: 7, previous: turn === undefined ? 0 : 3, turn })
    for (const wrong of [bytes.subarray(1), concat(bytes, Uint8Array.of(0))]) {
      assert.throws(() => decodeHeader(kind, wrong), CodecError)
    }
    if (turn === undefined) continue
    const { ratchet, kem, confirmation } = splitTurn(kind, turn)
    assert.deepEqual(concat(ratchet, kem, confirmation ?? new Uint8Array()), turn)
    assert.equal(confirmation?.length, kind === 'confirming' ? 1_568 : undefined)
  }
})

test('a message is cut into parts that add up to it', () => {
  for (const kind of HEADER_KINDS) {
    const envelope = rng.bytes(8_192)
    const parts = splitMessage(envelope, 100, kind)
    assert.deepEqual(concat(parts.head, parts.commitment, parts.sealedBody), envelope.slice(100))
    assert.deepEqual(concat(parts.nonce, parts.tag, parts.sealedHeader), parts.head)
    assert.equal(parts.sealedBody.length - 16 + overheadBytes(kind) + 100, envelope.length)
  }
})

test('MB-24 an envelope has one of the five sizes; an initial one is at least 16 KiB', () => {
  const sizes = [2_048, 4_096, 8_192, 16_384, 65_536]
  for (const size of sizes) {
    assert.ok(isEnvelopeSize(size) && !isEnvelopeSize(size - 1) && !isEnvelopeSize(size + 1))
    assert.equal(splitPrefix(new Uint8Array(size)) === undefined, size < 16_384)
  }
  assert.ok(!isEnvelopeSize(0) && splitPrefix(new Uint8Array(20_000)) === undefined)
  const envelope = rng.bytes(16_384)
  const prefix = splitPrefix(envelope) ?? assert.fail()
  assert.deepEqual(concat(prefix.head, prefix.sealedSender), envelope.slice(0, INITIAL_PREFIX_BYTES))
  assert.deepEqual(concat(prefix.ephemeral, prefix.sealedIds, prefix.ciphertext), prefix.head)
})

test('the longest content fits the first message of a session', () => {
  assert.ok(PLAINTEXT_BYTES_MAX >= CONTENT_BYTES_MAX)
  assert.equal(INITIAL_PREFIX_BYTES + overheadBytes('initiator') + 1 + PLAINTEXT_BYTES_MAX, 65_536)
})

test('the largest prekey card fits the space that every sender takes', () => {
  const { body, signature } = decode(prekeyCardCodec, encoded('prekey card'))
  const intro = Array.from({ length: 8 }, (_, epoch) => ({ epoch, address: new Uint8Array(32) }))
  const largest = encode(prekeyCardCodec, { body: { ...body, intro }, signature })
  assert.ok(largest.length < SENDER_CARD_BYTES && SENDER_CARD_BYTES - largest.length <= 2)
})
