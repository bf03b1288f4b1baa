import { TimeoutError } from './errors.ts'

/** Where time comes in: an argument, so that thirty days pass in a second of a test. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /** Calls `action` once after `delayMs`; the returned function calls it off. */
  after(delayMs: number, action: () => void): () => void
}

/** The longest delay of one timer: Node turns anything above it into 1 ms. */
const TIMER_MAX_MS = 2 ** 31 - 1

/** The machine's clock. Its timers keep the process alive until they are called off, and may be longer than 24 days. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, action) {
    let timer: ReturnType<typeof setTimeout>
    const arm = (restMs: number): void => {
      timer =
        restMs <= TIMER_MAX_MS
          ? setTimeout(action, restMs)
          : setTimeout(() => {
              arm(restMs - TIMER_MAX_MS)
            }, TIMER_MAX_MS)
    }
    arm(delayMs)
    return () => {
      clearTimeout(timer)
    }
  },
}

/** Resolves after `delayMs`, or rejects with the signal's reason. */
export async function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      cancel()
      reject(signal?.reason as Error)
    }
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

interface Entry {
  readonly at: number
  readonly order: number
  readonly action: () => void
}

/** A clock that moves only when told to: for tests and simulations. */
export class VirtualClock implements Clock {
  #now: number
  #order = 0
  readonly #entries = new Set<Entry>()

  constructor(startMs = 1_800_000_000_000) {
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  after(delayMs: number, action: () => void): () => void {
    const entry = { at: this.#now + Math.max(0, delayMs), order: this.#order++, action }
    this.#entries.add(entry)
    return () => {
      this.#entries.delete(entry)
    }
  }

  /** Moves time forward, running due timers in order and letting promises settle after each. */
  async advance(byMs: number): Promise<void> {
    const end = this.#now + byMs
    for (let due = this.#next(end); due !== undefined; due = this.#next(end)) {
      this.#entries.delete(due)
      this.#now = Math.max(this.#now, due.at)
      due.action()
      await settle()
    }
    this.#now = end
    await settle()
  }

  #next(end: number): Entry | undefined {
    let best: Entry | undefined
    for (const entry of this.#entries) {
      if (entry.at > end) continue
      if (best === undefined || entry.at < best.at || (entry.at === best.at && entry.order < best.order)) best = entry
    }
    return best
  }
}

/** Lets everything that waits only on promises run. */
async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  }
}

/**
 * Runs `job` with a signal that is given after `limitMs`, with TimeoutError as its reason, or when `outer` is. Nothing of it hangs on
 * `outer` afterwards: that may live as long as the daemon.
 */
export async function withDeadline<T>(
  clock: Clock,
  limitMs: number,
  job: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  outer?.throwIfAborted()
  const controller = new AbortController()
  const onAbort = (): void => {
    controller.abort(outer?.reason)
  }
  outer?.addEventListener('abort', onAbort, { once: true })
  const cancel = clock.after(limitMs, () => {
    controller.abort(new TimeoutError('it took too long'))
  })
  try {
    return await job(controller.signal)
  } finally {
    cancel()
    outer?.removeEventListener('abort', onAbort)
  }
}
