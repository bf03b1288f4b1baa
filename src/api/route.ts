/** What a route is: a row of plain data with the work at its end. The server walks the rows; so do the tests. */
import type { z } from 'zod'
import type { Application } from './application.ts'
import type { RouteGroup } from './limits.ts'
import { BODY_MAX_BYTES, noBody, none, validate } from './schemas.ts'

/** The world that a route's work may use. */
export interface RouteContext {
  readonly application: Application
  /** A message id that depends on the idempotency key only. */
  readonly messageIdFor: (idempotencyKey: string) => string
  /** Resolves after `delayMs`, when `signal` fires or when the server stops. */
  readonly pause: (delayMs: number, signal: AbortSignal) => Promise<void>
  readonly rotateToken: () => Promise<void>
}

interface Call<P, Q, B> extends RouteContext {
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly idempotencyKey: string | undefined
  /** Fires when the caller has gone or the server stops. */
  readonly signal: AbortSignal
}

/** A request as it came, before any schema saw it. */
interface RawCall {
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
  readonly idempotencyKey: string | undefined
  readonly signal: AbortSignal
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Below `/api/v1`, with `:id` for parameters. */
  readonly path: string
  readonly group: RouteGroup
  readonly status: number
  readonly bodyMaxBytes: number
  /** Checks the request against the route's schemas, then does the work; what it returns is the JSON of the answer. */
  answer(context: RouteContext, raw: RawCall): Promise<unknown>
}

interface Spec<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  readonly method: Route['method']
  readonly path: string
  readonly group: RouteGroup
  readonly status?: number
  readonly bodyMaxBytes?: number
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
  const { method, path, group, status = 200, bodyMaxBytes = BODY_MAX_BYTES, work } = spec
  const params = (spec.params ?? none) as P
  const query = (spec.query ?? none) as Q
  const body = (spec.body ?? noBody) as B
  return {
    method,
    path,
    group,
    status,
    bodyMaxBytes,
    answer: (context, raw) =>
      work({
        ...context,
        params: validate(params, raw.params),
        query: validate(query, raw.query),
        body: validate(body, raw.body),
        idempotencyKey: raw.idempotencyKey,
        signal: raw.signal,
      }),
  }
}

/** Lists go out as an object, so that fields can join them later. */
export function list<T>(items: readonly T[]): { readonly items: readonly T[] } {
  return { items }
}

/** Leaves out what is undefined: under exact optional types the two are not the same. */
export function given<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as never
}
