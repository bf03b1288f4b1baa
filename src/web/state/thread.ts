/** The messages of one conversation, as far as they were read from the daemon: oldest first, older ones by cursor. */
import { batch, signal } from '@preact/signals'
import { NotFoundError } from '../../lib/errors.ts'
import type { MessageView } from '../../api/application/messages.ts'
import { withMessage, withNewestPage, withOlderPage, withoutMessages } from './merge.ts'
import type { PageApi } from './port.ts'

export const PAGE_SIZE = 50
/** Pages that a jump reads on its way to an old message before it opens a window of its own there. */
const JUMP_PAGES_MAX = 10
/** Changed messages that are read one by one; more, and the newest page is read instead. */
const SINGLE_READS_MAX = 8

export class Thread {
  readonly contact: string
  readonly messages = signal<readonly MessageView[]>([])
  /** Whether anything was read yet. */
  readonly ready = signal(false)
  /** Whether the first message of all is there. */
  readonly complete = signal(false)
  readonly loading = signal(false)
  /** True in a window around an old message: the newest ones are not here. */
  readonly detached = signal(false)
  readonly #api: PageApi
  #older: string | null = null

  constructor(contact: string, api: PageApi) {
    this.contact = contact
    this.#api = api
  }

  /** Reads the newest page and joins it to what is known. */
  async refresh(): Promise<void> {
    if (this.detached.value) return
    const page = await this.#api.messages(this.contact, { limit: PAGE_SIZE })
    if (this.detached.value) return
    const { messages, joined } = withNewestPage(this.messages.value, page.items, page.next === null)
    batch(() => {
      if (!joined || page.next === null) this.#setOlder(page.next)
      this.messages.value = messages
      this.ready.value = true
    })
  }

  /** Reads the page before the oldest known message. Does nothing while one is read, or at the start. */
  async loadOlder(): Promise<void> {
    if (this.loading.value || this.complete.value || this.#older === null) return
    this.loading.value = true
    try {
      const page = await this.#api.messages(this.contact, { cursor: this.#older, limit: PAGE_SIZE })
      batch(() => {
        this.messages.value = withOlderPage(this.messages.value, page.items)
        this.#setOlder(page.next)
      })
    } finally {
      this.loading.value = false
    }
  }

  /** Makes sure that the message is in the thread. Throws NotFoundError where there is none of this id here. */
  async reach(id: string): Promise<void> {
    if (!this.ready.value) await this.refresh()
    if (this.#has(id)) return
    const target = await this.#api.message(id)
    if (target.contact !== this.contact) throw new NotFoundError('the message is not in this conversation')
    for (let pages = 0; pages < JUMP_PAGES_MAX && !this.complete.value; pages++) {
      await this.loadOlder()
      if (this.#has(id)) return
    }
    const page = await this.#api.messages(this.contact, { cursor: target.cursor, limit: PAGE_SIZE })
    batch(() => {
      this.detached.value = true
      this.messages.value = [...page.items.toReversed(), target]
      this.#setOlder(page.next)
    })
  }

  /** Leaves the window around an old message. */
  async backToNewest(): Promise<void> {
    batch(() => {
      this.detached.value = false
      this.ready.value = false
      this.messages.value = []
    })
    await this.refresh()
  }

  /** Reads again what changed. `arrived` says that messages may have come that are not known yet. */
  async update(ids: ReadonlySet<string>, arrived: boolean): Promise<void> {
    if (!this.ready.value) return
    const known = [...ids].filter((id) => this.#has(id))
    if (arrived || known.length > SINGLE_READS_MAX) await this.refresh()
    const covered = new Set(arrived ? this.messages.value.slice(-PAGE_SIZE).map(({ id }) => id) : [])
    for (const id of known) if (!covered.has(id) || this.detached.value) await this.#readAgain(id)
  }

  /** What the API answered about one message. */
  put(message: MessageView): void {
    this.messages.value = withMessage(this.messages.value, message)
  }
  drop(id: string): void {
    this.messages.value = withoutMessages(this.messages.value, new Set([id]))
  }

  async #readAgain(id: string): Promise<void> {
    try {
      this.put(await this.#api.message(id))
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error
      this.drop(id)
    }
  }
  #has(id: string): boolean {
    return this.messages.value.some((message) => message.id === id)
  }
  #setOlder(next: string | null): void {
    this.#older = next
    this.complete.value = next === null
  }
}
