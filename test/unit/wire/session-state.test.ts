import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodecError } from '../../../src/lib/errors.ts'
import { decode, encode } from '../../../src/wire/codec.ts'
import { sessionBookCodec } from '../../../src/wire/session-state.ts'
import type { SessionBook } from '../../../src/wire/session-state.ts'
import { encoded, holdsStrict, refuses } from '../../support/strict.ts'
import { wireSample } from '../../support/wire-samples.ts'

function book(): SessionBook {
  for (let i = 0; ; i++) {
    const found = decode(sessionBookCodec, encoded('session book', i))
    if (found.entries.some(({ state }) => state.keys !== undefined)) return found
  }
}

test('E2-16 SE-19 a book of sessions: round trip, truncated, trailing', () => {
  holdsStrict('session book', 2)
})

test('E2-16 a book of another version, or with six sessions, is refused', () => {
  const value = book()
  const bytes = encode(sessionBookCodec, value)
  refuses(wireSample('session book').codec, bytes.with(0, 2), 'version 2')
  const [entry] = value.entries
  assert.ok(entry !== undefined)
  const six = { ...value, entries: Array.from({ length: 6 }, () => entry) }
  assert.throws(() => encode(sessionBookCodec, six), CodecError)
})

test('a role or status that does not exist is refused', () => {
  const [entry] = book().entries
  assert.ok(entry !== undefined)
  const one = { ...book(), entries: [entry] }
  const bytes = encode(sessionBookCodec, one)
  const roleAt = 1 + 48 + 1 + 1 + 1 + 32
  refuses(wireSample('session book').codec, bytes.with(roleAt, 2), 'role 2')
  refuses(wireSample('session book').codec, bytes.with(roleAt + 1, 5), 'status 5')
})

test('E2-24 at most 2,000 stored keys in a list', () => {
  const [entry] = book().entries.filter(({ state }) => state.keys !== undefined)
  const keys = entry?.state.keys
  assert.ok(entry !== undefined && keys !== undefined)
  const withKeys = (count: number): SessionBook => {
    const skipped = Array.from({ length: count }, (_, n) => ({ n, key: new Uint8Array(32), at: n }))
    const receiving = { turn: 1, header: keys.nextReceiving, chainKey: new Uint8Array(32), next: 0, skipped }
    return { ...book(), entries: [{ ...entry, state: { ...entry.state, keys: { ...keys, receiving } } }] }
  }
  assert.ok(encode(sessionBookCodec, withKeys(2_000)).length > 80_000)
  assert.throws(() => encode(sessionBookCodec, withKeys(2_001)), CodecError)
})
