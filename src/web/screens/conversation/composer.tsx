import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { IconButton } from '../../parts/button.tsx'
import { go, to } from '../../app/routes.ts'
import { useStore } from '../../state/context.ts'
import { preview } from '../../words/preview.ts'
import type { Desk } from './desk.ts'
import { TypingSignal } from './typing-signal.ts'

const TEXT_BYTES_MAX = 1_048_576
const ROWS_MAX = 8

/** Enter sends, Shift and Enter make a line. What is typed is a draft at once; an edit leaves the draft alone. */
export function Composer({ desk }: { desk: Desk }): JSX.Element {
  const store = useStore()
  const { contact } = desk
  const input = useRef<HTMLTextAreaElement>(null)
  const edited = useSignal('')
  const typing = useRef(new TypingSignal(contact, store)).current
  const editing = desk.editing.value
  const replyTo = desk.replyTo.value
  const text = editing === null ? store.drafts.of(contact).value : edited.value
  const blocked = store.byAccount.value.get(contact)?.changed === true

  useEffect(() => {
    if (editing !== null) edited.value = editing.text
  }, [editing])
  useEffect(() => {
    // On a small screen a keyboard would jump up unasked.
    if (desk.focusWanted.value > 0 || matchMedia('(min-width: 54rem)').matches) input.current?.focus()
  }, [desk.focusWanted.value])
  useEffect(
    () => () => {
      typing.stop()
      void store.drafts.flush()
    },
    [],
  )

  const type = (value: string): void => {
    if (editing !== null) {
      edited.value = value
      return
    }
    store.drafts.type(contact, value)
    typing.typed(value)
  }
  const send = async (): Promise<void> => {
    if (text.trim() === '' || blocked) return
    if (new TextEncoder().encode(text).length > TEXT_BYTES_MAX) {
      store.notices.done('A message has at most 1 MiB. Send it in parts.')
      return
    }
    if (editing !== null) {
      const answer = await store.attempt(() => store.api.editMessage(editing.id, { text }))
      if (answer === undefined) return
      store.putMessage(answer)
      desk.rest()
      return
    }
    typing.stop()
    store.drafts.type(contact, '')
    desk.rest()
    await store.outgoing.send(contact, text, replyTo?.id ?? null)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.isComposing) return
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault()
      void send()
    } else if (event.key === 'Escape') {
      if (!desk.rest()) go(to.chats)
    } else if (event.key === 'ArrowUp' && text === '') {
      const last = store.thread(contact).messages.value.findLast((entry) => entry.outgoing && entry.gone === 'no')
      if (last === undefined) return
      event.preventDefault()
      desk.edit(last)
    }
  }

  return (
    <form
      class="composer"
      aria-label="Write a message"
      onSubmit={(event) => {
        event.preventDefault()
        void send()
      }}
    >
      {(replyTo ?? editing) !== null && (
        <div class="composer-about">
          <p>
            <strong>
              {editing === null
                ? `Reply to ${replyTo?.outgoing === true ? 'yourself' : store.nameOf(contact)}`
                : 'Edit'}
            </strong>{' '}
            <span class="clip">{preview(replyTo ?? editing ?? EMPTY)}</span>
          </p>
          <IconButton
            icon="cross"
            label={editing === null ? 'End the reply' : 'End the edit'}
            onPress={() => desk.rest()}
          />
        </div>
      )}
      <div class="composer-row">
        <textarea
          ref={input}
          aria-label={`Message to ${store.nameOf(contact)}`}
          placeholder={blocked ? 'Nothing is sent until you decide about the changed key' : 'Message'}
          rows={Math.min(ROWS_MAX, text.split('\n', ROWS_MAX).length)}
          value={text}
          disabled={blocked}
          dir="auto"
          onInput={(event) => {
            type(event.currentTarget.value)
          }}
          onKeyDown={onKeyDown}
        />
        <button
          class="icon-button send"
          type="submit"
          aria-label={editing === null ? 'Send' : 'Save the edit'}
          title="Send (Enter)"
          disabled={blocked || text.trim() === ''}
        >
          <SendIcon />
        </button>
      </div>
    </form>
  )
}

const EMPTY = { kind: 'text', gone: 'no', text: '' } as const

function SendIcon(): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d="M5 12h13M12 5l7 7-7 7" />
    </svg>
  )
}
