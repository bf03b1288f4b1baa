import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodecError } from '../../../src/lib/errors.ts'
import { encode } from '../../../src/wire/codec.ts'
import {
  ICE_CANDIDATES_MAX,
  MAPPING,
  UDP,
  UPGRADE_FRAME_BYTES_MAX,
  UPGRADE_RUNG,
  upgradeFrameCodec,
} from '../../../src/wire/upgrade.ts'
import type { Endpoint, IceTerms } from '../../../src/wire/upgrade.ts'
import { holdsStrict, refuses } from '../../support/strict.ts'

const six: Endpoint = { kind: 6, body: { ip: new Uint8Array(16), port: 65_535 } }
const offer = (reachable: readonly Endpoint[]): Uint8Array =>
  encode(upgradeFrameCodec, {
    kind: 1,
    body: { mapping: MAPPING.perDestination, reachable, punchable: six, udp: UDP.none },
  })

test('SE-19 upgrade messages: round trip, truncated, trailing', () => {
  holdsStrict('upgrade frame', 10)
})

test('the largest offer fits the largest frame; a fifth endpoint and the port 0 do not exist', () => {
  assert.ok(offer([six, six, six, six]).length <= UPGRADE_FRAME_BYTES_MAX)
  assert.throws(() => offer([six, six, six, six, six]), CodecError)
  assert.throws(() => offer([{ kind: 4, body: { ip: new Uint8Array(4), port: 0 } }]), CodecError)
  refuses(upgradeFrameCodec, Uint8Array.of(1, 0, 1, 4, 10, 0, 0, 1, 0, 0, 0), 'port 0')
})

test('the bytes: kinds, mappings and rungs that nobody defined are refused', () => {
  const go = encode(upgradeFrameCodec, { kind: 3, body: { rung: UPGRADE_RUNG.punch } })
  assert.deepEqual(go, Uint8Array.of(3, 2))
  for (const bytes of [
    [3, 4],
    [5, 0],
    [1, 3, 0, 0, 0],
    [1, 0, 0, 0, 4],
    [1, 0, 1, 5, 0, 0, 0, 0, 0, 1, 0],
  ]) {
    refuses(upgradeFrameCodec, Uint8Array.from(bytes), String(bytes))
  }
})

const ice = (changes: Partial<IceTerms> = {}): Uint8Array => {
  const candidates = Array.from({ length: ICE_CANDIDATES_MAX }, () => six)
  const terms = {
    ufrag: 'a'.repeat(32),
    pwd: 'b+/'.repeat(21),
    fingerprint: new Uint8Array(32),
    candidates,
    ...changes,
  }
  return encode(upgradeFrameCodec, { kind: 4, body: { ice: terms } })
}

test('SE-19 AS-08 ICE terms: fields and no text; nothing that could end a line of an SDP, and no more candidates than eight', () => {
  assert.ok(ice().length <= UPGRADE_FRAME_BYTES_MAX)
  const evil = [
    'abcd\r\na=candidate:1 1 UDP 1 10.0.0.1 1 typ host',
    'abc d',
    'abc\n',
    'äbcd',
    'abc',
    '',
    'a'.repeat(33),
  ]
  for (const ufrag of evil) assert.throws(() => ice({ ufrag }), CodecError)
  for (const pwd of ['b'.repeat(21), 'b'.repeat(65), `${'b'.repeat(22)}\n`])
    assert.throws(() => ice({ pwd }), CodecError)
  assert.throws(() => ice({ candidates: Array.from({ length: ICE_CANDIDATES_MAX + 1 }, () => six) }), CodecError)
  const bytes = ice({ ufrag: 'abcd' })
  bytes[3] = 0x0a // the first character of the name, on the wire
  refuses(upgradeFrameCodec, bytes, 'a line end')
})
