/** Keeps the search index: indexes the messages of an old home in the background, and looks after it from time to time. */
import { sleep } from '../../lib/clock.ts'
import { nameOf } from '../../lib/errors.ts'
import type { Startable } from '../../lib/lifecycle.ts'
import type { SearchDeps } from './ports.ts'

/** Messages that one change indexes: some milliseconds. */
const STEP_MESSAGES = 64
/** Between changes, so that others have the disk and the processor. */
const PAUSE_MS = 5
/** After a step that failed. */
const AGAIN_MS = 60_000

export class SearchKeeper implements Startable {
  readonly #deps: SearchDeps
  #stopping = new AbortController()
  #building: Promise<void> | undefined

  constructor(deps: SearchDeps) {
    this.#deps = deps
  }

  /** Goes on where it was cut short. */
  start(): void {
    this.#stopping = new AbortController()
    this.#deps.index.watchDamage(() => {
      this.#build()
    })
    this.#build()
  }

  /** Resolves once nothing of the index is written any more. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#building
    await this.#deps.index.idle()
  }

  /** Throws the index away and builds it anew, in the background. */
  async rebuild(): Promise<void> {
    await this.#deps.index.reset()
    this.#build()
  }

  /** Part of the hourly upkeep. */
  async tend(): Promise<void> {
    await this.#deps.index.tend()
  }

  #build(): void {
    const { signal } = this.#stopping
    if (this.#building !== undefined || signal.aborted) return
    this.#building = this.#run(signal).finally(() => {
      this.#building = undefined
    })
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps
    while (!signal.aborted) {
      let pauseMs = PAUSE_MS
      try {
        if (await this.#step()) return
      } catch (error) {
        log.warn('messages could not be indexed', { error: nameOf(error) })
        pauseMs = AGAIN_MS
      }
      await sleep(clock, pauseMs, signal).catch(() => {})
    }
  }

  /** Whether everything is indexed. */
  async #step(): Promise<boolean> {
    const { index, journal } = this.#deps
    const task = await index.task()
    if (task === 'none') return true
    if (task === 'clear') {
      await index.reset()
      return false
    }
    return journal.commit(async () => {
      const contact = await this.#unfinished()
      if (contact === undefined) return { ops: await index.builtOps(), facts: [], result: true }
      return { ops: await this.#indexed(contact), facts: [], result: false }
    })
  }

  async #unfinished(): Promise<Uint8Array | undefined> {
    const { index, messages } = this.#deps
    for (const contact of await messages.contacts()) if ((await index.frontier(contact)) !== 0) return contact
    return undefined
  }

  async #indexed(contact: Uint8Array): ReturnType<SearchDeps['index']['buildOps']> {
    const { index, messages } = this.#deps
    const page = await messages.older(contact, await index.frontier(contact), STEP_MESSAGES)
    const oldest = page.length < STEP_MESSAGES ? 0 : (page.at(-1)?.order ?? 0)
    return index.buildOps(contact, page, oldest)
  }
}
