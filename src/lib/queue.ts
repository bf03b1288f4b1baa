import { LimitError } from './errors.ts'

/** Runs jobs one after another per key, different keys side by side; bounded. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<unknown>>()
  readonly #waitingMax: number
  #waiting = 0

  /** @param waitingMax the most jobs that may wait over all keys; one more is refused with {@link LimitError}. */
  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax
  }

  /** Jobs waiting or running. */
  get size(): number {
    return this.#waiting
  }

  async run<T>(key: string, job: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#waitingMax) throw new LimitError('too many jobs are waiting')
    this.#waiting++
    const before = this.#tails.get(key) ?? Promise.resolve()
    const mine = before.then(job, job)
    const tail = mine.catch(() => {})
    this.#tails.set(key, tail)
    try {
      return await mine
    } finally {
      this.#waiting--
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
    }
  }

  /** Resolves when everything that was queued so far is done. */
  async idle(): Promise<void> {
    await Promise.all(this.#tails.values())
  }
}
