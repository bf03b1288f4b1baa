/** One Fastify instance over the route table: the order is caller → token → rate → content type → schema → work (AP-24). */
import websocket from '@fastify/websocket'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { fastify } from 'fastify'
import { nameOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { SecurityLog } from '../lib/security-log.ts'
import type { ApiToken } from './auth.ts'
import { bearerOf, checkCaller } from './auth.ts'
import { RequestError, errorRow, toProblem } from './errors.ts'
import type { EventStreams } from './events.ts'
import { FRAME_MAX_BYTES } from './events.ts'
import type { ApiRateGate, RouteGroup } from './limits.ts'
import type { Route, RouteContext } from './route.ts'
import { contactRoutes } from './routes/contacts.ts'
import { EVENTS_PATH, eventRoutes } from './routes/events.ts'
import { identityRoutes } from './routes/identity.ts'
import { messageRoutes } from './routes/messages.ts'
import { networkRoutes } from './routes/network.ts'
import * as schema from './schemas.ts'

const API_PREFIX = '/api/v1'
const HEALTH_PATH = '/healthz'
export const ROUTES: readonly Route[] = [
  ...networkRoutes,
  ...identityRoutes,
  ...contactRoutes,
  ...messageRoutes,
  ...eventRoutes,
]

declare module 'fastify' {
  interface FastifyContextConfig {
    group?: RouteGroup
    open?: boolean
  }
}

export const UNAUTHORIZED_EVENT = 'the API was asked without a valid token'

/** Refusals that somebody other than a client of ours gets, by their codes. */
const SECURITY_EVENTS: Readonly<Record<string, string>> = {
  unauthorized: UNAUTHORIZED_EVENT,
  'forbidden-host': 'the API was asked under a foreign name',
  'forbidden-origin': 'the API was asked by a page from elsewhere',
}

export interface AppOptions {
  readonly context: RouteContext
  readonly token: ApiToken
  readonly gate: ApiRateGate
  readonly streams: EventStreams
  readonly log: Logger
  readonly security: SecurityLog
  /** Fires when the server stops. */
  readonly closing: AbortSignal
  /** The loopback port, or undefined on the unix socket. */
  readonly port: () => number | undefined
}

export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    bodyLimit: schema.BODY_MAX_BYTES,
    forceCloseConnections: 'idle',
    requestTimeout: 30_000,
    connectionTimeout: 0,
    keepAliveTimeout: 60_000,
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    routerOptions: { ignoreTrailingSlash: false },
    frameworkErrors: (_error, _request, reply) => {
      sendProblem(reply, new RequestError(400, 'bad-url', 'the URL cannot be read'))
    },
  })
  await app.register(websocket, { options: { maxPayload: FRAME_MAX_BYTES, perMessageDeflate: false } })
  addGuards(app, options)
  acceptJsonOnly(app)
  app.setNotFoundHandler((_request, reply) => {
    sendProblem(reply, new RequestError(404, 'no-route', 'there is no such route; see src/api/README.md'))
  })
  app.setErrorHandler((error, _request, reply) => {
    const cause = fromFramework(error)
    const unexpected = !(cause instanceof RequestError) && errorRow(cause).status === 500
    if (unexpected) options.log.error('request failed', { error: nameOf(cause) })
    sendProblem(reply, cause)
    const event = cause instanceof RequestError ? SECURITY_EVENTS[cause.code] : undefined
    if (event !== undefined) options.security.note(event)
  })
  app.get(HEALTH_PATH, { config: { open: true } }, () => ({ status: 'OK' }))
  for (const route of ROUTES) addRoute(app, route, options)
  return app
}

function addGuards(app: FastifyInstance, { token, gate, port }: AppOptions): void {
  app.addHook('onRequest', async (request, reply) => {
    secureHeaders(reply)
    checkCaller(request.headers, port())
    if (request.routeOptions.config.open === true || awaitsToken(request)) return
    const bearer = bearerOf(request.headers)
    if (bearer === undefined || !token.accepts(bearer)) throw unauthorised()
    gate.take(groupOf(request), bearer)
  })
}

/** An event stream without Authorization header: a browser cannot set one, so its first frame must bring the token. */
function awaitsToken(request: FastifyRequest): boolean {
  const isStream = request.ws && request.routeOptions.url === API_PREFIX + EVENTS_PATH
  return isStream && request.headers.authorization === undefined
}

function unauthorised(): RequestError {
  return new RequestError(401, 'unauthorized', 'a valid bearer token is needed (file api-token in the home)')
}

function groupOf(request: FastifyRequest): RouteGroup {
  return request.routeOptions.config.group ?? (request.method === 'GET' ? 'read' : 'write')
}

function acceptJsonOnly(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) done(null, undefined)
    else void parse(request, body as string, done)
  })
}

function addRoute(app: FastifyInstance, route: Route, options: AppOptions): void {
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const key = request.headers['idempotency-key']
    const result = await route.answer(options.context, {
      params: request.params,
      query: request.query,
      body: request.body,
      idempotencyKey: Array.isArray(key) ? key.join(',') : key,
      signal: signalOf(reply, options.closing),
    })
    reply.code(route.status)
    return result ?? null
  }
  const { method, group, bodyMaxBytes: bodyLimit } = route
  const shared = { method, url: API_PREFIX + route.path, bodyLimit, config: { group }, handler }
  if (route.path !== EVENTS_PATH) {
    app.route(shared)
    return
  }
  app.route({
    ...shared,
    method: 'GET',
    preValidation: async (request) => {
      schema.validate(schema.events, request.query)
    },
    wsHandler: (socket, request) => {
      const since = schema.validate(schema.events, request.query).since ?? 0
      options.streams.attach(socket, since, request.headers.authorization !== undefined)
    },
  })
}

/** Fires when the caller hangs up or the server stops. */
function signalOf(reply: FastifyReply, closing: AbortSignal): AbortSignal {
  const controller = new AbortController()
  const abort = (): void => {
    controller.abort()
  }
  closing.addEventListener('abort', abort, { once: true })
  reply.raw.once('close', () => {
    closing.removeEventListener('abort', abort)
    abort()
  })
  return controller.signal
}

function secureHeaders(reply: FastifyReply): void {
  void reply.headers({
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  })
}

function sendProblem(reply: FastifyReply, error: unknown): void {
  const problem = toProblem(error)
  if (problem.retryAfterSeconds !== undefined) void reply.header('retry-after', String(problem.retryAfterSeconds))
  if (problem.code === 'unauthorized') void reply.header('www-authenticate', 'Bearer')
  void reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem))
}

/** Fastify's own refusals under our codes; their texts can quote the request, so they are replaced. */
function fromFramework(error: unknown): unknown {
  const status = (error as { statusCode?: unknown } | null)?.statusCode
  if (status === 413) return new RequestError(413, 'limit', 'the request body is too large')
  if (status === 415) return new RequestError(415, 'media-type', 'send the body as application/json')
  if (status === 400) return new RequestError(400, 'bad-json', 'the request body is not valid JSON')
  return error
}
