/** Short words on the edge of the screen, read out by screen readers: what was done, what was refused, what happened by itself. */
import { batch, signal } from '@preact/signals'
import { explain } from '../words/errors.ts'

export interface Notice {
  readonly key: number
  readonly kind: 'done' | 'fault' | 'news'
  readonly text: string
  /** What the user can do; empty where nothing is left to do. */
  readonly next: string
}

const DONE_MS = 5_000
const NOTICES_MAX = 4

export class Notices {
  readonly list = signal<readonly Notice[]>([])
  /** Read out, not shown: what came in. */
  readonly announced = signal('')
  /** How often something was announced: the same words twice are two announcements. */
  readonly announcements = signal(0)
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>()
  #isHeld = false
  #serial = 0

  done(text: string): void {
    const key = this.#add({ kind: 'done', text, next: '' })
    if (!this.#isHeld) this.#goLater(key)
  }
  /** Stays until it is dismissed. */
  fault(error: unknown): void {
    const { what, next } = explain(error)
    if (this.list.value.some((notice) => notice.text === what)) return
    this.#add({ kind: 'fault', text: what, next })
  }
  /** What happened without the user; stays until it is dismissed, and stands there once. */
  news(text: string, next: string): void {
    if (this.list.value.some((notice) => notice.text === text)) return
    this.#add({ kind: 'news', text, next })
  }
  dismiss(key: number): void {
    clearTimeout(this.#timers.get(key))
    this.#timers.delete(key)
    this.list.value = this.list.value.filter((notice) => notice.key !== key)
  }
  announce(text: string): void {
    batch(() => {
      this.announced.value = text
      this.announcements.value++
    })
  }

  /** Somebody is at the notices: none goes by itself. */
  hold(): void {
    this.#isHeld = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }
  release(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    for (const { key, kind } of this.list.value) if (kind === 'done') this.#goLater(key)
  }

  #goLater(key: number): void {
    const go = (): void => {
      this.dismiss(key)
    }
    this.#timers.set(key, setTimeout(go, DONE_MS))
  }
  #add(notice: Omit<Notice, 'key'>): number {
    const key = ++this.#serial
    this.list.value = [...this.list.value.slice(1 - NOTICES_MAX), { key, ...notice }]
    return key
  }
}
