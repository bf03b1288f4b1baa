/** What a connection may cost before anything of ours has looked at it: bytes of headers, time for headers, time for a body. */
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../lib/clock.ts'
import { RequestError, toProblem } from './errors.ts'
import { SECURITY_HEADERS } from './replies.ts'

const HEADERS_MAX_BYTES = 16_384
const HEADERS_MS = 10_000
/** A backup that is uploaded may take long; see `boundBodyTime` for everything else. */
const REQUEST_MS = 3_600_000
const JSON_BODY_MS = 30_000
/** A connection on which nothing moves, an answer that nobody reads among them. The streams of events beat more often. */
const IDLE_MS = 120_000
/** The same while the page is read, which anybody may. */
export const PAGE_IDLE_MS = 15_000
/** How often Node looks at the two times above. */
const CHECK_MS = 2_000

export const HTTP_LIMITS = {
  server: {
    maxHeaderSize: HEADERS_MAX_BYTES,
    headersTimeout: HEADERS_MS,
    connectionsCheckingInterval: CHECK_MS,
    insecureHTTPParser: false,
  },
  fastify: { requestTimeout: REQUEST_MS, connectionTimeout: IDLE_MS, keepAliveTimeout: 60_000 },
} as const

/** Hangs up on a JSON body that does not come. */
export function boundBodyTime({ raw, headers }: FastifyRequest, reply: FastifyReply, clock: Clock): void {
  const hasBody = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
  if (!hasBody || (headers['content-type'] ?? '').startsWith('application/vnd.')) return
  const cancel = clock.after(JSON_BODY_MS, () => {
    raw.socket.destroy()
  })
  raw.once('end', cancel)
  reply.raw.once('close', cancel)
}

/** Bytes that are no request (two lengths, control characters, headers without end) get an answer of ours, and the line is cut. */
export function onBrokenRequest(error: { readonly code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const [status, code, text] = REFUSALS[error.code ?? ''] ?? ([400, 'bad-request', 'this is no HTTP request'] as const)
  const body = JSON.stringify(toProblem(new RequestError(status, code, text)))
  const headers = Object.entries({
    ...SECURITY_HEADERS,
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  })
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(`HTTP/1.1 ${status} Refused\r\n${lines}\r\n${body}`)
}

const REFUSALS: Readonly<Record<string, readonly [status: number, code: string, text: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'headers-too-large', 'the headers are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'request-timeout', 'the request did not come in time'],
}
