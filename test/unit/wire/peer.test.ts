import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodecError } from '../../../src/lib/errors.ts'
import { encode } from '../../../src/wire/codec.ts'
import { PEER_ADDRESSES_MAX, peerRecordCodec } from '../../../src/wire/peer.ts'
import { holdsStrict } from '../../support/strict.ts'

test('SE-19 peer records: round trip, truncated, trailing', () => {
  holdsStrict('peer record', 10)
})

test('a peer has at most eight addresses of at most 255 bytes', () => {
  const address = '/ip4/127.0.0.1/tcp/4001'
  const of = (count: number): Uint8Array =>
    encode(peerRecordCodec, { id: 'p', addresses: Array.from({ length: count }, () => address) })
  assert.ok(of(PEER_ADDRESSES_MAX).length > 0)
  assert.throws(() => of(PEER_ADDRESSES_MAX + 1), CodecError)
  assert.throws(() => encode(peerRecordCodec, { id: 'p', addresses: ['x'.repeat(256)] }), CodecError)
  assert.throws(() => encode(peerRecordCodec, { id: 'x'.repeat(129), addresses: [] }), CodecError)
})
