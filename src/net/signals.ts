/** Deadlines and calling off, and what they look like to the floor above. */
import type { SottoError } from '../lib/errors.ts'
import { NetworkError, TimeoutError, nameOf } from '../lib/errors.ts'

/** The caller's signal with a deadline of our own. */
export function within(deadlineMs: number, ...signals: readonly AbortSignal[]): AbortSignal {
  return AbortSignal.any([AbortSignal.timeout(deadlineMs), ...signals])
}

/** The promise, or the signal's reason if that comes first. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => {}) // nobody may be left to hear how it fails
  signal.throwIfAborted()
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => {
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** {@link TimeoutError} where a deadline passed, otherwise {@link NetworkError}. Texts of libp2p stay in the cause. */
export function networkError(what: string, error: unknown): SottoError {
  if (error instanceof TimeoutError || error instanceof NetworkError) return error
  if (nameOf(error) === 'TimeoutError') return new TimeoutError(`${what} took too long`, { cause: error })
  return new NetworkError(`${what} failed`, { cause: error })
}
