/** What every answer carries, and what a refusal looks like. */
import type { FastifyReply } from 'fastify'
import { toProblem } from './errors.ts'

export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

/** Refused before or without a look at what was asked. */
const HANG_UP: ReadonlySet<number> = new Set([400, 401, 403, 413, 415])

export function secureHeaders(reply: FastifyReply): void {
  void reply.headers(SECURITY_HEADERS)
}

export function sendProblem(reply: FastifyReply, error: unknown): void {
  const problem = toProblem(error)
  if (problem.retryAfterSeconds !== undefined) void reply.header('retry-after', String(problem.retryAfterSeconds))
  // Who was refused keeps no place among the connections; and what comes behind it on the same line could be another's.
  if (HANG_UP.has(problem.status)) {
    const { socket } = reply.request.raw
    void reply.header('connection', 'close')
    reply.raw.once('finish', () => {
      socket.destroySoon()
    })
  }
  if (problem.code === 'unauthorized') void reply.header('www-authenticate', 'Bearer')
  void reply
    .headers(SECURITY_HEADERS)
    .code(problem.status)
    .type('application/problem+json')
    .send(JSON.stringify(problem))
}
