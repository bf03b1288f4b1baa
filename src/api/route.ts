/** What a route is: a row of plain data with the work at its end. The server walks the rows; so do the tests. */
import type { z } from 'zod'
import type { Application } from './application/application.ts'
import type { Access } from './application/access.ts'
import type { Scope } from './application/access.ts'
import type { EventStreams } from './events.ts'
import type { RouteGroup } from './limits.ts'
import { BODY_MAX_BYTES, noBody, none, validate } from './schemas.ts'

/** The world that a route's work may use. */
export interface RouteContext {
  readonly application: Application
  /** Tokens and the page's codes. */
  readonly access: Access
  readonly streams: Pick<EventStreams, 'serve'>
  /** Resolves after `delayMs`, when `signal` fires or when the server stops. */
  readonly pause: (delayMs: number, signal: AbortSignal) => Promise<void>
}

/** What one request brings besides its parts. */
interface Surroundings {
  /** Checked already; see `idempotency.ts` for what it means on any route. */
  readonly idempotencyKey: string | undefined
  /** A message id that depends on the caller's token and this idempotency key only. */
  readonly messageIdFor: (idempotencyKey: string) => string
  /** The id (32 hex digits) for what a keyed request does to a message; undefined without an idempotency key. */
  readonly operation: string | undefined
  /** What stands after `Bearer` in Authorization. */
  readonly bearer: string | undefined
  /** The number in Last-Event-ID: what a reader of a stream has seen. */
  readonly lastEventId: number | undefined
  /** The body's bytes, on routes that take an `upload`; empty elsewhere. */
  readonly upload: AsyncIterable<Uint8Array>
  /** Fires when the caller has gone, the time is up or the server stops. */
  readonly signal: AbortSignal
  /** Cuts the line, with whatever was not taken yet. */
  readonly hangUp: () => void
}

interface Call<P, Q, B> extends RouteContext, Surroundings {
  readonly params: P
  readonly query: Q
  readonly body: B
}

/** A request as it came, before any schema saw it. */
interface RawCall extends Surroundings {
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
}

/** An answer of bytes instead of JSON; errors before its first chunk are problem documents as always. */
export class ByteAnswer {
  readonly type: string
  readonly chunks: AsyncIterable<Uint8Array>
  constructor(type: string, chunks: AsyncIterable<Uint8Array>) {
    this.type = type
    this.chunks = chunks
  }
}

interface RouteFacts {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below `/api/v1`, with `:id` for parameters. */
  readonly path: string
  readonly group: RouteGroup
}

/** What a route may leave to the defaults. */
interface RouteChoices {
  /** What a token must be good for; by default `read` for GET, `send` for messages, else `admin`. */
  readonly scope: Scope
  readonly status: number
  readonly bodyMaxBytes: number
  /** 504 after this time. By default 5 s, or 30 s where the network is asked. */
  readonly deadlineMs: number
  /** The answer is a secret: it is never kept for a repetition with the same Idempotency-Key. */
  readonly secret: boolean
  /** Asked without a token: what the bearer is worth is for the work to find out. */
  readonly open: boolean
}

export interface Route extends RouteFacts, RouteChoices {
  /** The content type of the bytes that it takes instead of JSON. */
  readonly upload: string | undefined
  readonly params: z.ZodType
  readonly query: z.ZodType
  readonly body: z.ZodType
  /** Checks the request against the route's schemas, then does the work; what it returns is the JSON of the answer. */
  answer(context: RouteContext, raw: RawCall): Promise<unknown>
}

interface Spec<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>
  extends RouteFacts, Partial<RouteChoices> {
  readonly upload?: string
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  readonly work: (call: Call<z.output<P>, z.output<Q>, z.output<B>>) => Promise<unknown>
}

/** Makes a route; a part that is left out must be empty in the request. */
export function route<
  P extends z.ZodType = typeof none,
  Q extends z.ZodType = typeof none,
  B extends z.ZodType = typeof noBody,
>(spec: Spec<P, Q, B>): Route {
  const params = (spec.params ?? none) as P
  const query = (spec.query ?? none) as Q
  const body = (spec.body ?? noBody) as B
  const { method, path, group, upload } = spec
  return {
    ...defaultsFor(method, group),
    ...given(choicesOf(spec)),
    method,
    path,
    group,
    upload,
    params,
    query,
    body,
    answer: (context, raw) =>
      spec.work({
        ...context,
        ...raw,
        params: validate(params, raw.params),
        query: validate(query, raw.query),
        body: validate(body, raw.body),
      }),
  }
}

const REQUEST_MS = 5_000
const NETWORK_REQUEST_MS = 30_000
const ASKS_NETWORK: ReadonlySet<RouteGroup> = new Set<RouteGroup>(['lookup', 'publish', 'rotate', 'session'])

function defaultsFor(method: Route['method'], group: RouteGroup): RouteChoices {
  const scope = method === 'GET' ? 'read' : group === 'message' ? 'send' : 'admin'
  const deadlineMs = ASKS_NETWORK.has(group) ? NETWORK_REQUEST_MS : REQUEST_MS
  return { scope, status: 200, bodyMaxBytes: BODY_MAX_BYTES, deadlineMs, secret: false, open: false }
}

function choicesOf(spec: Partial<RouteChoices>): Partial<RouteChoices> {
  const { scope, status, bodyMaxBytes, deadlineMs, secret, open } = spec
  return { scope, status, bodyMaxBytes, deadlineMs, secret, open } as Partial<RouteChoices>
}

/** Lists go out as an object, so that fields can join them later. */
export function list<T>(items: readonly T[]): { readonly items: readonly T[] } {
  return { items }
}

/** Leaves out what is undefined: under exact optional types the two are not the same. */
export function given<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as never
}
