/**
 * The OpenAPI 3.1 document, made from what the daemon itself works with: the routes, the schemas of their requests, the table of
 * errors. Answers come from `views/`, which are type-checked against the application's interfaces.
 */
import { z } from 'zod'
import { ERRORS } from './errors.ts'
import type { AnswerShape } from './openapi-routes.ts'
import { DESCRIPTIONS } from './openapi-routes.ts'
import { REQUEST_PROBLEMS } from './problems.ts'
import type { Route } from './route.ts'
import { noBody } from './schemas.ts'
import * as access from './views/access.ts'
import * as account from './views/account.ts'
import * as contacts from './views/contacts.ts'
import { EVENT_TYPES } from './views/event-types.ts'
import * as events from './views/events.ts'
import * as messages from './views/messages.ts'
import * as network from './views/network.ts'

export type Json = { readonly [key: string]: unknown }

const SCHEMAS = '#/components/schemas/'
const PROBLEM = { $ref: '#/components/responses/Problem' }

/** Schemas by the name that they have in the document. */
const named = z.registry<{ id: string }>()
for (const views of [account, contacts, messages, network, events, access]) {
  for (const [name, view] of Object.entries(views)) named.add(view, { id: titleOf(name) })
}

/** `statusView` is `Status`, `messagePage` is `MessagePage`. */
function titleOf(name: string): string {
  return name.replace(/View$/, '').replace(/^./, (letter) => letter.toUpperCase())
}

/** @param routes all of them; each has its line in `openapi-routes.ts`. */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Record<string, unknown>> = { ...ROOT_PATHS }
  for (const route of routes) {
    const path = route.path.replaceAll(/:([a-zA-Z]+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sotto, local API',
      version,
      description:
        'How the programs of one machine speak to its Sotto daemon. Fields may join answers and kinds may join events at any time: pass over what you do not know.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [
      {
        url: 'http://127.0.0.1:{port}/api/v1',
        description: 'Also on the unix socket api.sock in the home; api.json there says where.',
        variables: { port: { default: '0' } },
      },
    ],
    security: [{ token: [] }],
    paths,
    components: components(),
    'x-events': Object.fromEntries(Object.entries(EVENT_TYPES).map(([type, data]) => [type, jsonOf(data)])),
    'x-problems': [...ERRORS.map(({ status, code, title }) => ({ status, code, title })), ...REQUEST_PROBLEMS],
  }
}

function operation(route: Route): Json {
  const description = DESCRIPTIONS[`${route.method} ${route.path}`]
  if (description === undefined) throw new TypeError(`${route.method} ${route.path} is described nowhere`)
  const body = bodyOf(route)
  return {
    operationId: operationId(route),
    summary: description.summary,
    ...(route.open ? { security: [] } : { 'x-scope': route.scope }),
    'x-rate-group': route.group,
    parameters: [
      ...parameters(route.params, 'path'),
      ...parameters(route.query, 'query'),
      ...(route.method === 'GET' ? [] : [{ $ref: '#/components/parameters/IdempotencyKey' }]),
    ],
    ...(body === undefined ? {} : { requestBody: body }),
    responses: {
      [route.status]: answerOf(description.answer),
      '4XX': PROBLEM,
      '5XX': PROBLEM,
    },
  }
}

/** `GET /conversations/:id/messages` is `getConversationsByIdMessages`. */
function operationId({ method, path }: Route): string {
  const words = path
    .replaceAll(':', 'by-')
    .split(/[^a-zA-Z]+/)
    .filter(Boolean)
  return method.toLowerCase() + words.map((word) => word.replace(/^./, (letter) => letter.toUpperCase())).join('')
}

function parameters(schema: z.ZodType, where: 'path' | 'query'): readonly Json[] {
  const { properties = {}, required = [] } = jsonOf(schema) as {
    properties?: Record<string, Json>
    required?: readonly string[]
  }
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: property,
  }))
}

