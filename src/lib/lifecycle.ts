import type { Logger } from './log.ts'
import { nameOf, SottoError } from './errors.ts'

/** A part that starts and stops (libp2p's `Startable` shape). */
export interface Startable {
  start(): void | Promise<void>
  stop(): void | Promise<void>
}
/** A part under the name that logs use. */
export interface Part {
  readonly name: string
  readonly part: Startable
}

/**
 * Starts parts in order, rolls back newest first on failure, stops in reverse. A stop that comes during the start
 * (Ctrl-C right away) ends the start after the part at hand and leaves nothing running.
 */
export class Lifecycle implements Startable {
  readonly #parts: readonly Part[]
  readonly #log: Logger
  #started: Part[] = []
  #starting: Promise<void> | undefined
  #cancelled = false

  constructor(parts: readonly Part[], log: Logger) {
    this.#parts = parts
    this.#log = log
  }

  async start(): Promise<void> {
    this.#cancelled = false
    this.#starting = this.#startAll()
    try {
      await this.#starting
    } finally {
      this.#starting = undefined
    }
  }

  /** Starts one more part behind those that run. Where it fails it is for the caller to {@link stop} the others. */
  async add(entry: Part): Promise<void> {
    await entry.part.start()
    this.#started.push(entry)
  }

  /** Stops every started part, the last one first; a part that fails to stop does not keep the others up. */
  async stop(): Promise<void> {
    this.#cancelled = true
    await this.#starting?.catch(() => {})
    await this.#stopAll()
  }

  async #startAll(): Promise<void> {
    for (const entry of this.#parts) {
      try {
        if (this.#cancelled) throw new SottoError('stopped while starting')
        await this.add(entry)
      } catch (error) {
        this.#log.error('part failed to start', { part: entry.name, error: nameOf(error) })
        await this.#stopAll()
        throw error
      }
    }
  }

  async #stopAll(): Promise<void> {
    const started = this.#started.reverse()
    this.#started = []
    for (const entry of started) {
      try {
        await entry.part.stop()
      } catch (error) {
        this.#log.error('part failed to stop', { part: entry.name, error: nameOf(error) })
      }
    }
  }
}
