import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodecError } from '../../../src/lib/errors.ts'
import { decode, encode } from '../../../src/wire/codec.ts'
import {
  AVATAR_BYTES_MAX,
  CONTENT_KIND,
  contentBody,
  contentCodec,
  contentExtensions,
  DELETE_TARGETS_MAX,
  deleteBodyCodec,
  EXTENSION,
  GRANT_ADDRESSES,
  grantCodec,
  PART_BYTES_MAX,
  partBodyCodec,
  PARTS_MAX,
  profileBodyCodec,
  reactionBodyCodec,
  readExtensions,
  TEXT_BYTES_MAX,
  textBodyCodec,
} from '../../../src/wire/content.ts'
import type { Content } from '../../../src/wire/content.ts'
import { encoded, holdsStrict, refuses } from '../../support/strict.ts'
import { wireSample } from '../../support/wire-samples.ts'

const content = (change: Partial<Content> = {}): Content => ({
  version: 1,
  id: new Uint8Array(16),
  preimage: new Uint8Array(16),
  sentAt: 1_800_000_000_000,
  kind: CONTENT_KIND.text,
  body: encode(textBodyCodec, { text: 'hello', replyTo: undefined }),
  extensions: [],
  ...change,
})

test('SE-19 contents and bodies: round trip, truncated, trailing', () => {
  const names = [
    'content',
    'grant',
    'text body',
    'receipt body',
    'contact request body',
    'contact accept body',
    'grant body',
    'part body',
    'reaction body',
    'edit body',
    'delete body',
    'profile body',
    'timer body',
    'live body',
  ]
  for (const name of names) holdsStrict(name, 4)
})

test('E2-20 a kind of the future is kept and shown as unsupported', () => {
  for (const kind of [0, 13, 99, 255]) {
    const sent = content({ kind, body: Uint8Array.of(1, 2, 3) })
    const got = decode(contentCodec, encode(contentCodec, sent))
    assert.deepEqual(got, sent)
    assert.deepEqual(contentBody(got.kind, got.body), { kind: 'unsupported' })
  }
})

test('E2-20 an extension of the future is carried and changes nothing', () => {
  const extensions = [
    { type: 0xffff, data: Uint8Array.of(1) },
    { type: 7, data: new Uint8Array(1_024) },
  ]
  const got = decode(contentCodec, encode(contentCodec, content({ extensions })))
  assert.deepEqual(contentBody(got.kind, got.body), { kind: 1, body: { text: 'hello', replyTo: undefined } })
})

test('a body of a known kind is read strictly', () => {
  for (const [kind, name] of Object.entries({
    1: 'text',
    2: 'receipt',
    3: 'contact request',
    4: 'contact accept',
    5: 'grant',
    6: 'part',
    7: 'reaction',
    8: 'edit',
    9: 'delete',
    10: 'profile',
    11: 'timer',
    12: 'live',
  })) {
    const bytes = encoded(`${name} body`)
    assert.equal(contentBody(Number(kind), bytes)?.kind, Number(kind))
    assert.equal(contentBody(Number(kind), bytes.subarray(1)), undefined)
    assert.equal(contentBody(Number(kind), Uint8Array.from([...bytes, 0])), undefined)
  }
})

test('another version of the content is refused', () => {
  for (const version of [0, 2]) {
    refuses(wireSample('content').codec, encode(contentCodec, content()).with(0, version), `version ${version}`)
  }
})

test('DT-17 a text of 1 MiB is a text, one byte more is not; parts carry all of it', () => {
  const most = { text: 'x'.repeat(TEXT_BYTES_MAX), replyTo: undefined }
  const bytes = encode(textBodyCodec, most)
  assert.equal(decode(textBodyCodec, bytes).text.length, TEXT_BYTES_MAX)
  assert.throws(() => encode(textBodyCodec, { text: `${most.text}x`, replyTo: undefined }), CodecError)
  assert.ok(PARTS_MAX * PART_BYTES_MAX >= bytes.length)
  const part = { whole: new Uint8Array(16), kind: 1, index: 0, count: 27, bytes: new Uint8Array(PART_BYTES_MAX) }
  assert.throws(() => encode(partBodyCodec, { ...part, bytes: new Uint8Array() }), CodecError)
  const carried = encode(contentCodec, content({ kind: CONTENT_KIND.part, body: encode(partBodyCodec, part) }))
  assert.ok(carried.length < 65_536 - 4_096, 'a part leaves room for every header of the largest size class')
})

test('a grant covers a year and a week, no more', () => {
  const grant = decode(grantCodec, encoded('grant'))
  const addresses = Array.from({ length: GRANT_ADDRESSES }, () => new Uint8Array(32))
  assert.ok(encode(grantCodec, { ...grant, addresses }).length < 4_096)
  assert.throws(() => encode(grantCodec, { ...grant, addresses: [...addresses, new Uint8Array(32)] }), CodecError)
})

test('the extensions of this version are read, whatever stands beside them; what does not decode is as if unknown', () => {
  const said = { lamport: 2 ** 37, timerSeconds: 3_600 }
  assert.deepEqual(readExtensions(contentExtensions(said)), said)
  assert.deepEqual(contentExtensions({ timerSeconds: 0 }), [], 'what old peers send')
  assert.deepEqual(readExtensions([]), {})
  const odd = { type: EXTENSION.lamport, data: Uint8Array.of(1, 2, 3) }
  assert.deepEqual(readExtensions([odd, { type: 9, data: Uint8Array.of(7) }]), {})
  const beyond = { type: EXTENSION.lamport, data: new Uint8Array(8).fill(255) }
  assert.deepEqual(readExtensions([beyond]), {}, 'over 2^53 - 1')
  const twice = [...contentExtensions({ lamport: 4 }), ...contentExtensions({ lamport: 9 })]
  assert.deepEqual(readExtensions(twice), { lamport: 4 })
})

test('PR-08 PR-13 PR-17 names, bios, pictures, reactions and deletions have limits in bytes', () => {
  const target = new Uint8Array(16)
  encode(reactionBodyCodec, { target, emoji: '👩‍❤️‍💋‍👨' })
  assert.throws(() => encode(reactionBodyCodec, { target, emoji: 'x'.repeat(33) }), CodecError)
  encode(deleteBodyCodec, { targets: Array.from({ length: DELETE_TARGETS_MAX }, () => target) })
  assert.throws(() => encode(deleteBodyCodec, { targets: [] }), CodecError)
  assert.throws(
    () => encode(deleteBodyCodec, { targets: Array.from({ length: DELETE_TARGETS_MAX + 1 }, () => target) }),
    CodecError,
  )
  const profile = { number: 1, name: 'n'.repeat(64), bio: 'b'.repeat(512), avatar: undefined }
  encode(profileBodyCodec, profile)
  assert.throws(() => encode(profileBodyCodec, { ...profile, name: `${profile.name}n` }), CodecError)
  assert.throws(() => encode(profileBodyCodec, { ...profile, bio: `${profile.bio}b` }), CodecError)
  const avatar = { type: 1 as const, data: new Uint8Array(AVATAR_BYTES_MAX) }
  assert.ok(encode(profileBodyCodec, { ...profile, avatar }).length < PART_BYTES_MAX, 'a profile goes in one envelope')
  const larger = { ...avatar, data: new Uint8Array(AVATAR_BYTES_MAX + 1) }
  assert.throws(() => encode(profileBodyCodec, { ...profile, avatar: larger }), CodecError)
})
