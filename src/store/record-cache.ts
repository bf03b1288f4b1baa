/** Opened records of a bucket, so that what is asked for again and again is unsealed and decoded once. Bounded, least recently used first out. */
import { dropOldest } from '../lib/bounded.ts'

export class RecordCache<T> {
  readonly #limit: number
  readonly #values = new Map<string, { readonly value: T | undefined }>()
  #generation = 0
  /** Raised by every change; a read that began before one must not leave what it found. */
  #changes = 0

  /** @param limit records kept; 0 keeps none. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Forgets everything where a write has failed since (see Database.generation). */
  at(generation: number): void {
    if (generation === this.#generation) return
    this.#generation = generation
    this.#values.clear()
    this.#changes++
  }

  get(key: Uint8Array): { readonly value: T | undefined } | undefined {
    if (this.#limit === 0) return undefined
    const name = nameOf(key)
    const found = this.#values.get(name)
    if (found === undefined) return undefined
    this.#values.delete(name)
    this.#values.set(name, found)
    return found
  }

  /** Begins a read: keeps what it found, unless something changed meanwhile. */
  reading(key: Uint8Array): (value: T | undefined) => void {
    const before = this.#changes
    return (value) => {
      if (before === this.#changes) this.#keep(key, value)
    }
  }

  changed(key: Uint8Array, value: T | undefined): void {
    this.#changes++
    this.#keep(key, value)
  }

  forget(key: Uint8Array): void {
    this.#changes++
    this.#values.delete(nameOf(key))
  }

  #keep(key: Uint8Array, value: T | undefined): void {
    if (this.#limit === 0) return
    const name = nameOf(key)
    this.#values.delete(name)
    this.#values.set(name, { value })
    dropOldest(this.#values, this.#limit)
  }
}

/** Stored keys are short: one character a byte. */
function nameOf(key: Uint8Array): string {
  return String.fromCharCode(...key)
}
