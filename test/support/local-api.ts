/** The local API by hand, for speed: a client process costs half a second of CPU. */
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import type { RequestOptions } from 'node:http'
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

const TIMEOUT_MS = 35_000

type Headers = Readonly<Record<string, string>>

/** One request to the loopback port. Throws ApiFault for a problem document, TypeError where nobody listens. */
export async function callApi<T>(
  home: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Headers = {},
): Promise<T> {
  const { host, port } = JSON.parse(readFileSync(join(home, 'api.json'), 'utf8')) as { host: string; port: number }
  const response = await fetch(`http://${host}:${port}/api/v1${path}`, {
    method,
    headers: headersOf(home, body, headers),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  return settled(response.status, await response.text()) as T
}

/** The same through the socket in the home: whoever sees the file reaches the daemon, also into a container. */
export async function callSocket<T>(
  home: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Headers = {},
): Promise<T> {
  const options = {
    socketPath: join(home, 'api.sock'),
    path: `/api/v1${path}`,
    method,
    headers: headersOf(home, body, headers),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }
  const { status, text } = await exchange(options, body === undefined ? undefined : JSON.stringify(body))
  return settled(status, text) as T
}

async function exchange(options: RequestOptions, body: string | undefined): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(options, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.once('error', reject)
      answer.once('end', () => {
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') })
      })
    })
    asked.once('error', reject)
    asked.end(body)
  })
}

function headersOf(home: string, body: unknown, headers: Headers): Record<string, string> {
  const token = readFileSync(join(home, 'api-token'), 'utf8').trim()
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  return { authorization: `Bearer ${token}`, ...type, ...headers }
}

function settled(status: number, text: string): unknown {
  const value = (text === '' ? undefined : JSON.parse(text)) as unknown
  if (status >= 200 && status < 300) return value
  const { code = 'unknown', detail = '' } = (value ?? {}) as Problem
  throw new ApiFault(status, code, detail)
}
