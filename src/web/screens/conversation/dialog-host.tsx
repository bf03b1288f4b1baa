import type { JSX } from 'preact'
import { Confirm } from '../../parts/confirm.tsx'
import { useStore } from '../../state/context.ts'
import { DeleteDialog } from './delete-dialog.tsx'
import type { Desk } from './desk.ts'
import { ReactionPicker } from './reaction-picker.tsx'
import { TimerDialog } from './timer-dialog.tsx'
import { WhyPanel } from './why-panel.tsx'

/** The one window of a conversation that is open. */
export function DialogHost({ desk }: { desk: Desk }): JSX.Element | null {
  const store = useStore()
  const open = desk.dialog.value
  if (open === null) return null
  const close = (): void => {
    desk.dialog.value = null
  }
  switch (open.kind) {
    case 'why':
      return <WhyPanel message={open.message} onClose={close} />
    case 'delete':
      return <DeleteDialog message={open.message} onClose={close} />
    case 'react':
      return <ReactionPicker message={open.message} onClose={close} />
    case 'timer':
      return <TimerDialog contact={desk.contact} onClose={close} />
    case 'clear':
      return (
        <Confirm
          title="Clear this conversation?"
          yes="Clear"
          danger
          onClose={close}
          onYes={() =>
            store.attempt(async () => {
              await store.api.clearConversation(desk.contact)
              await store.thread(desk.contact).backToNewest()
              await store.readConversations()
            })
          }
        >
          <p>Every message of it is deleted on this device. The other side keeps theirs.</p>
        </Confirm>
      )
  }
}
