import type { Clock } from '../../lib/clock.ts'
import { TimeoutError } from '../../lib/errors.ts'

/**
 * Runs `job` with a signal that is given when `outer` is, or after `limitMs` with TimeoutError as its reason. Nothing of it
 * hangs on `outer` afterwards: that lives as long as the daemon, and rounds are many.
 */
export async function within<T>(
  clock: Clock,
  limitMs: number,
  outer: AbortSignal,
  job: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  outer.throwIfAborted()
  const controller = new AbortController()
  const onAbort = (): void => {
    controller.abort(outer.reason)
  }
  outer.addEventListener('abort', onAbort, { once: true })
  const cancel = clock.after(limitMs, () => {
    controller.abort(new TimeoutError('it took too long'))
  })
  try {
    return await job(controller.signal)
  } finally {
    cancel()
    outer.removeEventListener('abort', onAbort)
  }
}
