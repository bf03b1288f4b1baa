import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as errors from '../../../src/lib/errors.ts'

test('every error goes by the name of its class and keeps its cause', () => {
  const cause = new Error('below')
  const plain = [
    errors.CodecError,
    errors.LimitError,
    errors.UsageError,
    errors.VerificationError,
    errors.PassphraseError,
    errors.NotFoundError,
    errors.ConflictError,
    errors.IdentityChangedError,
    errors.NetworkError,
    errors.StorageError,
    errors.TimeoutError,
    errors.DaemonError,
    errors.LockedError,
  ]
  for (const Class of plain) {
    const error = new Class('text', { cause })
    assert.ok(error instanceof errors.SottoError && error instanceof Error)
    assert.equal(error.name, Class.name)
    assert.equal(error.cause, cause)
  }
  assert.equal(new Set(plain.map((Class) => Class.name)).size, plain.length)
})

test('E2-22 messages that do not decrypt look alike from outside', () => {
  const reasons = ['authentication', 'duplicate', 'gap', 'no-session', 'stale', 'state'] as const
  const texts = new Set(reasons.map((reason) => new errors.DecryptError(reason).message))
  assert.equal(texts.size, 1)
  assert.deepEqual(
    reasons.map((reason) => new errors.DecryptError(reason).reason),
    reasons,
  )
})

test('a rate error says when to come back', () => {
  assert.equal(new errors.RateError('slow down', 1_500).retryAfterMs, 1_500)
  assert.equal(new errors.RateError('slow down').retryAfterMs, 0)
})

test('message and name of whatever was thrown', () => {
  assert.equal(errors.messageOf(new errors.LimitError('too much')), 'too much')
  assert.equal(errors.messageOf('a string'), 'a string')
  assert.equal(errors.nameOf(new errors.LimitError('secret')), 'LimitError')
  assert.equal(errors.nameOf('secret'), 'string')
})
