/**
 * The logger that every room is handed. Messages are static text; what varies goes into `fields`.
 * Never keys, plaintext, names, or anything that a peer sent, at info or above.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger for a part: `sotto:outbox`. */
  child(component: string): Logger
}
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/** Says nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
}
