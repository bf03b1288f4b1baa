/** What a conversation's parts tell each other: whom a reply answers, what is edited, which window is open. */
import { signal } from '@preact/signals'
import type { MessageView } from '../../../api/application/messages.ts'
import type { Store } from '../../state/store.ts'

export type OpenDialog =
  | { readonly kind: 'why' | 'delete' | 'react'; readonly message: MessageView }
  | { readonly kind: 'timer' | 'clear' }

export class Desk {
  readonly contact: string
  readonly replyTo = signal<MessageView | null>(null)
  readonly editing = signal<MessageView | null>(null)
  readonly dialog = signal<OpenDialog | null>(null)
  readonly searching = signal(false)
  /** The message that a jump leads to; each jump is an object of its own. */
  readonly target = signal<{ readonly id: string } | null>(null)
  /** Raised when the composer should take the focus. */
  readonly focusWanted = signal(0)
  readonly #store: Store

  constructor(store: Store, contact: string) {
    this.#store = store
    this.contact = contact
  }

  reply(message: MessageView): void {
    this.editing.value = null
    this.replyTo.value = message
    this.focusWanted.value++
  }
  edit(message: MessageView): void {
    this.replyTo.value = null
    this.editing.value = message
    this.focusWanted.value++
  }
  /** Ends a reply or an edit; whether there was one. */
  rest(): boolean {
    const busy = this.replyTo.value !== null || this.editing.value !== null
    this.replyTo.value = null
    this.editing.value = null
    return busy
  }
  async jump(id: string): Promise<void> {
    const store = this.#store
    const reached = await store.attempt(async () => {
      await store.thread(this.contact).reach(id)
      return true
    })
    if (reached === true) this.target.value = { id }
  }
}
