/** What went wrong, and what to do next, in plain words. */
import {
  CodecError,
  ConflictError,
  DaemonError,
  IdentityChangedError,
  LimitError,
  LockedError,
  NetworkError,
  NotFoundError,
  PassphraseError,
  RateError,
  SottoError,
  StorageError,
  TimeoutError,
} from '../../lib/errors.ts'

export interface Explanation {
  readonly what: string
  /** Empty where nothing is left to do. */
  readonly next: string
}

type ErrorClass = abstract new (...args: never[]) => Error

const NEXT: readonly (readonly [ErrorClass, string])[] = [
  [DaemonError, 'Nothing is lost: the page goes on as soon as Sotto runs again. To start it: sotto daemon'],
  [TimeoutError, 'Try once more. If it stays slow, the network screen shows what your device can reach.'],
  [NetworkError, 'Look at the network screen: there has to be a connection to at least one peer.'],
  [StorageError, 'Make room on the disk, or check that it can be written to.'],
  [LockedError, 'Unlock Sotto with your passphrase.'],
  [PassphraseError, 'Look at Caps Lock and the keyboard’s language, then type it again.'],
  [IdentityChangedError, 'Compare safety numbers with your contact before you send anything else.'],
  [LimitError, 'Make it smaller, or send it in parts.'],
  [CodecError, 'Copy it again, all of it, and try once more.'],
  [NotFoundError, ''],
  [ConflictError, ''],
]

/** Errors of the daemon say in their message what happened; anything else is a fault of the page. */
export function explain(error: unknown): Explanation {
  if (error instanceof RateError) return { what: sentence(error.message), next: waitWords(error.retryAfterMs) }
  const next = NEXT.find(([kind]) => error instanceof kind)?.[1] ?? ''
  if (error instanceof SottoError) return { what: sentence(error.message), next }
  return { what: 'Something in the page went wrong.', next: 'Reload it. Nothing that the daemon has is lost by that.' }
}

function waitWords(ms: number): string {
  if (ms <= 0) return 'Wait a moment, then try again.'
  const seconds = Math.ceil(ms / 1_000)
  return seconds < 90 ? `Try again in ${seconds} s.` : `Try again in ${Math.ceil(seconds / 60)} minutes.`
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(first) ? first : `${first}.`
}
