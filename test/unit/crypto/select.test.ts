import { test } from 'node:test'
import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { nobleProvider } from '../../../src/crypto/noble.ts'
import { selectProvider } from '../../../src/crypto/select.ts'

test('the provider is chosen by name, and native without one', () => {
  assert.equal(selectProvider('noble'), nobleProvider)
  assert.equal(selectProvider('native'), nativeProvider)
  assert.equal(selectProvider(undefined), nativeProvider)
})

test('another name is refused without repeating it', () => {
  for (const name of ['', 'Native', 'openssl-hunter2']) {
    assert.throws(
      () => selectProvider(name),
      (error: Error) => {
        assert.equal(error.name, 'UsageError')
        return !error.message.includes('hunter2')
      },
    )
  }
})

test('a Node without a primitive falls back to noble, and says what is missing when native is asked for', (t) => {
  t.mock.method(crypto, 'encapsulate', () => {
    throw new Error('unsupported')
  })
  assert.equal(selectProvider(undefined), nobleProvider)
  assert.throws(() => selectProvider('native'), { name: 'UsageError', message: /ML-KEM-768/ })
  assert.equal(selectProvider('noble'), nobleProvider)
})
