/** Requests made from the OpenAPI document, and what must hold for the answer to each of them (AP-11, AP-31). */
import assert from 'node:assert/strict'
import { request } from 'node:http'
import type { Agent, IncomingMessage, RequestOptions } from 'node:http'
import fc from 'fast-check'
import { openApiDocument } from '../../src/api/openapi.ts'
import { DESCRIPTIONS } from '../../src/api/openapi-routes.ts'
import type { Route } from '../../src/api/route.ts'
import { ROUTES } from '../../src/api/routes.ts'
import { problemView } from '../../src/api/views/access.ts'
import type { Schema } from './schema-values.ts'
import { any, anyText } from './schema-values.ts'

/** No answer of a fuzzed home is longer. */
const ANSWER_MAX_BYTES = 1_048_576

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required: boolean
  readonly schema: Schema
}
interface Operation {
  readonly parameters: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: Schema }>> }
}

/** Of a request: what it says of who asks. */
type Credentials = 'good' | 'none' | 'wrong' | 'malformed' | 'foreign-host' | 'foreign-origin'

export interface FuzzedRequest {
  readonly route: Route
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | undefined
  readonly credentials: Credentials
}

export interface FuzzedAnswer {
  readonly status: number
  readonly type: string
  readonly text: string
}

const paths = openApiDocument(ROUTES, '0')['paths'] as Readonly<Record<string, Readonly<Record<string, Operation>>>>

function operationOf({ method, path }: Route): Operation {
  const found = paths[path.replaceAll(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()]
  assert.ok(found, `${method} ${path}`)
  return found
}

/** Any request to any of the routes. @param known ids and the like that mean something to this daemon. */
export function anyRequest(routes: readonly Route[], known: readonly string[]): fc.Arbitrary<FuzzedRequest> {
  return fc.oneof(...routes.map((route) => requestTo(route, known)))
}

function requestTo(route: Route, known: readonly string[]): fc.Arbitrary<FuzzedRequest> {
  const operation = operationOf(route)
  const parameters = operation.parameters.filter(({ in: where }) => where === 'path' || where === 'query')
  // A long poll is a wait, not a fault.
  const schemaOf = ({ name, schema }: Parameter): Schema => (name === 'wait' ? { type: 'integer', maximum: 0 } : schema)
  const texts = fc.tuple(
    ...parameters.map((one) => fc.option(anyText(schemaOf(one), known), { freq: one.required ? 40 : 3 })),
  )
  return fc
    .record({ texts, body: bodyFor(operation, known), headers: anyHeaders, credentials: anyCredentials })
    .map(({ texts: values, body, headers, credentials }) => {
      const query = new URLSearchParams()
      let path = route.path
      for (const [i, { name, in: where }] of parameters.entries()) {
        const value = values[i] ?? null
        if (where === 'path') path = path.replace(`:${name}`, quoted(value ?? 'x'))
        else if (value !== null) query.set(name, value.toWellFormed())
      }
      const search = query.toString()
      const plain = `/api/v1${path}${search === '' ? '' : `?${search}`}`
      const all = { ...body.headers, ...headers }
      return told({ route, path: plain, headers: all, body: body.payload, credentials })
    })
}

/** As a line in the report of a failure, without the schemas of its route. */
function told(fuzzed: FuzzedRequest): FuzzedRequest {
  const { route, path, headers, body, credentials } = fuzzed
  const line = JSON.stringify([route.method, path, headers, credentials, body]).slice(0, 2_000)
  return { ...fuzzed, [fc.toStringMethod]: () => line } as FuzzedRequest
}

function quoted(text: string): string {
  return encodeURIComponent(text.toWellFormed()) || 'x'
}

interface Body {
  readonly payload: string | Uint8Array | undefined
  readonly headers: Readonly<Record<string, string>>
}

const JSON_TYPE = { 'content-type': 'application/json' }

function bodyFor({ requestBody }: Operation, known: readonly string[]): fc.Arbitrary<Body> {
  const [[type, { schema = {} }] = ['', {}]] = Object.entries(requestBody?.content ?? {})
  const json = any(schema, known).map((value) => ({ payload: JSON.stringify(value), headers: JSON_TYPE }))
  const none = fc.constant({ payload: undefined, headers: {} })
  if (type === '')
    return fc.oneof({ arbitrary: none, weight: 12 }, { arbitrary: json, weight: 1 }, { arbitrary: rawBody, weight: 1 })
  const upload = rawBody.map(({ payload }) => ({ payload, headers: { 'content-type': type } }))
  const usual = type === 'application/json' ? json : upload
  return fc.oneof({ arbitrary: usual, weight: 12 }, { arbitrary: rawBody, weight: 2 }, { arbitrary: none, weight: 1 })
}

/** Bytes under any content type. */
const rawBody: fc.Arbitrary<Body> = fc
  .tuple(
    fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => text.slice(0, -1)),
      fc.constantFrom(
        '{"__proto__":{"a":1}}',
        '{"constructor":{"prototype":{}}}',
        '['.repeat(30_000),
        '{"a":1}{"b":2}',
        '\ufeff{}',
      ),
      fc.constant('{"text":"' + 'a'.repeat(70_000) + '"}'),
    ),
    fc.constantFrom(
      'application/json',
      'application/json; charset=utf-16',
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/vnd.sotto.restore',
      'a',
    ),
    fc.constantFrom<Readonly<Record<string, string>>>({}, {}, {}, { 'content-encoding': 'gzip' }),
  )
  .map(([payload, type, encoding]) => ({ payload, headers: { 'content-type': type, ...encoding } }))

