/** What a profile may be. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { utf8 } from '../../../src/lib/bytes.ts'
import { UsageError } from '../../../src/lib/errors.ts'
import { changedProfile, NO_PROFILE, receivedProfile } from '../../../src/services/profile/rules.ts'
import type { Avatar } from '../../../src/store/profiles.ts'
import { jpeg, png, webp } from '../../support/pictures.ts'

const NOW = 1_800_000_000_000
const picture = (type: Avatar['type'], data: Uint8Array): Avatar => ({ type, data })
const PNG = png(64, 64)

test('PR-08 a bio of 513 bytes and a name of 65 are refused, also where they have fewer characters', () => {
  assert.equal(changedProfile(NO_PROFILE, { bio: 'b'.repeat(512), name: 'n'.repeat(64) }, NOW).bio.length, 512)
  assert.throws(() => changedProfile(NO_PROFILE, { bio: 'b'.repeat(513) }, NOW), UsageError)
  assert.throws(() => changedProfile(NO_PROFILE, { bio: 'ü'.repeat(257) }, NOW), UsageError)
  assert.throws(() => changedProfile(NO_PROFILE, { name: 'n'.repeat(65) }, NOW), UsageError)
  assert.throws(() => changedProfile(NO_PROFILE, { name: '👋'.repeat(17) }, NOW), UsageError)
})

test('PR-08 a picture is what its first bytes say, and 24 KiB at most', () => {
  for (const good of [picture(1, png(64, 64, 24 * 1_024)), picture(2, jpeg(64, 64)), picture(3, webp(64, 64))])
    assert.deepEqual(changedProfile(NO_PROFILE, { avatar: good }, NOW).avatar, good)
  const svg = utf8('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>')
  for (const bad of [
    picture(1, png(64, 64, 24 * 1_024 + 1)),
    picture(2, PNG),
    picture(1, webp(64, 64)),
    { type: 1 as const, data: svg },
  ])
    assert.throws(() => changedProfile(NO_PROFILE, { avatar: bad }, NOW), UsageError)
  const received = { number: 1, name: 'Bob', bio: '', avatar: { type: 1 as const, data: svg } }
  assert.deepEqual(receivedProfile(received), { ...received, avatar: undefined })
})

test('PR-07 every change has a higher number, also after everything was lost and with a clock that goes back', () => {
  const first = changedProfile(NO_PROFILE, { name: 'Alice' }, NOW)
  assert.equal(changedProfile(first, { name: 'Alice' }, NOW + 1), first, 'nothing changed')
  const second = changedProfile(first, { bio: 'hi' }, NOW - 1_000_000)
  assert.ok(second.number > first.number)
  const afterLoss = changedProfile(NO_PROFILE, { name: 'Alice' }, NOW + 60_000)
  assert.ok(afterLoss.number > second.number)
  const gone = changedProfile({ ...first, avatar: picture(1, PNG) }, { avatar: null }, NOW + 1)
  assert.equal(gone.avatar, undefined)
  assert.throws(() => changedProfile({ ...first, number: 0xffff_ffff }, { name: 'x' }, NOW), UsageError)
})

test('PR-07 what turns text around or moves a cursor is taken out of what contacts send', () => {
  const trick = receivedProfile({
    number: 1,
    name: '\u202eecilA\u0007\r\n',
    bio: 'one\ntwo\u0000\u2066',
    avatar: undefined,
  })
  assert.equal(trick.name, 'ecilA')
  assert.equal(trick.bio, 'one\ntwo')
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const { name } = receivedProfile({ number: 1, name: text, bio: text, avatar: undefined })
      assert.equal(receivedProfile({ number: 1, name, bio: '', avatar: undefined }).name, name)
    }),
  )
})
