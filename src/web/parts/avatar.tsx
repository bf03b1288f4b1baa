import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import type { AvatarView } from '../../api/application/profile.ts'
import { useStore } from '../state/context.ts'

const HUES = 8

/** An account's own colour, always the same. */
const hueOf = (accountId: string): number =>
  Array.from(accountId.slice(-4), (letter) => letter.codePointAt(0) ?? 0).reduce((sum, code) => sum + code, 0) % HUES

const initialOf = (name: string): string => {
  const [first] = new Intl.Segmenter().segment(name.trim().replace(/^~/, ''))
  return first?.segment.toLocaleUpperCase() ?? '·'
}

/** The first letter on a colour of the account's own. */
function Initial({ name, accountId }: { name: string; accountId: string }): JSX.Element {
  const hue = hueOf(accountId)
  return <span class={`avatar hue-${hue}`}>{initialOf(name)}</span>
}

export function Picture({
  avatar,
  name,
  accountId,
}: {
  avatar: AvatarView | null
  name: string
  accountId: string
}): JSX.Element {
  if (avatar === null) return <Initial name={name} accountId={accountId} />
  return <img class="avatar" src={`data:${avatar.type};base64,${avatar.data}`} alt="" />
}

/** The contact's picture, or its initial; with a dot while the contact is online and lets that be seen. */
export function Avatar({ accountId }: { accountId: string }): JSX.Element {
  const store = useStore()
  const contact = store.byAccount.value.get(accountId)
  const profile = store.profiles.known.value.get(accountId)
  useEffect(() => {
    if (contact !== undefined) void store.profiles.want(contact)
  }, [contact?.profileNumber])
  return (
    <span class="avatar-box" aria-hidden="true">
      <Picture avatar={profile?.avatar ?? null} name={store.nameOf(accountId)} accountId={accountId} />
      {contact?.online === true && <span class="online-dot" />}
    </span>
  )
}
