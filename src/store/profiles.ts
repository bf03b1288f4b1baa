import { fixed, list, oneOf, opaque, struct, text, u32, u8 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import { DEVICES_MAX } from '../wire/card.ts'
import { AVATAR_BYTES_MAX, PROFILE_BIO_BYTES_MAX, PROFILE_NAME_BYTES_MAX } from '../wire/content.ts'
import type { Database, StoreOp } from './database.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/** Profiles kept opened: lists of contacts ask for all of them, and one has half a KiB at most. */
const CACHED = 2_000

const profileCodec = struct({
  version: u8,
  number: u32,
  name: text(PROFILE_NAME_BYTES_MAX),
  bio: text(PROFILE_BIO_BYTES_MAX),
})
const avatarCodec = struct({ version: u8, type: oneOf(1, 2, 3), data: opaque(AVATAR_BYTES_MAX, 1) })
/** Which of our own profiles was handed to the outbox for a contact: as which account of ours, for which of its devices. */
const toldCodec = struct({ version: u8, number: u32, self: fixed(32), devices: list(fixed(16), DEVICES_MAX) })

export interface Avatar {
  /** As on the wire: 1 PNG · 2 JPEG · 3 WebP. */
  readonly type: 1 | 2 | 3
  readonly data: Uint8Array
}
export interface StoredProfile {
  readonly number: number
  readonly name: string
  readonly bio: string
  readonly avatar: Avatar | undefined
}
export type ProfileLine = Pick<StoredProfile, 'number' | 'name' | 'bio'>
export interface Told {
  readonly number: number
  readonly self: Uint8Array
  readonly devices: readonly Uint8Array[]
}

/** The name under which the owner's own profile stands: no account id is all zeros. */
export const OWN_PROFILE = new Uint8Array(32)

/** What people say of themselves, by account id (32 bytes): pictures apart from the rest, which lists need. */
export class Profiles {
  readonly #profiles: Repository<Coded<typeof profileCodec>>
  readonly #avatars: Repository<Coded<typeof avatarCodec>>
  readonly #told: Repository<Coded<typeof toldCodec>>

  constructor(database: Database, vault: Vault) {
    this.#profiles = new Repository(database, vault, 'profiles', profileCodec, CACHED)
    this.#avatars = new Repository(database, vault, 'avatars', avatarCodec)
    this.#told = new Repository(database, vault, 'profilesTold', toldCodec, CACHED)
  }

  /** Without the picture. */
  async line(accountId: Uint8Array): Promise<ProfileLine | undefined> {
    return this.#profiles.get({ id: accountId })
  }

  async get(accountId: Uint8Array): Promise<StoredProfile | undefined> {
    const [line, avatar] = await Promise.all([
      this.#profiles.get({ id: accountId }),
      this.#avatars.get({ id: accountId }),
    ])
    if (line === undefined) return undefined
    const { number, name, bio } = line
    return { number, name, bio, avatar }
  }

  put(accountId: Uint8Array, { avatar, ...line }: StoredProfile): StoreOp[] {
    const name = { id: accountId }
    return [
      ...this.#profiles.put(name, { version: 1, ...line }),
      ...(avatar === undefined ? this.#avatars.delete(name) : this.#avatars.put(name, { version: 1, ...avatar })),
    ]
  }

  async told(accountId: Uint8Array): Promise<Told | undefined> {
    return this.#told.get({ id: accountId })
  }

  putTold(accountId: Uint8Array, told: Told): StoreOp[] {
    return this.#told.put({ id: accountId }, { version: 1, ...told })
  }

  /** Everything about a contact that goes. */
  delete(accountId: Uint8Array): StoreOp[] {
    const name = { id: accountId }
    return [...this.#profiles.delete(name), ...this.#avatars.delete(name), ...this.#told.delete(name)]
  }
}
