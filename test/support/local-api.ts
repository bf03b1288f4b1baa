/** The local API by hand, for speed: a client process costs half a second of CPU. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export class ApiFault extends Error {
  readonly status: number
  readonly code: string
  constructor(status: number, code: string, detail: string) {
    super(`${status} ${code}: ${detail}`)
    this.name = 'ApiFault'
    this.status = status
    this.code = code
  }
}

interface Problem {
  readonly code?: string
  readonly detail?: string
}

/** One request. Throws ApiFault for a problem document, TypeError where nobody listens. */
export async function callApi<T>(
  home: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<T> {
  const { host, port } = JSON.parse(readFileSync(join(home, 'api.json'), 'utf8')) as { host: string; port: number }
  const token = readFileSync(join(home, 'api-token'), 'utf8').trim()
  const response = await fetch(`http://${host}:${port}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(35_000),
  })
  const text = await response.text()
  const value = (text === '' ? undefined : JSON.parse(text)) as unknown
  if (response.ok) return value as T
  const { code = 'unknown', detail = '' } = (value ?? {}) as Problem
  throw new ApiFault(response.status, code, detail)
}
