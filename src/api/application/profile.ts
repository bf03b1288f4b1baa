/** Who a person says to be, and what the owner lets others see. */

/** Sealed to contacts only. Sizes in UTF-8 bytes. */
export interface ProfileView {
  /** At most 64 bytes; empty where none was given. */
  readonly name: string
  /** At most 512 bytes. */
  readonly bio: string
  readonly avatar: AvatarView | null
  /** Raised with every change; a lower one never takes the place of a higher. */
  readonly number: number
}

export interface AvatarView {
  readonly type: 'image/png' | 'image/jpeg' | 'image/webp'
  /** Base64 of at most 24 KiB. */
  readonly data: string
}

export interface ProfileChange {
  readonly name?: string
  readonly bio?: string
  /** `null` takes the picture away. */
  readonly avatar?: AvatarView | null
}

export interface ProfilePart {
  profile(): Promise<ProfileView>
  /** Tells every accepted contact. Throws UsageError for what is too long or no such picture. */
  updateProfile(change: ProfileChange): Promise<ProfileView>
  /** What a contact says of itself; a profile without anything where it said nothing. Throws NotFoundError. */
  contactProfile(accountId: string): Promise<ProfileView>
}
