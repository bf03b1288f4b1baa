/** Tells the contact that the user types: at most every three seconds, and only where the settings allow it. */
import type { Store } from '../../state/store.ts'

const EVERY_MS = 3_000
const IDLE_MS = 6_000

export class TypingSignal {
  readonly #contact: string
  readonly #store: Store
  #toldAt = 0
  #idle: ReturnType<typeof setTimeout> | undefined

  constructor(contact: string, store: Store) {
    this.#contact = contact
    this.#store = store
  }

  typed(text: string): void {
    if (text === '') {
      this.stop()
      return
    }
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => {
      this.stop()
    }, IDLE_MS)
    if (Date.now() - this.#toldAt < EVERY_MS) return
    this.#toldAt = Date.now()
    this.#tell(true)
  }

  stop(): void {
    clearTimeout(this.#idle)
    if (this.#toldAt === 0) return
    this.#toldAt = 0
    this.#tell(false)
  }

  #tell(typing: boolean): void {
    if (this.#store.settings.value?.typing !== true) return
    // Worth nothing a moment later: a failure is no one's concern.
    this.#store.api.setTyping(this.#contact, typing).catch(() => {})
  }
}
