/** What a profile may be. Pure; the same for what the owner writes and what contacts send. */
import { equal, utf8 } from '../../lib/bytes.ts'
import { UsageError } from '../../lib/errors.ts'
import type { Avatar, StoredProfile } from '../../store/profiles.ts'
import { AVATAR_BYTES_MAX, PROFILE_BIO_BYTES_MAX, PROFILE_NAME_BYTES_MAX } from '../../wire/content.ts'
import { PICTURE_SIDE_MAX, pictureKind } from './pictures.ts'

export interface ProfileChange {
  readonly name?: string
  readonly bio?: string
  /** `null` takes the picture away. */
  readonly avatar?: Avatar | null
}

export const NO_PROFILE: StoredProfile = { number: 0, name: '', bio: '', avatar: undefined }
const NUMBER_MAX = 0xffff_ffff

/** Control characters, and those that turn the direction of the text around them: neither belongs into a name. */
// oxlint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu
/** A bio may have lines. */
// oxlint-disable-next-line no-control-regex
const UNSEEN_BUT_LINES = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * The owner's profile after a change; the same one where nothing changed. The number is the time in seconds, or one more
 * than before: also a device that has lost its profile is believed after the next change.
 * Throws UsageError for what is too long, or no picture of the kind that it is said to be.
 */
export function changedProfile(before: StoredProfile, change: ProfileChange, nowMs: number): StoredProfile {
  const name = change.name === undefined ? before.name : line(change.name)
  const bio = change.bio === undefined ? before.bio : lines(change.bio)
  const avatar = change.avatar === undefined ? before.avatar : (change.avatar ?? undefined)
  if (utf8(name).length > PROFILE_NAME_BYTES_MAX) throw new UsageError('a name has at most 64 bytes')
  if (utf8(bio).length > PROFILE_BIO_BYTES_MAX) throw new UsageError('a bio has at most 512 bytes')
  if (avatar !== undefined) checkAvatar(avatar)
  if (name === before.name && bio === before.bio && sameAvatar(avatar, before.avatar)) return before
  const number = Math.min(Math.max(before.number + 1, Math.floor(nowMs / 1_000)), NUMBER_MAX)
  if (number <= before.number) throw new UsageError('the profile cannot be changed any more')
  return { number, name, bio, avatar }
}

/** What a contact said of itself, without what has no business in it. */
export function receivedProfile({ number, name, bio, avatar }: StoredProfile): StoredProfile {
  return { number, name: line(name), bio: lines(bio), avatar: avatar && isShowable(avatar) ? avatar : undefined }
}

const line = (text: string): string => text.replace(UNSEEN, '').trim()
const lines = (text: string): string => text.replace(UNSEEN_BUT_LINES, '').trim()

function checkAvatar({ type, data }: Avatar): void {
  if (data.length > AVATAR_BYTES_MAX) throw new UsageError('a picture has at most 24 KiB')
  const kind = pictureKind(data)
  if (kind?.type !== type) throw new UsageError('this is no picture of the kind that it is said to be')
  if (!kind.isSmall) {
    throw new UsageError(`a picture is a still one of at most ${PICTURE_SIDE_MAX} by ${PICTURE_SIDE_MAX} pixels`)
  }
}

function isShowable({ type, data }: Avatar): boolean {
  const kind = pictureKind(data)
  return kind?.type === type && kind.isSmall
}

const sameAvatar = (a: Avatar | undefined, b: Avatar | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.type === b.type && equal(a.data, b.data))
