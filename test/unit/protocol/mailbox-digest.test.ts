import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { concat } from '../../../src/lib/bytes.ts'
import { deadDigest } from '../../../src/protocol/mailbox-digest.ts'

test('the digest of dead letters is the hash of their ids, also of none', () => {
  const [a, b] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
  for (const ids of [[], [a], [a, b]]) assert.deepEqual(deadDigest(crypto, ids), crypto.sha256(concat(...ids)))
})
