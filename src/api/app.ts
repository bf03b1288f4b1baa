/** One Fastify instance over the route table: the order is caller → token → scope → rate → content type → schema → work (AP-24). */
import websocket from '@fastify/websocket'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { fastify } from 'fastify'
import { nameOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { SecurityLog } from '../lib/security-log.ts'
import type { AnswerOptions } from './answer.ts'
import { answer } from './answer.ts'
import { bearerOf, checkScope } from './auth.ts'
import type { Listener } from './caller.ts'
import { checkCaller, requireSingle } from './caller.ts'
import { RequestError, errorRow } from './errors.ts'
import type { EventStreams } from './events.ts'
import { FRAME_MAX_BYTES } from './events.ts'
import { HTTP_LIMITS, boundBodyTime, onBrokenRequest } from './http-limits.ts'
import type { ApiRateGate, RouteGroup } from './limits.ts'
import type { ApiMetrics } from './metrics.ts'
import { addPage } from './page.ts'
import { secureHeaders, sendProblem } from './replies.ts'
import type { Route } from './route.ts'
import { given } from './route.ts'
import { ROUTES } from './routes.ts'
import { EVENTS_PATH } from './routes/events.ts'
import * as eventSchema from './routes/events-schemas.ts'
import * as schema from './schemas.ts'
import type { Caller } from './tokens.ts'

const API_PREFIX = '/api/v1'
const HEALTH_PATH = '/healthz'
const READY_PATH = '/readyz'
const METRICS_PATH = '/metrics'
const READY_MS = 1_000
const TLS_HANDSHAKE_MS = 10_000

declare module 'fastify' {
  interface FastifyContextConfig {
    scope?: Route['scope']
    group?: RouteGroup
    open?: boolean
  }
  interface FastifyRequest {
    caller: Caller | undefined
  }
}

export const UNAUTHORIZED_EVENT = 'the API was asked without a valid token'

/** Refusals that somebody other than a client of ours gets, by their codes. */
const SECURITY_EVENTS: Readonly<Record<string, string>> = {
  unauthorized: UNAUTHORIZED_EVENT,
  'forbidden-scope': 'the API was asked for more than the token is good for',
  'forbidden-address': 'the API was asked from an address that is not allowed',
  'forbidden-host': 'the API was asked under a foreign name',
  'forbidden-origin': 'the API was asked by a page from elsewhere',
}

export interface AppOptions extends AnswerOptions {
  readonly gate: ApiRateGate
  readonly streams: EventStreams
  readonly metrics: ApiMetrics
  readonly log: Logger
  readonly security: SecurityLog
  readonly listener: () => Listener
  /** Whether an address may connect at all; not asked on the unix socket. */
  readonly allowed: (address: string) => boolean
  /** PEM. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
  readonly pageRoot: string
  /** Other times than usual for connections on which nothing moves. */
  readonly idleMs?: number | undefined
}

export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { tls, idleMs } = options
  const secure =
    tls === undefined
      ? {}
      : { https: { ...tls, minVersion: 'TLSv1.3' as const, handshakeTimeout: TLS_HANDSHAKE_MS, ...HTTP_LIMITS.server } }
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    bodyLimit: schema.BODY_MAX_BYTES,
    forceCloseConnections: 'idle',
    ...HTTP_LIMITS.fastify,
    ...(idleMs === undefined ? {} : { connectionTimeout: idleMs, keepAliveTimeout: idleMs }),
    http: HTTP_LIMITS.server,
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    routerOptions: { ignoreTrailingSlash: false },
    clientErrorHandler: onBrokenRequest,
    frameworkErrors: (_error, { raw }, reply) => {
      // No hook runs here, and a connection that was to be upgraded is nobody else's to close.
      if (raw.headers.upgrade !== undefined) reply.raw.once('finish', () => raw.socket.destroy())
      sendProblem(reply, new RequestError(400, 'bad-url', 'the URL cannot be read'))
    },
    ...secure,
  }) as unknown as FastifyInstance
  await app.register(websocket, { options: { maxPayload: FRAME_MAX_BYTES, perMessageDeflate: false } })
  addGuards(app, options)
  acceptBodies(app)
  addRefusals(app, options)
  addRootRoutes(app, options)
  await addPage(app, options.pageRoot, idleMs)
  for (const route of ROUTES) addRoute(app, route, options)
  return app
}

