/** One request of the client: JSON in, JSON or an error of ours out. */
import type { Agent, IncomingMessage } from 'node:http'
import { DaemonError, LimitError, TimeoutError } from '../lib/errors.ts'
import { fromProblem } from './errors.ts'

/** Not imported: an import reads every export, and one of them loads a whole WebSocket client, 11 MiB that stay. */
export const http = process.getBuiltinModule('node:http')

const ANSWER_MAX_BYTES = 64 * 1_048_576

/** How to reach a daemon: its unix socket, or its loopback port. */
export type Endpoint = { readonly socketPath: string } | { readonly host: string; readonly port: number }

export interface HttpCall {
  readonly endpoint: Endpoint
  readonly agent: Agent
  readonly token: string
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

interface Answer {
  readonly status: number
  readonly text: string
}

/** Throws DaemonError where nobody answers, TimeoutError, or the error that the daemon reported. */
export async function call(options: HttpCall): Promise<unknown> {
  const { status, text } = await exchange(options)
  const body = parse(text)
  if (status >= 200 && status < 300) return body
  throw fromProblem(status, body)
}

/** What to say when nobody listens. */
export function notRunning(cause?: unknown): DaemonError {
  return new DaemonError('the daemon does not run on this home; start it with: sotto daemon', { cause })
}

async function exchange(options: HttpCall): Promise<Answer> {
  const { endpoint, agent, token, method, path, timeoutMs } = options
  const payload = options.body === undefined ? undefined : Buffer.from(JSON.stringify(options.body))
  const headers: Record<string, string> = { ...options.headers, authorization: `Bearer ${token}` }
  if (payload !== undefined) headers['content-type'] = 'application/json'
  if (payload !== undefined) headers['content-length'] = String(payload.length)
  const deadline = AbortSignal.timeout(timeoutMs)
  const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal])
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const outgoing = http.request({ ...endpoint, agent, method, path, headers, signal }, (response) => {
        collect(response).then(resolve, reject)
      })
      outgoing.on('error', reject)
      outgoing.end(payload)
    })
  } catch (error) {
    throw translate(error, deadline, options)
  }
}

async function collect(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > ANSWER_MAX_BYTES) throw new LimitError('the answer of the daemon is too large')
    chunks.push(chunk)
  }
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }
}

function translate(error: unknown, deadline: AbortSignal, { timeoutMs, signal }: HttpCall): unknown {
  if (signal?.aborted === true) return signal.reason
  if (deadline.aborted)
    return new TimeoutError(`the daemon did not answer within ${timeoutMs / 1_000} s; try --timeout`)
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'EACCES') return notRunning(error)
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return new DaemonError('the daemon went away during the request', { cause: error })
  return error
}

function parse(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
