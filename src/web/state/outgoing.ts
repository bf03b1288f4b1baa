/** Messages on their way to the daemon: "sending" until it has answered, never more. */
import { signal } from '@preact/signals'
import { DaemonError, TimeoutError } from '../../lib/errors.ts'
import type { MessageView } from '../../api/application/messages.ts'
import type { PageApi } from './port.ts'

export interface Outgoing {
  /** Of the request: the same when it is sent again, so that nothing is sent twice. */
  readonly key: string
  readonly contact: string
  readonly text: string
  readonly replyTo: string | null
  /** What went wrong, in words; null while it is under way. */
  readonly fault: unknown
}

export class OutgoingMessages {
  readonly list = signal<readonly Outgoing[]>([])
  readonly #api: Pick<PageApi, 'send'>
  readonly #shown: (message: MessageView) => Promise<void>

  /** `shown` brings the accepted message into its thread; only then it leaves the list. */
  constructor(api: Pick<PageApi, 'send'>, shown: (message: MessageView) => Promise<void>) {
    this.#api = api
    this.#shown = shown
  }

  /** Whether the daemon took it. Where it did not, it stays listed with its fault. */
  async send(contact: string, text: string, replyTo: string | null): Promise<boolean> {
    const message = { key: crypto.randomUUID(), contact, text, replyTo, fault: null }
    this.list.value = [...this.list.value, message]
    return this.#hand(message)
  }

  /** The same request once more. */
  async again(key: string): Promise<boolean> {
    const message = this.list.value.find((entry) => entry.key === key)
    if (message === undefined || message.fault === null) return false
    this.#mark(key, null)
    return this.#hand(message)
  }

  /** What did not reach the daemon goes again: the key makes sure that nothing is sent twice. What it refused stays. */
  async resume(): Promise<void> {
    const lost = this.list.value.filter(({ fault }) => fault instanceof DaemonError || fault instanceof TimeoutError)
    for (const { key } of lost) await this.again(key)
  }

  /** Takes it off the list. */
  drop(key: string): Outgoing | undefined {
    const message = this.list.value.find((entry) => entry.key === key)
    this.list.value = this.list.value.filter((entry) => entry.key !== key)
    return message
  }

  async #hand({ key, contact, text, replyTo }: Outgoing): Promise<boolean> {
    try {
      await this.#shown(await this.#api.send(contact, { text, id: key, ...(replyTo === null ? {} : { replyTo }) }))
    } catch (fault) {
      this.#mark(key, fault)
      return false
    }
    this.drop(key)
    return true
  }
  #mark(key: string, fault: unknown): void {
    this.list.value = this.list.value.map((entry) => (entry.key === key ? { ...entry, fault } : entry))
  }
}
