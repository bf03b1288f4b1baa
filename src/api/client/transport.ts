/** What the typed client stands on: one request to the daemon, however it gets there. */

export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below `/api/v1`, with its query. */
  readonly path: string
  /** Sent as JSON. */
  readonly body?: object | undefined
  /** Sent as it is, in the place of `body`. */
  readonly upload?: Upload | undefined
  /** The same key with the same request again does nothing new and gets the same answer. */
  readonly idempotencyKey?: string | undefined
  /** In the place of the transport's own token. */
  readonly token?: string | undefined
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Upload {
  readonly type: string
  readonly parts: readonly (Uint8Array | ByteSource)[]
}

export type ByteSource = AsyncIterable<Uint8Array> | Blob

/**
 * Both throw the error that the daemon reported as the class of `lib/errors` that it is, DaemonError where nobody answers,
 * TimeoutError.
 */
export interface Transport {
  /** The JSON of the answer; undefined where it has none. */
  request(call: ApiCall): Promise<unknown>
  /** The bytes of the answer as they come. */
  stream(call: ApiCall): AsyncIterable<Uint8Array>
}

/** The chunks of an upload, in order. */
export async function* chunksOf(upload: Upload): AsyncGenerator<Uint8Array> {
  for (const part of upload.parts) {
    if (part instanceof Uint8Array) yield part
    else if (part instanceof Blob) yield* part.stream()
    else yield* part
  }
}

/** The requests of one part of the client, in few words. */
export interface Requests {
  readonly get: <T>(path: string, query?: Query) => Promise<T>
  readonly list: <T>(path: string) => Promise<readonly T[]>
  readonly post: <T>(path: string, body?: object, idempotencyKey?: string) => Promise<T>
  readonly put: <T>(path: string, body?: object, idempotencyKey?: string) => Promise<T>
  readonly patch: <T>(path: string, body: object) => Promise<T>
  readonly delete: <T>(path: string) => Promise<T>
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>

export function requestsOver(transport: Transport): Requests {
  const ask = async <T>(call: ApiCall): Promise<T> => (await transport.request(call)) as T
  return {
    get: (path, query = {}) => ask({ method: 'GET', path: path + queryText(query) }),
    list: async <T>(path: string) => (await ask<{ items: readonly T[] }>({ method: 'GET', path })).items,
    post: (path, body, idempotencyKey) => ask({ method: 'POST', path, body, idempotencyKey }),
    put: (path, body, idempotencyKey) => ask({ method: 'PUT', path, body, idempotencyKey }),
    patch: (path, body) => ask({ method: 'PATCH', path, body }),
    delete: (path) => ask({ method: 'DELETE', path }),
  }
}

/** A path with its names quoted: pathOf`/contacts/${id}/accept`. */
export function pathOf(parts: TemplateStringsArray, ...names: readonly string[]): string {
  return String.raw({ raw: parts }, ...names.map(encodeURIComponent))
}

function queryText(query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  if (given.length === 0) return ''
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()}`
}
