/**
 * Idempotency-Key in one place, for everything that changes something: the same key with the same request gets the answer that the
 * first one got, for 24 hours and while this daemon runs; with another request it is refused. Who comes while the first is under
 * way waits for it. What failed is not kept: to try again is what the key is for.
 *
 * Messages go through it too, and besides have ids that follow from the key (`Auth.idFor`), so that a restart forgets nothing.
 */
import { toHex, utf8 } from '../lib/bytes.ts'
import type { Clock } from '../lib/clock.ts'
import { ConflictError } from '../lib/errors.ts'
import type { Rng } from '../lib/rng.ts'
import type { Caller } from './tokens.ts'

const LIFE_MS = 24 * 3_600_000
const ENTRIES_MAX = 4_096
const ANSWER_MAX_CHARS = 16_384
const KEPT_MAX_CHARS = 4_194_304

/** `again`: the work itself knows its key, so it is done once more instead of being kept. `secret`: never kept. */
export type Keeping = 'answer' | 'again' | 'secret'

export interface KeyedRequest {
  readonly caller: Caller
  readonly key: string
  readonly method: string
  readonly path: string
  readonly body: unknown
  readonly keeping: Keeping
}

export interface Outcome {
  readonly text: string | undefined
  /** Whether it is another request's answer. */
  readonly repeated: boolean
}

interface Entry {
  readonly print: string
  readonly until: number
  running: Promise<string | undefined> | undefined
  /** JSON; undefined where it is not kept. */
  answer: string | undefined
  again: boolean
}

export interface IdempotencyOptions {
  readonly clock: Clock
  readonly rng: Rng
  readonly sha256: (...parts: readonly Uint8Array[]) => Uint8Array
}

export class Idempotency {
  readonly #options: IdempotencyOptions
  /** Without it, the hash of a request with a passphrase in it could be tried out. */
  readonly #salt: Uint8Array
  readonly #entries = new Map<string, Entry>()
  #keptChars = 0

  constructor(options: IdempotencyOptions) {
    this.#options = options
    this.#salt = options.rng.bytes(32)
  }

  /**
   * The JSON of the answer: of `work`, or of the first request with this key. An answer that is no text (undefined) is not kept, nor
   * is it known afterwards that it was given. Throws ConflictError.
   */
  async run(request: KeyedRequest, work: () => Promise<string | undefined>): Promise<Outcome> {
    const name = `${request.caller.id} ${request.key}`
    const print = this.#print(request)
    const known = this.#find(name)
    if (known === undefined) return this.#first(name, print, request.keeping, work)
    if (known.print !== print)
      throw new ConflictError('this Idempotency-Key was used for another request; take a new one')
    if (known.running !== undefined) return { text: await known.running, repeated: true }
    if (known.answer !== undefined) return { text: known.answer, repeated: true }
    if (known.again) return this.#first(name, print, request.keeping, work)
    throw new ConflictError('this was done already under this Idempotency-Key, and its answer was not kept')
  }

  /** Lets go of every answer, not of what was done: for when the keys are sealed. */
  forgetAnswers(): void {
    for (const entry of this.#entries.values()) entry.answer = undefined
    this.#keptChars = 0
  }

  async #first(
    name: string,
    print: string,
    keeping: Keeping,
    work: () => Promise<string | undefined>,
  ): Promise<Outcome> {
    const until = this.#options.clock.now() + LIFE_MS
    const running = work()
    const entry: Entry = { print, until, running, answer: undefined, again: keeping === 'again' }
    this.#remove(name)
    this.#entries.set(name, entry)
    try {
      const text = await running
      entry.running = undefined
      if (text === undefined) this.#forget(name, entry)
      else if (keeping === 'answer') this.#keep(entry, text)
      return { text, repeated: false }
    } catch (error) {
      this.#forget(name, entry)
      throw error
    } finally {
      this.#trim()
    }
  }

  #keep(entry: Entry, answer: string): void {
    if (answer.length > ANSWER_MAX_CHARS) return
    entry.answer = answer
    this.#keptChars += answer.length
  }

  #find(name: string): Entry | undefined {
    const entry = this.#entries.get(name)
    if (entry === undefined || entry.until > this.#options.clock.now()) return entry
    this.#remove(name)
    return undefined
  }

  #trim(): void {
    for (const [name, entry] of this.#entries) {
      if (this.#entries.size <= ENTRIES_MAX && this.#keptChars <= KEPT_MAX_CHARS) return
      if (entry.running === undefined) this.#remove(name)
    }
  }

  #forget(name: string, entry: Entry): void {
    if (this.#entries.get(name) === entry) this.#remove(name)
  }

  #remove(name: string): void {
    this.#keptChars -= this.#entries.get(name)?.answer?.length ?? 0
    this.#entries.delete(name)
  }

  #print({ method, path, body }: KeyedRequest): string {
    const text = JSON.stringify([method, path, body ?? null])
    return toHex(this.#options.sha256(this.#salt, utf8(text)))
  }
}
