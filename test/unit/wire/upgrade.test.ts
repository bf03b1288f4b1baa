import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodecError } from '../../../src/lib/errors.ts'
import { encode } from '../../../src/wire/codec.ts'
import { MAPPING, UPGRADE_FRAME_BYTES_MAX, UPGRADE_RUNG, upgradeFrameCodec } from '../../../src/wire/upgrade.ts'
import type { Endpoint } from '../../../src/wire/upgrade.ts'
import { holdsStrict, refuses } from '../../support/strict.ts'

const six: Endpoint = { kind: 6, body: { ip: new Uint8Array(16), port: 65_535 } }
const offer = (reachable: readonly Endpoint[]): Uint8Array =>
  encode(upgradeFrameCodec, { kind: 1, body: { mapping: MAPPING.perDestination, reachable, punchable: six } })

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
    [3, 3],
    [4, 0],
    [1, 3, 0, 0],
    [1, 0, 1, 5, 0, 0, 0, 0, 0, 1, 0],
  ]) {
    refuses(upgradeFrameCodec, Uint8Array.from(bytes), String(bytes))
  }
})
