/** Opened records of a bucket, so that what is asked for again and again is unsealed and decoded once. Bounded, least recently used first out. */

/** Bytes, as they are stored, of the records that one cache keeps. */
export const CACHE_BYTES_MAX = 16 * 1_024 * 1_024

interface Kept<T> {
  readonly value: T | undefined
  readonly bytes: number
}

export class RecordCache<T> {
  readonly #limit: number
  readonly #values = new Map<string, Kept<T>>()
  #bytes = 0
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
    this.#bytes = 0
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
  reading(key: Uint8Array): (value: T | undefined, bytes: number) => void {
    const before = this.#changes
    return (value, bytes) => {
      if (before === this.#changes) this.#keep(key, value, bytes)
    }
  }

  /** @param bytes as it is stored. */
  changed(key: Uint8Array, value: T | undefined, bytes: number): void {
    this.#changes++
    this.#keep(key, value, bytes)
  }

  forget(key: Uint8Array): void {
    this.#changes++
    this.#drop(nameOf(key))
  }

  #keep(key: Uint8Array, value: T | undefined, bytes: number): void {
    if (this.#limit === 0) return
    const name = nameOf(key)
    this.#drop(name)
    this.#values.set(name, { value, bytes })
    this.#bytes += bytes
    for (const oldest of this.#values.keys()) {
      if (this.#values.size <= this.#limit && this.#bytes <= CACHE_BYTES_MAX) return
      this.#drop(oldest)
    }
  }

  #drop(name: string): void {
    this.#bytes -= this.#values.get(name)?.bytes ?? 0
    this.#values.delete(name)
  }
}

/** Stored keys are short: one character a byte. */
function nameOf(key: Uint8Array): string {
  return String.fromCharCode(...key)
}
