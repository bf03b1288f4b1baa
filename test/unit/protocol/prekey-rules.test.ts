import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { nobleProvider } from '../../../src/crypto/noble.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import {
  newOneTimePrekey,
  PREKEY_CARD_LIFE_S,
  PREKEY_RETENTION_MS,
  PREKEY_ROTATION_MS,
  retentionOver,
  rotationDue,
} from '../../../src/protocol/prekey-rules.ts'
import { LETTER_LIFE_MAX_MS } from '../../../src/protocol/mailbox-rules.ts'

for (const crypto of [nativeProvider, nobleProvider]) {
  test(`PK-07 one-time pairs are whole, one for each id, and no two alike (${crypto.name})`, () => {
    const rng = seededRng(7)
    const pairs = [5, 6, 9].map((id) => newOneTimePrekey(crypto, rng, id))
    assert.deepEqual(
      pairs.map(({ id }) => id),
      [5, 6, 9],
    )
    for (const pair of pairs) {
      assert.deepEqual(crypto.x25519PublicKey(pair.secret), pair.key)
      assert.deepEqual(crypto.kemPublicKey(1024, pair.kemSeed), pair.kem)
    }
    assert.equal(new Set(pairs.flatMap(({ key, kem }) => [key.join(), kem.join()])).size, 6)
  })
}

test('PK-09 a prekey turns a week old and is replaced; its private half outlives every card and letter that used it', () => {
  assert.equal(rotationDue(0, PREKEY_ROTATION_MS - 1), false)
  assert.equal(rotationDue(0, PREKEY_ROTATION_MS), true)
  assert.equal(retentionOver(1, PREKEY_RETENTION_MS), false)
  assert.equal(retentionOver(1, 1 + PREKEY_RETENTION_MS), true)
  assert.equal(rotationDue(PREKEY_ROTATION_MS, 0), true, 'made under a clock that was ahead')
  assert.equal(rotationDue(3_600_000, 0), false, 'an hour is no reason')
  assert.ok(PREKEY_RETENTION_MS >= PREKEY_CARD_LIFE_S * 1_000 + LETTER_LIFE_MAX_MS)
})
