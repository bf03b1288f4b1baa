import { z } from 'zod'
import { RESTORE_TYPE } from '../client/storage.ts'
import { RequestError } from '../errors.ts'
import { ByteAnswer, route } from '../route.ts'
import type { Route } from '../route.ts'
import * as schema from '../schemas.ts'

/** Two Argon2id of 64 MiB, and two more. */
const SEALING_MS = 60_000
/** A whole home goes over the wire. */
const COPY_MS = 3_600_000
/** A million messages and the headers around them. */
const BACKUP_BYTES_MAX = 8 * 1_024 * 1_024 * 1_024
/** The line with both passphrases, every character of them escaped. */
const LINE_BYTES_MAX = 16_384
const NEWLINE = 0x0a

const current = z.string().min(1).max(1_024)
const chosen = z.string().min(8).max(1_024)
const backupBody = z.strictObject({ current, passphrase: chosen })
const passphraseBody = z.strictObject({ passphrase: current, newPassphrase: chosen })

/** Copies of the home, and its passphrase. */
export const storageRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/backup',
    group: 'write',
    secret: true,
    deadlineMs: COPY_MS,
    body: backupBody,
    work: async ({ application, body }) =>
      Promise.resolve(new ByteAnswer('application/octet-stream', application.backup(body))),
  }),
  route({
    method: 'POST',
    path: '/backup/restore',
    group: 'write',
    status: 201,
    secret: true,
    deadlineMs: COPY_MS,
    upload: RESTORE_TYPE,
    bodyMaxBytes: BACKUP_BYTES_MAX,
    async work({ application, upload }) {
      const { line, rest } = await firstLine(upload)
      return application.restoreBackup({ ...schema.validate(passphraseBody, parsed(line)), backup: rest })
    },
  }),
  route({
    method: 'PUT',
    path: '/identity/passphrase',
    group: 'write',
    status: 204,
    secret: true,
    deadlineMs: SEALING_MS,
    body: passphraseBody,
    work: async ({ application, body }) => application.changePassphrase(body),
  }),
]

/** What stands before the first newline, and everything behind it. */
async function firstLine(
  source: AsyncIterable<Uint8Array>,
): Promise<{ readonly line: string; readonly rest: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]()
  let begun = Buffer.alloc(0)
  while (!begun.includes(NEWLINE)) {
    const { done, value } = await iterator.next()
    if (done === true || begun.length > LINE_BYTES_MAX) throw noLine()
    begun = Buffer.concat([begun, value])
  }
  const end = begun.indexOf(NEWLINE)
  if (end > LINE_BYTES_MAX) throw noLine()
  const behind = begun.subarray(end + 1)
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    yield behind
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value
  }
  return { line: begun.subarray(0, end).toString('utf8'), rest: rest() }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown
  } catch {
    throw noLine()
  }
}

function noLine(): RequestError {
  return new RequestError(400, 'bad-json', 'the first line holds the passphrases, as JSON')
}
