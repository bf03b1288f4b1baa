/**
 * The one table of what can go wrong: error class → HTTP status, stable `code`, exit code of the CLI. The server writes
 * RFC 9457 problem details from it, the client makes the same class out of them again, the CLI exits by it.
 */
import {
  CodecError,
  ConflictError,
  DaemonError,
  DecryptError,
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
  UsageError,
  VerificationError,
} from '../lib/errors.ts'

/** What a user's script sees; documented in `src/cli/README.md`. */
export const EXIT = {
  ok: 0,
  user: 1,
  unexpected: 2,
  network: 3,
  changedKey: 4,
  rate: 5,
  daemon: 6,
  timeout: 7,
  notFound: 8,
} as const

export interface ErrorRow {
  /** The class's name. */
  readonly name: string
  readonly status: number
  readonly code: string
  readonly exit: number
  readonly title: string
  /** The same error again, at the client's side. */
  make(detail: string, retryAfterMs: number): Error
}

/** One field that does not fit its schema: where, and which rule. Never what was sent. */
export interface FieldFault {
  readonly path: string
  readonly rule: string
}

/** A refusal that only HTTP knows (no token, foreign host, wrong content type, a body that fits no schema). */
export class RequestError extends SottoError {
  readonly status: number
  readonly code: string
  readonly fields: readonly FieldFault[]
  constructor(status: number, code: string, message: string, fields: readonly FieldFault[] = []) {
    super(message)
    this.status = status
    this.code = code
    this.fields = fields
  }
}

type ErrorClass = new (message: string) => Error
const row = (kind: ErrorClass, status: number, code: string, exit: number, title: string): ErrorRow => ({
  name: kind.name,
  status,
  code,
  exit,
  title,
  make: (detail) => new kind(detail),
})

export const ERRORS: readonly ErrorRow[] = [
  row(UsageError, 409, 'usage', EXIT.user, 'Not possible now'),
  row(ConflictError, 409, 'conflict', EXIT.user, 'Exists already'),
  row(CodecError, 422, 'malformed', EXIT.user, 'Not a valid encoding'),
  row(LimitError, 413, 'limit', EXIT.user, 'Over a limit'),
  row(PassphraseError, 401, 'passphrase', EXIT.user, 'Wrong passphrase'),
  row(LockedError, 423, 'locked', EXIT.user, 'Keys are sealed'),
  row(IdentityChangedError, 409, 'identity-changed', EXIT.changedKey, 'Changed key'),
  row(VerificationError, 422, 'verification', EXIT.changedKey, 'Does not verify'),
  {
    ...row(DecryptError as never, 422, 'decrypt', EXIT.unexpected, 'Cannot be decrypted'),
    make: () => new DecryptError('state'),
  },
  { ...row(RateError, 429, 'rate', EXIT.rate, 'Too many requests'), make: (detail, ms) => new RateError(detail, ms) },
  row(NotFoundError, 404, 'not-found', EXIT.notFound, 'Not found'),
  row(NetworkError, 502, 'network', EXIT.network, 'Network failure'),
  row(StorageError, 507, 'storage', EXIT.network, 'Disk failure'),
  row(TimeoutError, 504, 'timeout', EXIT.timeout, 'Took too long'),
  row(DaemonError, 503, 'daemon', EXIT.daemon, 'Daemon not running'),
]

const INTERNAL: ErrorRow = {
  name: 'Error',
  status: 500,
  code: 'internal',
  exit: EXIT.unexpected,
  title: 'Unexpected error',
  make: (detail) => new Error(detail),
}
const BY_NAME = new Map(ERRORS.map((entry) => [entry.name, entry]))
const BY_CODE = new Map(ERRORS.map((entry) => [entry.code, entry]))

/** The table's row for whatever was thrown; the last resort is `internal` (500, exit 2). */
export function errorRow(error: unknown): ErrorRow {
  return (error instanceof Error ? BY_NAME.get(error.name) : undefined) ?? INTERNAL
}

/** RFC 9457, `application/problem+json`. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly retryAfterSeconds?: number
  readonly fields?: readonly FieldFault[]
}

/** What the caller may know about it. An error that is not ours has no detail: its text was never checked for secrets. */
export function toProblem(error: unknown): Problem {
  if (error instanceof RequestError) {
    const { status, code, message, fields } = error
    return { ...problem(status, code, 'Request refused', message), ...(fields.length > 0 ? { fields } : {}) }
  }
  const found = errorRow(error)
  if (found === INTERNAL)
    return problem(500, 'internal', INTERNAL.title, 'the daemon met an unexpected error; see its log')
  const base = problem(found.status, found.code, found.title, (error as Error).message)
  return error instanceof RateError
    ? { ...base, retryAfterSeconds: Math.max(1, Math.ceil(error.retryAfterMs / 1_000)) }
    : base
}

function problem(status: number, code: string, title: string, detail: string): Problem {
  return { type: `urn:sotto:problem:${code}`, title, status, code, detail }
}

/** The error that a problem document stands for. Unknown codes become a plain Error (exit 2). */
export function fromProblem(status: number, body: unknown): Error {
  if (!isProblem(body)) return new SottoError(`the daemon answered with status ${status} and no explanation`)
  const known = BY_CODE.get(body.code)
  if (known !== undefined) return known.make(body.detail, (body.retryAfterSeconds ?? 0) * 1_000)
  if (status < 400 || status >= 500) return INTERNAL.make(body.detail, 0)
  const fields = (body.fields ?? []).map((fault) => `${fault.path === '' ? 'request' : fault.path} (${fault.rule})`)
  return new UsageError(fields.length === 0 ? body.detail : `${body.detail}: ${fields.join(', ')}`)
}

function isProblem(body: unknown): body is Problem {
  if (typeof body !== 'object' || body === null) return false
  const { code, detail } = body as Partial<Problem>
  return typeof code === 'string' && typeof detail === 'string'
}

const DISK_CODES = new Set(['EROFS', 'EACCES', 'EPERM', 'EIO', 'EMFILE', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG', 'ELOOP'])

/**
 * An error of the operating system as one of ours, with what to do next; anything else comes back as it is.
 * Only for start-up and files: in the network a refused connection is daily bread.
 */
export function fromSystemError(error: unknown, doing: string): unknown {
  const code = error instanceof Error ? (error as { readonly code?: string }).code : undefined
  if (code === 'EADDRINUSE') return new NetworkError(`${doing}: the port is busy; choose another`, { cause: error })
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new StorageError(`${doing}: the disk is full; make room`, { cause: error })
  if (code !== undefined && DISK_CODES.has(code))
    return new StorageError(`${doing}: refused by the system (${code})`, { cause: error })
  return error
}
