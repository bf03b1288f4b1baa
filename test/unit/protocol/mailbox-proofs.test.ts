import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { ownerProof, ownerProofHolds, receiptBytes, receiptHolds } from '../../../src/protocol/mailbox-proofs.ts'
import { epochKey, mailboxAddress } from '../../../src/protocol/mailbox-rules.ts'
import { flipped } from './card-fixtures.ts'

const rng = seededRng(11)

test('ID-24 ownership is shown for one stream, one holder and one mailbox', async () => {
  const key = epochKey(crypto, new Uint8Array(32).fill(5), 7)
  const challenge = rng.bytes(32)
  const proof = await ownerProof(crypto, key, challenge, 'holder')
  assert.ok(ownerProofHolds(crypto, key.address, challenge, 'holder', proof))
  assert.ok(!ownerProofHolds(crypto, key.address, flipped(challenge), 'holder', proof))
  assert.ok(!ownerProofHolds(crypto, key.address, challenge, 'other', proof))
  const other = epochKey(crypto, new Uint8Array(32).fill(6), 7)
  assert.ok(!ownerProofHolds(crypto, other.address, challenge, 'holder', proof))
  assert.ok(!ownerProofHolds(crypto, other.address, challenge, 'holder', { ...proof, epochKey: other.publicKey }))
  assert.deepEqual(mailboxAddress(crypto, proof.epochKey), key.address)
})

test("I7 a receipt is one holder's word about one letter", () => {
  const seed = rng.bytes(32)
  const publicKey = crypto.ed25519PublicKey(seed)
  const id = rng.bytes(32)
  const receipt = {
    holder: 'holder',
    at: 1_800_000_000,
    signature: crypto.ed25519Sign(seed, receiptBytes(id, 'holder', 1_800_000_000)),
  }
  assert.ok(receiptHolds(crypto, publicKey, 'holder', id, receipt))
  assert.ok(!receiptHolds(crypto, publicKey, 'holder', flipped(id), receipt))
  assert.ok(!receiptHolds(crypto, publicKey, 'other', id, receipt))
  assert.ok(!receiptHolds(crypto, publicKey, 'holder', id, { ...receipt, at: receipt.at + 1 }))
  assert.ok(!receiptHolds(crypto, crypto.ed25519PublicKey(rng.bytes(32)), 'holder', id, receipt))
})
