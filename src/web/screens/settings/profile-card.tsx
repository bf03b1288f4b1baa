import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import type { ProfileChange, ProfileView } from '../../../api/application/profile.ts'
import { Button } from '../../parts/button.tsx'
import { Field } from '../../parts/field.tsx'
import { FileField } from '../../parts/file-field.tsx'
import { Picture } from '../../parts/avatar.tsx'
import { shrinkPicture } from '../../parts/shrink-picture.ts'
import { useStore } from '../../state/context.ts'
import { bytesLeft } from '../../words/size.ts'

const NAME_BYTES = 64
const BIO_BYTES = 512

export function ProfileCard({ profile }: { profile: ProfileView }): JSX.Element {
  const store = useStore()
  const name = useSignal(profile.name)
  const bio = useSignal(profile.bio)
  const pictureFault = useSignal('')
  const save = (change: ProfileChange): Promise<void | undefined> =>
    store.attempt(async () => {
      store.profile.value = await store.api.updateProfile(change)
      store.notices.done('Saved. Your contacts are told.')
    })
  const take = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return
    pictureFault.value = ''
    try {
      await save({ avatar: await shrinkPicture(file) })
    } catch {
      pictureFault.value = 'This is not a picture that the browser can open.'
    }
  }
  const accountId = store.identity.value?.accountId ?? ''
  const over = bytesLeft(name.value, NAME_BYTES) < 0 || bytesLeft(bio.value, BIO_BYTES) < 0
  const changed = name.value !== profile.name || bio.value !== profile.bio
  return (
    <section class="card" aria-label="Profile">
      <h2>Profile</h2>
      <p class="quiet">Only your contacts see it, sealed like a message. All of it may stay empty.</p>
      <div class="profile-picture">
        <span class="avatar-box large">
          <Picture avatar={profile.avatar} name={profile.name} accountId={accountId} />
        </span>
        <div class="field">
          <FileField
            label="Picture"
            accept="image/*"
            hint="It is made small here, to 12 KiB, and loses its place and date."
            onFile={take}
          />
          {pictureFault.value !== '' && (
            <p class="fault" role="alert">
              {pictureFault.value}
            </p>
          )}
          {profile.avatar !== null && <Button onPress={() => save({ avatar: null })}>Take the picture away</Button>}
        </div>
      </div>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void save({ name: name.value.trim(), bio: bio.value.trim() })
        }}
      >
        <Field
          label="Your name"
          value={name.value}
          onValue={(value) => (name.value = value)}
          fault={bytesLeft(name.value, NAME_BYTES) < 0 ? 'Too long: at most 64 bytes.' : undefined}
        />
        <Field
          label="About you"
          rows={3}
          value={bio.value}
          onValue={(value) => (bio.value = value)}
          hint={`${Math.max(0, bytesLeft(bio.value, BIO_BYTES))} bytes left`}
          fault={bytesLeft(bio.value, BIO_BYTES) < 0 ? 'Too long: at most 512 bytes.' : undefined}
        />
        <Button kind="main" type="submit" disabled={over || !changed}>
          Save the profile
        </Button>
      </form>
    </section>
  )
}
