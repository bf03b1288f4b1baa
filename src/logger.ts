/** pino behind `lib/log`'s interface: JSON lines on stderr, readable lines on a terminal. */
import { pino } from 'pino'
import type { DestinationStream } from 'pino'
import type { LogFields, Logger } from './lib/log.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Words in a field's name whose text never reaches a log, whoever passes it by mistake. */
const SECRET_WORDS = new Set(
  'passphrase password phrase secret token text plaintext private seed key name note petname link authorization'.split(
    ' ',
  ),
)
const CENSORED = '[redacted]'

/** @param destination stderr unless a test takes the lines. */
export function createLogger(level: LogLevel, destination: DestinationStream = stderrStream()): Logger {
  const root = pino({ level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, destination)
  return wrap(root)
}

type Sink = Pick<ReturnType<typeof pino>, 'debug' | 'info' | 'warn' | 'error' | 'child'>

function wrap(sink: Sink): Logger {
  return {
    debug(message, fields) {
      sink.debug(redact(fields), message)
    },
    info(message, fields) {
      sink.info(redact(fields), message)
    },
    warn(message, fields) {
      sink.warn(redact(fields), message)
    },
    error(message, fields) {
      sink.error(redact(fields), message)
    },
    child: (component) => wrap(sink.child({ component })),
  }
}

/** The fields without what their names give away. */
function redact(fields: LogFields = {}): LogFields {
  const entries = Object.entries(fields).map(([name, value]): [string, LogFields[string]] => {
    const secret = name.split(/(?=[A-Z])|[_-]/).some((word) => SECRET_WORDS.has(word.toLowerCase()))
    return [name, secret && typeof value === 'string' ? CENSORED : value]
  })
  return Object.fromEntries(entries)
}

function stderrStream(): DestinationStream {
  // Synchronous: what was said before a crash is on disk after it.
  if (!process.stderr.isTTY) return pino.destination({ fd: 2, sync: true })
  return {
    write(line) {
      process.stderr.write(readable(line))
    },
  }
}

const LEVELS: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'WARN', 50: 'ERROR' }

/** `12:30:05 info outbox: message {…}` */
export function readable(line: string): string {
  const { level, time, component, msg, pid: _pid, ...fields } = JSON.parse(line) as Record<string, unknown>
  const at = String(time).slice(11, 19)
  const where = typeof component === 'string' ? `${component}: ` : ''
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`)
  return `${at} ${LEVELS[Number(level)] ?? 'log'} ${where}${String(msg)}${rest.join('')}\n`
}
