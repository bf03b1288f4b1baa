import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { hybridPublicKeys } from '../../../src/crypto/hybrid.ts'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { nobleProvider } from '../../../src/crypto/noble.ts'
import { UsageError } from '../../../src/lib/errors.ts'
import { fromHex, toHex } from '../../../src/lib/bytes.ts'
import { accountId, decodeAccountId, encodeAccountId, parseAccountId } from '../../../src/protocol/account-id.ts'
import { seedsOf } from './card-fixtures.ts'

interface Vector {
  readonly ed25519Seed: string
  readonly mldsa65Seed: string
  readonly accountId: string
  readonly text: string
}
const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/account-id.json', import.meta.url), 'utf8'),
) as readonly Vector[]
const keys = hybridPublicKeys(nativeProvider, seedsOf(1))
const text = encodeAccountId(accountId(nativeProvider, keys))

for (const provider of [nativeProvider, nobleProvider]) {
  test(`ID-18 account id vectors (${provider.name})`, () => {
    for (const vector of vectors) {
      const seeds = { ed25519: fromHex(vector.ed25519Seed)!, mldsa65: fromHex(vector.mldsa65Seed)! }
      const id = accountId(provider, hybridPublicKeys(provider, seeds))
      assert.equal(toHex(id), vector.accountId)
      assert.equal(encodeAccountId(id), vector.text)
      assert.deepEqual(decodeAccountId(vector.text), id)
    }
  })
}

test('ID-18 one bit of either key changes the account id', () => {
  const id = toHex(accountId(nativeProvider, keys))
  const bit = fc.record({ half: fc.constantFrom('ed25519' as const, 'mldsa65' as const), at: fc.nat(), bit: fc.nat(7) })
  fc.assert(
    fc.property(bit, ({ half, at, bit }) => {
      const key = keys[half].slice()
      key[at % key.length]! ^= 1 << bit
      assert.notEqual(toHex(accountId(nativeProvider, { ...keys, [half]: key })), id)
    }),
    { numRuns: 300, seed: 18 },
  )
})

test('ID-18 an account id survives text, also in capitals', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (id) => {
      const text = encodeAccountId(id)
      assert.match(text, /^sotto1[02-9ac-hj-np-z]{58}$/)
      assert.deepEqual(decodeAccountId(text), Uint8Array.from(id))
      assert.deepEqual(decodeAccountId(text.toUpperCase()), Uint8Array.from(id))
    }),
    { numRuns: 200, seed: 1 },
  )
})

test('ID-18 a mistyped account id is refused, wherever the mistake is', () => {
  for (let at = 0; at < text.length; at++) {
    const wrong = text[at] === 'q' ? 'p' : 'q'
    assert.equal(decodeAccountId(text.slice(0, at) + wrong + text.slice(at + 1)), undefined, `at ${at}`)
  }
})

test('ID-18 other prefixes, lengths and mixed case are refused', () => {
  const bad = [
    '',
    'sotto1',
    text.slice(0, -1),
    `${text}q`,
    ` ${text}`,
    `S${text.slice(1)}`,
    text.slice(0, 32) + text.slice(32).toUpperCase(),
    `other1${text.slice(6)}`,
    'sotto1'.padEnd(10_000, 'q'),
  ]
  for (const candidate of bad) assert.equal(decodeAccountId(candidate), undefined, candidate.slice(0, 80))
  assert.throws(() => encodeAccountId(new Uint8Array(31)), UsageError)
})

test('ID-18 what a person typed: blanks do no harm, and an error says what to do', () => {
  assert.deepEqual(parseAccountId(`  ${text}\n`), decodeAccountId(text))
  assert.throws(
    () => parseAccountId('bob'),
    (error: unknown) =>
      error instanceof UsageError && /sotto1.*copy it again/.test(error.message) && !/bob/.test(error.message),
  )
})
