import { mkdtemp, rm } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { ApiServerOptions } from '../../../src/api/server.ts'
import { ApiServer } from '../../../src/api/server.ts'
import { readToken } from '../../../src/api/files.ts'
import { DEFAULT_API_LIMITS } from '../../../src/api/limits.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { systemRng } from '../../../src/lib/rng.ts'
import type { Fake } from './fake-application.ts'
import { fakeApplication } from './fake-application.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  readonly body: Record<string, unknown>
}
export interface Ask {
  readonly method?: string
  readonly body?: unknown
  readonly raw?: string | Buffer
  readonly headers?: Record<string, string>
  /** null: none. */
  readonly token?: string | null
  readonly overSocket?: boolean
}
export interface Harness {
  readonly application: Fake
  readonly server: ApiServer
  readonly home: string
  readonly port: number
  token: string
  readonly ask: (path: string, how?: Ask) => Promise<Answer>
}

export async function tempHome(t: TestContext): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'sotto-test-'))
  t.after(async () => rm(home, { recursive: true, force: true }))
  return home
}

export function optionsFor(home: string, application: Fake, more: Partial<ApiServerOptions> = {}): ApiServerOptions {
  return {
    application,
    home,
    socketPath: join(home, 'api.sock'),
    host: '127.0.0.1',
    port: 0,
    limits: DEFAULT_API_LIMITS,
    sha256: (...parts) => Uint8Array.from(createHash('sha256').update(Buffer.concat(parts)).digest()),
    clock: systemClock,
    rng: systemRng,
    log: silentLogger,
    ...more,
  }
}

/** A server over a fake application, both gone after the test. */
export async function serve(
  t: TestContext,
  more: Partial<ApiServerOptions> = {},
  application = fakeApplication(),
): Promise<Harness> {
  const home = await tempHome(t)
  const server = new ApiServer(optionsFor(home, application, more))
  await server.start()
  t.after(async () => server.stop())
  const { port, socketPath } = server.address
  const token = (await readToken(home)) ?? ''
  const harness: Harness = {
    application,
    server,
    home,
    port,
    token,
    async ask(path, how = {}) {
      const { method = how.body === undefined && how.raw === undefined ? 'GET' : 'POST', raw, body } = how
      const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body))
      const headers: Record<string, string> = {
        ...(how.token === null ? {} : { authorization: `Bearer ${how.token ?? harness.token}` }),
        ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
        ...how.headers,
      }
      const where = how.overSocket === true ? { socketPath } : { host: '127.0.0.1', port }
      return exchange({ ...where, method, path, headers }, payload)
    },
  }
  return harness
}

async function exchange(options: object, payload: string | Buffer | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...options, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => {
        const json = /json/.test(response.headers['content-type'] ?? '')
        const body = json && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {}
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body })
      })
    })
    outgoing.on('error', reject)
    outgoing.end(payload)
  })
}