function bodyOf({ body, upload }: Route): Json | undefined {
  if (upload !== undefined) return { required: true, content: { [upload]: {} } }
  if (body === noBody) return undefined
  return { required: !body.safeParse(undefined).success, content: { 'application/json': { schema: jsonOf(body) } } }
}

function answerOf(answer: AnswerShape): Json {
  if ('nothing' in answer) return { description: 'done' }
  if ('bytes' in answer) return { description: 'as bytes', content: { [answer.bytes]: {} } }
  if ('any' in answer) return { description: 'as it is', content: { [answer.any]: {} } }
  return { description: 'done', content: { 'application/json': { schema: answerSchema(answer) } } }
}

/** The JSON schema of an answer of JSON; its parts stand under `components`. */
function answerSchema(answer: { readonly view: z.ZodType } | { readonly items: z.ZodType }): Json {
  if ('view' in answer) return refTo(answer.view)
  return { type: 'object', properties: { items: { type: 'array', items: refTo(answer.items) } }, required: ['items'] }
}

function refTo(view: z.ZodType): Json {
  return { $ref: `${SCHEMAS}${named.get(view)?.id ?? 'unknown'}` }
}

function components(): Json {
  const { schemas } = z.toJSONSchema(named, { io: 'input', uri: (id) => SCHEMAS + id })
  const plain = Object.entries(schemas).map(([id, { $id: _id, $schema: _dialect, ...schema }]) => [id, schema])
  return {
    schemas: Object.fromEntries(plain) as Json,
    responses: {
      Problem: {
        description: 'Refused or failed; the codes are in x-problems',
        headers: { 'Retry-After': { description: 'With 429: seconds', schema: { type: 'integer', minimum: 1 } } },
        content: { 'application/problem+json': { schema: refTo(access.problemView) } },
      },
    },
    parameters: {
      IdempotencyKey: {
        name: 'Idempotency-Key',
        in: 'header',
        required: false,
        description: 'The same request again with the same key does nothing new and gets the same answer',
        schema: { type: 'string', pattern: '^[!-~]{1,128}$' },
      },
    },
    securitySchemes: {
      token: { type: 'http', scheme: 'bearer', description: 'The home’s api-token file, or POST /tokens' },
    },
  }
}

/** What a request may send. Numbers and booleans of a query are text on the way, and told by what they mean. */
function jsonOf(schema: z.ZodType): Json {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    io: 'input',
    override({ zodSchema, jsonSchema }) {
      const { def } = zodSchema._zod
      if (def.type !== 'pipe') return
      const meant = z.toJSONSchema((def as unknown as { readonly out: z.ZodType }).out, { unrepresentable: 'any' })
      if (meant.type !== 'integer' && meant.type !== 'boolean') return
      delete jsonSchema.pattern
      const { $schema: _of, ...rest } = meant
      Object.assign(jsonSchema, rest)
    },
  })
  return json
}

const ROOT_SERVER = { servers: [{ url: 'http://127.0.0.1:{port}', variables: { port: { default: '0' } } }] }
const statusOk = { type: 'object', properties: { status: { type: 'string' } }, required: ['status'] }
const probe = (operationId: string, summary: string) => ({
  ...ROOT_SERVER,
  get: {
    operationId,
    summary,
    security: [],
    responses: { 200: { description: 'yes', content: { 'application/json': { schema: statusOk } } }, '5XX': PROBLEM },
  },
})
/** Not below `/api/v1`. */
const ROOT_PATHS: Readonly<Record<string, Record<string, unknown>>> = {
  '/healthz': probe('getHealth', 'Whether the daemon runs'),
  '/readyz': probe('getReadiness', 'Whether it can do its work: unlocked, with peers'),
  '/metrics': {
    ...ROOT_SERVER,
    get: {
      operationId: 'getMetrics',
      summary: 'Counters for Prometheus',
      'x-scope': 'read',
      responses: { 200: { description: 'text exposition format', content: { 'text/plain': {} } }, '4XX': PROBLEM },
    },
  },
}
