/** What people say of themselves, for the local API. */
import type { AvatarView, ProfileChange, ProfilePart, ProfileView } from '../../api/application/profile.ts'
import { UsageError } from '../../lib/errors.ts'
import { parseAccountId } from '../../protocol/account-id.ts'
import type { Avatar, StoredProfile } from '../../store/profiles.ts'
import type { Daemon } from '../daemon.ts'
import { roomsOf } from './rooms.ts'

const TYPES = { 'image/png': 1, 'image/jpeg': 2, 'image/webp': 3 } as const
const NAMES = { 1: 'image/png', 2: 'image/jpeg', 3: 'image/webp' } as const

export function profilePart(daemon: Daemon): ProfilePart {
  return {
    profile: async () => profileView(await roomsOf(daemon).profiles.own()),

    async updateProfile({ avatar, ...texts }: ProfileChange): Promise<ProfileView> {
      const picture = avatar === undefined ? {} : { avatar: avatar === null ? null : avatarOf(avatar) }
      return profileView(await roomsOf(daemon).profiles.update({ ...texts, ...picture }))
    },

    async contactProfile(accountId: string): Promise<ProfileView> {
      const { contacts, profiles } = roomsOf(daemon)
      const contact = await contacts.require(parseAccountId(accountId))
      return profileView(await profiles.of(contact.accountId))
    },
  }
}

/** Throws UsageError for what is no base64. */
function avatarOf({ type, data }: AvatarView): Avatar {
  const bytes = Buffer.from(data, 'base64')
  if (bytes.toString('base64') !== data) throw new UsageError('the picture is not in base64')
  return { type: TYPES[type], data: new Uint8Array(bytes) }
}

function profileView({ name, bio, avatar, number }: StoredProfile): ProfileView {
  const picture = avatar && { type: NAMES[avatar.type], data: Buffer.from(avatar.data).toString('base64') }
  return { name, bio, avatar: picture ?? null, number }
}
