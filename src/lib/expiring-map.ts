import { dropOldest } from './bounded.ts'
import type { Clock } from './clock.ts'

/** A bounded map whose entries live for `ttlMs`; when full, the oldest goes. */
export class ExpiringMap<K, V> {
  readonly #entries = new Map<K, { readonly value: V; readonly until: number }>()
  readonly #clock: Clock
  readonly #ttlMs: number
  readonly #sizeMax: number

  constructor(clock: Clock, ttlMs: number, sizeMax: number) {
    this.#clock = clock
    this.#ttlMs = ttlMs
    this.#sizeMax = sizeMax
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    const leftMs = entry.until - this.#clock.now()
    // More than twice its life is left where the clock was set back meanwhile: it must not stay for as long as that.
    if (leftMs > 0 && leftMs <= 2 * this.#ttlMs) return entry.value
    this.#entries.delete(key)
    return undefined
  }

  set(key: K, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, until: this.#clock.now() + this.#ttlMs })
    dropOldest(this.#entries, this.#sizeMax)
  }

  delete(key: K): boolean {
    return this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }

  get size(): number {
    return this.#entries.size
  }
}
