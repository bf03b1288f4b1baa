import type { Logger } from './log.ts'
import { nameOf } from './errors.ts'

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

/** Starts parts in order, rolls back newest first on failure, stops in reverse. */
export class Lifecycle implements Startable {
  readonly #parts: readonly Part[]
  readonly #log: Logger
  #started: Part[] = []

  constructor(parts: readonly Part[], log: Logger) {
    this.#parts = parts
    this.#log = log
  }

  async start(): Promise<void> {
    for (const entry of this.#parts) {
      try {
        await entry.part.start()
        this.#started.push(entry)
      } catch (error) {
        this.#log.error('part failed to start', { part: entry.name, error: nameOf(error) })
        await this.stop()
        throw error
      }
    }
  }

  /** Stops every started part, the last one first; a part that fails to stop does not keep the others up. */
  async stop(): Promise<void> {
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
