/**
 * One class per cause, recognised by `name` (taken from the class). Messages hold no user data:
 * no keys, no text, no names, nothing that a peer sent.
 */
export class SottoError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}

/** Bytes that are not a canonical encoding of what was expected. */
export class CodecError extends SottoError {}
/** Something exceeds a documented limit. */
export class LimitError extends SottoError {}
/** A caller asked for something that makes no sense; the message says what to do instead. */
export class UsageError extends SottoError {}
/** A key, signature, tag or proof did not verify. */
export class VerificationError extends SottoError {}
/** A message could not be decrypted. One look from outside; `reason` is for counters only. */
export class DecryptError extends SottoError {
  readonly reason: DecryptReason
  /** The device, and the account that vouches for it, where it is one that this account's pinned list does not have. */
  readonly unlisted: UnlistedDevice | undefined
  constructor(reason: DecryptReason, options?: ErrorOptions & { readonly unlisted?: UnlistedDevice }) {
    super('message cannot be decrypted', options)
    this.reason = reason
    this.unlisted = options?.unlisted
  }
}
/** Ids of a device that an account's list, as it is known here, does not have. */
export interface UnlistedDevice {
  readonly accountId: Uint8Array
  readonly deviceId: Uint8Array
}
/** Why a message did not decrypt: a failed tag, a replay, a gap over the limit, no session, a state that refuses. */
export type DecryptReason = 'authentication' | 'duplicate' | 'gap' | 'no-session' | 'stale' | 'state'
/** The passphrase does not open the sealed keys. */
export class PassphraseError extends SottoError {}
/** A record, account, contact or message that is not there. */
export class NotFoundError extends SottoError {}
/** It exists already. */
export class ConflictError extends SottoError {}
/** The account's keys are not the pinned ones. Nothing is sent until the user decides. */
export class IdentityChangedError extends SottoError {}
/** Too many requests, or a stamp that is missing or too cheap. */
export class RateError extends SottoError {
  readonly retryAfterMs: number
  constructor(message: string, retryAfterMs = 0, options?: ErrorOptions) {
    super(message, options)
    this.retryAfterMs = retryAfterMs
  }
}
/** The network did not do what was asked. */
export class NetworkError extends SottoError {}
/** The disk did not do what was asked (full, locked, broken). */
export class StorageError extends SottoError {}
/** It took longer than it may. */
export class TimeoutError extends SottoError {}
/** The daemon does not run, or not on this home. */
export class DaemonError extends SottoError {}
/** The daemon runs but its keys are sealed. */
export class LockedError extends SottoError {}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The name of whatever was thrown, for logs and maps: never its text. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}