function addGuards(app: FastifyInstance, options: AppOptions): void {
  const { auth, gate, listener, metrics, clock } = options
  app.decorateRequest('caller', undefined)
  app.addHook('onRequest', async (request, reply) => {
    secureHeaders(reply)
    checkAddress(request, options)
    requireSingle(request.raw.rawHeaders)
    checkCaller(request.headers, listener())
    boundBodyTime(request, reply, clock)
    const { open = false, scope = 'read' } = request.routeOptions.config
    if (open || awaitsToken(request)) return
    const caller = auth.accepts(bearerOf(request.headers))
    if (caller === undefined) throw unauthorised()
    checkScope(caller, scope)
    gate.take(groupOf(request), caller)
    request.caller = caller
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    metrics.answered(request.method, route, reply.statusCode, reply.elapsedTime / 1_000)
  })
}

function checkAddress(request: FastifyRequest, { allowed, listener }: AppOptions): void {
  if (listener().names === undefined || allowed(request.socket.remoteAddress ?? '')) return
  throw new RequestError(403, 'forbidden-address', 'this address is not among those that may connect (api.allow)')
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

/** JSON, and the bytes that a route asks for. */
function acceptBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) done(null, undefined)
    else void parse(request, body as string, done)
  })
  for (const type of new Set(ROUTES.map(({ upload }) => upload)))
    if (type !== undefined) app.addContentTypeParser(type, (_request, payload, done) => done(null, payload))
}

function addRefusals(app: FastifyInstance, { log, security }: AppOptions): void {
  app.setNotFoundHandler((_request, reply) => {
    sendProblem(reply, new RequestError(404, 'no-route', 'there is no such route; see /api/v1/openapi.json'))
  })
  app.setErrorHandler((error, _request, reply) => {
    const cause = fromFramework(error)
    const unexpected = !(cause instanceof RequestError) && errorRow(cause).status === 500
    if (unexpected) log.error('request failed', { error: nameOf(cause) })
    sendProblem(reply, cause)
    const event = cause instanceof RequestError ? SECURITY_EVENTS[cause.code] : undefined
    if (event !== undefined) security.note(event)
  })
}

function addRootRoutes(app: FastifyInstance, options: AppOptions): void {
  const { metrics } = options
  const isReady = readiness(options)
  app.get(HEALTH_PATH, { config: { open: true } }, () => ({ status: 'OK' }))
  app.get(READY_PATH, { config: { open: true } }, async (_request, reply) => {
    const ready = await isReady()
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not-ready' })
  })
  app.get(METRICS_PATH, { config: { scope: 'read' } }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  )
}

/** Looked at once a second at most: whoever may connect at all may ask, and the answer costs more than the question. */
function readiness({ context, clock }: AppOptions): () => Promise<boolean> {
  let known: { readonly at: number; readonly ready: Promise<boolean> } | undefined
  return async () => {
    const now = clock.now()
    if (known === undefined || Math.abs(now - known.at) >= READY_MS) {
      const ready = context.application.status().then(({ state }) => state === 'ready')
      known = { at: now, ready }
    }
    return known.ready
  }
}

function addRoute(app: FastifyInstance, route: Route, options: AppOptions): void {
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> =>
    answer(options, { route, request, reply, caller: request.caller })
  const { method, group, scope, open, bodyMaxBytes: bodyLimit } = route
  const shared = { method, url: API_PREFIX + route.path, bodyLimit, config: { group, scope, open }, handler }
  if (route.path !== EVENTS_PATH) {
    app.route(shared)
    return
  }
  app.route({
    ...shared,
    method: 'GET',
    preValidation: async (request) => {
      schema.validate(eventSchema.events, request.query)
    },
    wsHandler: (socket, request) => {
      const { since, consumer, types } = schema.validate(eventSchema.events, request.query)
      options.streams.attach(socket, given({ since, consumer, types }), bearerOf(request.headers))
    },
  })
}

/** Fastify's own refusals under our codes; their texts can quote the request, so they are replaced. */
function fromFramework(error: unknown): unknown {
  const status = (error as { statusCode?: unknown } | null)?.statusCode
  if (status === 413) return new RequestError(413, 'limit', 'the request body is too large')
  if (status === 415) return new RequestError(415, 'media-type', 'send the body as application/json')
  if (status === 400) return new RequestError(400, 'bad-json', 'the request body is not valid JSON')
  return error
}
