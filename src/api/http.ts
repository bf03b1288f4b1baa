/** The client's transport in Node: a unix socket or a loopback port, connections kept. */
import type { Agent, IncomingMessage } from 'node:http'
import { DaemonError, LimitError, TimeoutError } from '../lib/errors.ts'
import type { ApiCall, Transport } from './client/transport.ts'
import { chunksOf } from './client/transport.ts'
import { fromProblem } from './errors.ts'

/** Not imported: an import reads every export, and one of them loads a whole WebSocket client, 11 MiB that stay. */
const http = process.getBuiltinModule('node:http')

const PREFIX = '/api/v1'
const TIMEOUT_MS = 30_000
const ANSWER_MAX_BYTES = 64 * 1_048_576

/** How to reach a daemon: its unix socket, or its loopback port. */
export type Endpoint = { readonly socketPath: string } | { readonly host: string; readonly port: number }

export interface NodeOptions {
  readonly endpoint: Endpoint
  readonly token: string
  readonly timeoutMs?: number | undefined
}

export interface NodeTransport extends Transport {
  /** Lets go of the kept connections. */
  close(): void
}

/** What to say when nobody listens. */
export function notRunning(cause?: unknown): DaemonError {
  return new DaemonError('the daemon does not run on this home; start it with: sotto daemon', { cause })
}

/**
 * A request on a kept connection that the daemon closed meanwhile is made once more: a reading changes nothing, and anything else
 * carries an Idempotency-Key, by which the daemon knows it.
 */
export function nodeTransport(options: NodeOptions): NodeTransport {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 32 })
  return {
    async request(call) {
      const keyed = withKey(call)
      try {
        return await json(options, agent, keyed)
      } catch (error) {
        if (!(error instanceof DaemonError) || call.upload !== undefined) throw error
        return json(options, agent, keyed)
      }
    },
    async *stream(call) {
      const response = await exchange(options, agent, withKey(call))
      if (!isGood(response)) throw await problemOf(response)
      yield* response as AsyncIterable<Uint8Array>
    },
    close() {
      agent.destroy()
    },
  }
}

function withKey(call: ApiCall): ApiCall {
  if (call.method === 'GET' || call.idempotencyKey !== undefined) return call
  return { ...call, idempotencyKey: crypto.randomUUID() }
}

async function json(options: NodeOptions, agent: Agent, call: ApiCall): Promise<unknown> {
  const response = await exchange(options, agent, call)
  if (!isGood(response)) throw await problemOf(response)
  return parse(await textOf(response))
}

async function exchange(options: NodeOptions, agent: Agent, call: ApiCall): Promise<IncomingMessage> {
  const { endpoint, timeoutMs: standard = TIMEOUT_MS } = options
  const { method, signal, timeoutMs = standard } = call
  const deadline = AbortSignal.timeout(timeoutMs)
  const either = signal === undefined ? deadline : AbortSignal.any([deadline, signal])
  const payload = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body))
  const request = { ...endpoint, agent, method, path: PREFIX + call.path, signal: either }
  try {
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = http.request({ ...request, headers: headersOf(call, options, payload) }, resolve)
      outgoing.on('error', reject)
      if (call.upload === undefined) outgoing.end(payload)
      else pump(chunksOf(call.upload), outgoing).catch(reject)
    })
  } catch (error) {
    if (signal?.aborted === true) throw error
    throw deadline.aborted ? tookTooLong(timeoutMs) : translate(error)
  }
}

function headersOf(call: ApiCall, options: NodeOptions, payload: Buffer | undefined): Record<string, string> {
  const { upload, idempotencyKey: key } = call
  return {
    authorization: `Bearer ${call.token ?? options.token}`,
    ...(key === undefined ? {} : { 'idempotency-key': key }),
    ...(upload === undefined ? {} : { 'content-type': upload.type }),
    ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(payload.length) }),
  }
}

/** Writes no faster than the daemon takes it. */
async function pump(chunks: AsyncIterable<Uint8Array>, outgoing: ReturnType<typeof http.request>): Promise<void> {
  try {
    for await (const chunk of chunks) {
      if (outgoing.destroyed || outgoing.writableEnded) return
      if (!outgoing.write(chunk)) await drained(outgoing)
    }
    outgoing.end()
  } catch (error) {
    outgoing.destroy()
    throw error
  }
}

async function drained(outgoing: ReturnType<typeof http.request>): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close']) outgoing.off(event, done)
      resolve()
    }
    for (const event of ['drain', 'close']) outgoing.once(event, done)
  })
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > ANSWER_MAX_BYTES) throw new LimitError('the answer of the daemon is too large')
      chunks.push(chunk)
    }
  } catch (error) {
    throw translate(error)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const isGood = ({ statusCode = 0 }: IncomingMessage): boolean => statusCode >= 200 && statusCode < 300

async function problemOf(response: IncomingMessage): Promise<Error> {
  return fromProblem(response.statusCode ?? 0, parse(await textOf(response)))
}

function tookTooLong(timeoutMs: number): TimeoutError {
  return new TimeoutError(`the daemon did not answer within ${timeoutMs / 1_000} s; try --timeout`)
}

function translate(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'EACCES') return notRunning(error)
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return new DaemonError('the daemon went away during the request', { cause: error })
  if (code === 'ABORT_ERR') return new TimeoutError('the daemon did not answer in time; try --timeout')
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
