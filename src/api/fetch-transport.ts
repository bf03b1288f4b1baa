/** The client's transport where `fetch` is all there is: the page in a browser. */
import { DaemonError, TimeoutError } from '../lib/errors.ts'
import type { ApiCall, Transport, Upload } from './client/transport.ts'
import { chunksOf } from './client/transport.ts'
import { fromProblem } from './errors.ts'

const PREFIX = '/api/v1'
const TIMEOUT_MS = 30_000

export interface FetchOptions {
  /** The daemon's origin; empty (the default) for the page's own. */
  readonly origin?: string
  /** Asked before each request; undefined sends none. */
  readonly token: () => string | undefined
  readonly fetch?: typeof fetch
}

export function fetchTransport(options: FetchOptions): Transport {
  return {
    async request(call) {
      const answer = await ask(options, call)
      const text = await answer.text()
      return text === '' ? undefined : (JSON.parse(text) as unknown)
    },
    async *stream(call) {
      const { body } = await ask(options, call)
      if (body !== null) yield* body
    },
  }
}

async function ask(options: FetchOptions, call: ApiCall): Promise<Response> {
  const { origin = '', fetch: send = fetch } = options
  const { timeoutMs = TIMEOUT_MS } = call
  const deadline = AbortSignal.timeout(timeoutMs)
  const signal = call.signal === undefined ? deadline : AbortSignal.any([deadline, call.signal])
  const init: RequestInit = { method: call.method, headers: headersOf(call, options), signal, ...UNSEEN }
  if (call.body !== undefined) init.body = JSON.stringify(call.body)
  if (call.upload !== undefined) init.body = await collected(call.upload)
  const answer = await send(origin + PREFIX + call.path, init).catch((error: unknown) => {
    if (call.signal?.aborted === true) throw call.signal.reason
    if (deadline.aborted) throw new TimeoutError(`the daemon did not answer within ${timeoutMs / 1_000} s`)
    throw new DaemonError('the daemon does not answer; is it running?', { cause: error })
  })
  if (answer.ok) return answer
  throw fromProblem(answer.status, await answer.json().catch(() => undefined))
}

/** No cookie, no cache, no redirect: the token is all that says who asks. */
const UNSEEN = { credentials: 'omit', cache: 'no-store', redirect: 'error', referrerPolicy: 'no-referrer' } as const

function headersOf(call: ApiCall, options: FetchOptions): Record<string, string> {
  const token = call.token ?? options.token()
  const type = call.upload?.type ?? (call.body === undefined ? undefined : 'application/json')
  const key = call.idempotencyKey ?? (call.method === 'GET' ? undefined : crypto.randomUUID())
  return {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(type === undefined ? {} : { 'content-type': type }),
    ...(key === undefined ? {} : { 'idempotency-key': key }),
  }
}

/** A browser sends a body of unknown length over HTTP/2 only, which is not spoken here. */
async function collected(upload: Upload): Promise<Blob> {
  const parts: BlobPart[] = []
  for (const part of upload.parts) {
    if (part instanceof Blob) parts.push(part)
    else for await (const chunk of chunksOf({ ...upload, parts: [part] })) parts.push(chunk as Uint8Array<ArrayBuffer>)
  }
  return new Blob(parts)
}
