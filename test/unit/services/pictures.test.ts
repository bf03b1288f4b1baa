/** What a profile's picture may be: looked at by its headers, never unpacked. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { concat } from '../../../src/lib/bytes.ts'
import { UsageError } from '../../../src/lib/errors.ts'
import { PICTURE_SIDE_MAX, pictureKind } from '../../../src/services/profile/pictures.ts'
import { changedProfile, NO_PROFILE, receivedProfile } from '../../../src/services/profile/rules.ts'
import { jpeg, png, webp, webpExtended, webpLossless, webpMoving } from '../../support/pictures.ts'

const NOW = 1_800_000_000_000
const MAX = PICTURE_SIDE_MAX
const MAKERS = [
  [1, png],
  [2, jpeg],
  [2, (width: number, height: number) => jpeg(width, height, 0xc2)],
  [3, webp],
  [3, webpLossless],
  [3, webpExtended],
] as const

test('PR-08 TE-08 a picture of more than 512 pixels a side is refused, from the owner and from a contact, in every format', () => {
  for (const [type, make] of MAKERS) {
    const avatarOf = (width: number, height: number) => ({ type, data: make(width, height) })
    for (const [width, height] of [
      [1, 1],
      [MAX, MAX],
    ] as const) {
      const avatar = avatarOf(width, height)
      assert.deepEqual(changedProfile(NO_PROFILE, { avatar }, NOW).avatar, avatar)
      assert.deepEqual(receivedProfile({ ...NO_PROFILE, number: 1, avatar }).avatar, avatar)
    }
    for (const [width, height] of [
      [MAX + 1, 1],
      [1, MAX + 1],
      [16_000, 16_000],
    ] as const) {
      const avatar = avatarOf(width, height)
      assert.throws(() => changedProfile(NO_PROFILE, { avatar }, NOW), UsageError)
      assert.equal(receivedProfile({ ...NO_PROFILE, number: 1, avatar }).avatar, undefined)
    }
  }
})

test('PR-08 a picture that moves, or that names two sizes, is refused', () => {
  const still = png(64, 64)
  assert.equal(pictureKind(still)?.isSmall, true)
  const bad = [
    png(64, 64, 0, ['acTL']),
    png(64, 64, 0, ['fcTL']),
    png(64, 64, 0, ['IHDR']),
    webpMoving(64, 64),
    webpExtended(64, 64, [9_000, 9_000]),
    concat(jpeg(64, 64).subarray(0, 27), jpeg(64, 64).subarray(20, 40), jpeg(9_000, 9_000).subarray(27)),
    concat(Uint8Array.of(0xff, 0xd8), new Uint8Array(20)),
    still.subarray(0, 20),
    jpeg(64, 64).subarray(0, 30),
    webp(64, 64).subarray(0, 24),
    png(0, 64),
  ]
  for (const [at, data] of bad.entries()) assert.notEqual(pictureKind(data)?.isSmall, true, `picture ${at}`)
})

test('PR-08 SE-19 whatever the bytes are, they are read to an end and judged', () => {
  const whole = [png(64, 64, 200), jpeg(64, 64), webpExtended(64, 64)]
  fc.assert(
    fc.property(
      fc.constantFrom(...whole),
      fc.array(fc.tuple(fc.nat(199), fc.nat(255)), { maxLength: 6 }),
      fc.nat(200),
      (picture, changes, length) => {
        const data = picture.slice(0, length)
        for (const [at, value] of changes) if (at < data.length) data[at] = value
        const kind = pictureKind(data)
        assert.ok(kind === undefined || typeof kind.isSmall === 'boolean')
      },
    ),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (data) => {
      assert.notEqual(pictureKind(data)?.isSmall, true)
    }),
  )
})