const anyHeaders: fc.Arbitrary<Readonly<Record<string, string>>> = fc.oneof(
  { arbitrary: fc.constant({}), weight: 8 },
  {
    arbitrary: fc.constantFrom<Readonly<Record<string, string>>>(
      { 'idempotency-key': 'the same one' },
      { 'idempotency-key': 'one' },
      { 'idempotency-key': '' },
      { 'idempotency-key': 'k'.repeat(129) },
      { 'last-event-id': '3' },
      { 'last-event-id': '99999999999999999999' },
      { accept: 'text/html' },
      { 'accept-encoding': 'gzip, br' },
      { expect: '100-continue' },
      { 'x-forwarded-for': '10.0.0.1' },
      { 'x-http-method-override': 'DELETE' },
      { cookie: 'token=1' },
      { range: 'bytes=0-1' },
      { 'if-none-match': '*' },
      { upgrade: 'websocket', connection: 'upgrade' },
    ),
    weight: 4,
  },
)

const anyCredentials: fc.Arbitrary<Credentials> = fc.oneof(
  { arbitrary: fc.constant<Credentials>('good'), weight: 12 },
  {
    arbitrary: fc.constantFrom<Credentials>('none', 'wrong', 'malformed', 'foreign-host', 'foreign-origin'),
    weight: 2,
  },
)

export function credentialHeaders(credentials: Credentials, token: string): Readonly<Record<string, string>> {
  switch (credentials) {
    case 'none':
      return {}
    case 'wrong':
      return { authorization: `Bearer ${'A'.repeat(43)}` }
    case 'malformed':
      return { authorization: `Basic ${token}, Bearer` }
    case 'foreign-host':
      return { authorization: `Bearer ${token}`, host: 'evil.example' }
    case 'foreign-origin':
      return { authorization: `Bearer ${token}`, origin: 'http://evil.example' }
    case 'good':
      return { authorization: `Bearer ${token}` }
  }
}

/** Sends it and reads the answer; of an endless one the beginning. */
export async function exchange(
  where: { readonly port: number; readonly agent: Agent },
  token: string,
  fuzzed: FuzzedRequest,
): Promise<FuzzedAnswer> {
  const { route, path, headers, body, credentials } = fuzzed
  const options: RequestOptions = {
    host: '127.0.0.1',
    ...where,
    method: route.method,
    path,
    // Without a length, Node sends the body of a GET as if it were the next request.
    headers: { ...headers, ...credentialHeaders(credentials, token), 'content-length': lengthOf(body) },
  }
  return new Promise((resolve, reject) => {
    const asked = request(options, (response) => {
      collect(response).then((text) => {
        if (!response.complete) asked.destroy()
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', text })
      }, reject)
    })
    asked.once('error', (error) => {
      // A kept connection that was closed meanwhile says nothing; a fresh one that hangs up does.
      if (asked.reusedSocket) resolve(exchange(where, token, fuzzed))
      else reject(error)
    })
    asked.end(body)
  })
}

function lengthOf(body: string | Uint8Array | undefined): number {
  return body === undefined ? 0 : Buffer.byteLength(body)
}

async function collect(response: IncomingMessage): Promise<string> {
  const endless = response.headers['content-type'] === 'text/event-stream'
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (endless || size > ANSWER_MAX_BYTES) break
  }
  assert.ok(size <= ANSWER_MAX_BYTES, `an answer of more than ${ANSWER_MAX_BYTES} bytes`)
  return Buffer.concat(chunks).toString('utf8')
}

/** Throws for an answer that should not be. @param mayFail statuses that the surroundings may cause. */
export function checkAnswer(
  asked: FuzzedRequest,
  answer: FuzzedAnswer,
  mayFail: ReadonlySet<number> = new Set(),
): void {
  const { route, credentials } = asked
  const { status, type, text } = answer
  const told = `${route.method} ${route.path}: ${status} ${text.slice(0, 300)}`
  assert.ok(status < 500 || mayFail.has(status), told)
  if (credentials !== 'good') {
    // A body that no parser takes may be refused first; nothing is ever answered.
    assert.ok(status >= 400, told)
    // A URL that no route can be read from is nobody's, whoever asks.
    const noRoute = status === 400 && text.includes('"bad-url"')
    const guarded = !route.open && !noRoute
    if (guarded && credentials.startsWith('foreign')) assert.equal(status, 403, told)
    if (guarded && !credentials.startsWith('foreign')) assert.equal(status, 401, told)
  }
  // An upgrade that is none is refused by the WebSocket library, in words of its own.
  if (asked.headers['upgrade'] !== undefined && type === 'text/html') return
  if (status >= 400) {
    assert.ok(type.startsWith('application/problem+json'), told)
    const problem: unknown = JSON.parse(text)
    assert.deepEqual(problemView.parse(problem), problem, told)
    return
  }
  assert.equal(status, route.status, told)
  checkShape(route, text, type, told)
}

/** An answer has what its schema says, no less and no more. */
function checkShape(route: Route, text: string, type: string, told: string): void {
  const shape = DESCRIPTIONS[`${route.method} ${route.path}`]?.answer
  assert.ok(shape, told)
  if ('nothing' in shape) return assert.equal(text, '', told)
  if ('bytes' in shape) return assert.equal(type, shape.bytes, told)
  assert.ok(type.startsWith('application/json'), told)
  const body: unknown = JSON.parse(text)
  if ('any' in shape) return
  const values = 'items' in shape ? (body as { items: readonly unknown[] }).items : [body]
  const view = 'items' in shape ? shape.items : shape.view
  for (const value of values) assert.deepEqual(view.parse(value), value, told)
}
