import type { MessageFlags, MessageView } from '../../../api/application/messages.ts'
import type { MenuItem } from '../../parts/menu.tsx'
import type { Store } from '../../state/store.ts'
import type { Desk } from './desk.ts'

/** What can be done with a message as it is now. */
export function actionsOf(message: MessageView, desk: Desk, store: Store): readonly MenuItem[] {
  const { id, outgoing, status, starred, pinned } = message
  const shown = message.gone === 'no' && message.kind === 'text'
  const flag = (flags: MessageFlags) => (): Promise<unknown> =>
    store.attempt(async () => {
      store.putMessage(await store.api.flagMessage(id, flags))
      await store.readConversations()
    })
  const open = (kind: 'why' | 'delete' | 'react') => (): void => {
    desk.dialog.value = { kind, message }
  }
  const list: (MenuItem | false)[] = [
    shown && {
      label: 'Reply',
      icon: 'reply',
      onPress: () => {
        desk.reply(message)
      },
    },
    shown && { label: 'React…', icon: 'smile', onPress: open('react') },
    shown && { label: 'Copy text', icon: 'copy', onPress: () => copy(message, store) },
    shown && { label: starred ? 'Unstar' : 'Star', icon: 'star', onPress: flag({ starred: !starred }) },
    shown && { label: pinned ? 'Unpin' : 'Pin', icon: 'pin', onPress: flag({ pinned: !pinned }) },
    shown &&
      outgoing &&
      status !== 'taken-back' && {
        label: 'Edit',
        icon: 'settings',
        onPress: () => {
          desk.edit(message)
        },
      },
    outgoing && { label: 'Why this status?', icon: 'guide', onPress: open('why') },
    shown &&
      outgoing &&
      (status === 'queued' || status === 'stored') && {
        label: 'Take back',
        icon: 'undo',
        onPress: () =>
          store.attempt(async () => {
            store.putMessage(await store.api.takeBack(id))
          }),
      },
    { label: 'Delete…', icon: 'cross', danger: true, onPress: open('delete') },
  ]
  return list.filter((item) => item !== false)
}

async function copy({ text }: MessageView, store: Store): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    store.notices.done('Copied.')
  } catch {
    store.notices.done('The browser does not allow copying: mark the text and copy it yourself.')
  }
}
