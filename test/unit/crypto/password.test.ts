import { test } from 'node:test'
import assert from 'node:assert/strict'
import { nativeProvider as native } from '../../../src/crypto/native.ts'
import { boundedCost, PASSPHRASE_COST, PASSPHRASE_SALT_BYTES, passphraseKey } from '../../../src/crypto/password.ts'
import { utf8 } from '../../../src/lib/bytes.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { agree } from './backends.ts'

const rng = seededRng(11)
const salt = rng.bytes(PASSPHRASE_SALT_BYTES)
const CHEAP = boundedCost(32, 1)

test('new sealings cost 64 MiB and three passes', async () => {
  assert.deepEqual(PASSPHRASE_COST, { memoryKiB: 65_536, passes: 3, length: 32 })
  const key = await passphraseKey(native, 'correct horse', salt)
  assert.deepEqual(key, await native.argon2id(utf8('correct horse'), salt, PASSPHRASE_COST))
})

test('the key depends on passphrase, salt and cost, and on nothing else', async () => {
  const key = await agree(async (p) => passphraseKey(p, 'correct horse', salt, CHEAP))
  assert.equal(key.length, 32)
  const others = await Promise.all([
    passphraseKey(native, 'correct horsf', salt, CHEAP),
    passphraseKey(native, 'correct horse', rng.bytes(16), CHEAP),
    passphraseKey(native, 'correct horse', salt, boundedCost(33, 1)),
    passphraseKey(native, 'correct horse', salt, boundedCost(32, 2)),
  ])
  for (const other of others) assert.notDeepEqual(other, key)
})

test('the two ways to compose an accent give one key; case and inner spaces count', async () => {
  const key = await passphraseKey(native, 'caf\u00e9 \ufb01n', salt, CHEAP)
  assert.deepEqual(await passphraseKey(native, 'cafe\u0301 fin', salt, CHEAP), key)
  assert.notDeepEqual(await passphraseKey(native, 'Caf\u00e9 fin', salt, CHEAP), key)
  assert.notDeepEqual(await passphraseKey(native, 'caf\u00e9  fin', salt, CHEAP), key)
})

test('empty, over-long and ill-formed passphrases and short salts are refused, and none is repeated', async () => {
  for (const passphrase of ['', 'secret'.repeat(200), 'secret\ud800']) {
    await assert.rejects(
      passphraseKey(native, passphrase, salt, CHEAP),
      (error: Error) => error.name === 'UsageError' && !error.message.includes('secret'),
    )
  }
  await assert.rejects(passphraseKey(native, 'x', salt.subarray(1), CHEAP), { name: 'UsageError' })
})

test('a cost from a file is bounded before memory is taken', async () => {
  assert.deepEqual(boundedCost(1_048_576, 16), { memoryKiB: 1_048_576, passes: 16, length: 32 })
  assert.deepEqual(boundedCost(8, 1), { memoryKiB: 8, passes: 1, length: 32 })
  for (const [memoryKiB, passes] of [
    [1_048_577, 1],
    [2 ** 40, 1],
    [7, 1],
    [8.5, 1],
    [Number.NaN, 1],
    [8, 0],
    [8, 17],
    [8, -1],
  ] as const) {
    assert.throws(() => boundedCost(memoryKiB, passes), { name: 'LimitError' })
    await assert.rejects(passphraseKey(native, 'x', salt, { memoryKiB, passes, length: 32 }), { name: 'LimitError' })
  }
})
