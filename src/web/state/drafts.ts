/**
 * What was begun and not sent: in memory at once, in the daemon's sealed store soon after. Never in the browser's own storage,
 * which lies open on the disk.
 */
import { signal } from '@preact/signals'
import type { Signal } from '@preact/signals'
import type { PageApi } from './port.ts'

const SAVE_AFTER_MS = 600

export class Drafts {
  /** Whether something typed is only in this tab yet. */
  readonly unsaved = signal(false)
  readonly #api: Pick<PageApi, 'updateConversation'>
  readonly #texts = new Map<string, Signal<string>>()
  readonly #dirty = new Set<string>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(api: Pick<PageApi, 'updateConversation'>) {
    this.#api = api
  }

  of(contact: string): Signal<string> {
    const known = this.#texts.get(contact)
    if (known !== undefined) return known
    const made = signal('')
    this.#texts.set(contact, made)
    return made
  }

  /** The daemon's copy; what was typed here since then stands. */
  seed(contact: string, draft: string): void {
    if (!this.#dirty.has(contact) && !this.#texts.has(contact)) this.of(contact).value = draft
  }

  type(contact: string, text: string): void {
    this.of(contact).value = text
    this.#dirty.add(contact)
    this.unsaved.value = true
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.flush(), SAVE_AFTER_MS)
  }

  /** Hands every unsaved draft to the daemon. Those that it does not take stay for the next time. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    for (const contact of this.#dirty) {
      const draft = this.of(contact).value
      try {
        await this.#api.updateConversation(contact, { draft })
      } catch {
        // It stays marked; the next key, the next event stream and the lock button try again.
        continue
      }
      if (this.of(contact).value === draft) this.#dirty.delete(contact)
    }
    this.unsaved.value = this.#dirty.size > 0
  }

  /** Forgets what the daemon has; what it has not stays typed. */
  forgetSaved(): void {
    for (const contact of this.#texts.keys()) if (!this.#dirty.has(contact)) this.#texts.delete(contact)
  }
}
