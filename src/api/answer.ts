/** One request of a route, from the checked token to the bytes of the answer: once per Idempotency-Key, and within its time. */
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../lib/clock.ts'
import { ConflictError, LimitError, LockedError, TimeoutError } from '../lib/errors.ts'
import type { Auth } from './auth.ts'
import { bearerOf } from './auth.ts'
import { ownConsumers } from './consumers.ts'
import { RequestError } from './errors.ts'
import type { Idempotency, Keeping } from './idempotency.ts'
import type { Route, RouteContext } from './route.ts'
import { ByteAnswer } from './route.ts'
import { lastEventId } from './routes/events-schemas.ts'
import * as schema from './schemas.ts'
import type { Caller } from './tokens.ts'
import { showsUser } from './use.ts'

/** An answer of bytes that nobody reads on is given up after this time. */
const STALL_MS = 60_000
/** A timer that is set further ahead fires at once. */
const TIMER_MAX_MS = 2_147_483_647

export interface AnswerOptions {
  readonly context: RouteContext
  readonly auth: Auth
  readonly idempotency: Idempotency
  readonly clock: Clock
  /** Fires when the server stops. */
  readonly closing: AbortSignal
}

export interface Incoming {
  readonly route: Route
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  /** Undefined on open routes only. */
  readonly caller: Caller | undefined
}

export async function answer(options: AnswerOptions, incoming: Incoming): Promise<unknown> {
  try {
    const key = keyOf(incoming.request)
    const { route, caller } = incoming
    const { application } = options.context
    if (caller !== undefined) await (showsUser(route, caller) ? application.noteUse?.() : application.lockIfDue?.())
    const keyed = key !== undefined && caller !== undefined && route.method !== 'GET' && route.upload === undefined
    const result = keyed ? await answerOnce(options, incoming, caller, key) : await answerNow(options, incoming, key)
    if (route.path === '/identity/lock') options.idempotency.forgetAnswers()
    return result
  } catch (error) {
    if (error instanceof LockedError) options.idempotency.forgetAnswers()
    throw error
  }
}

async function answerNow(options: AnswerOptions, incoming: Incoming, key: string | undefined): Promise<unknown> {
  const { route, reply } = incoming
  const result = await within(options, incoming, work(options, incoming, key))
  if (result instanceof ByteAnswer) return sendBytes(options, incoming, result)
  return sendText(route, reply, result == null ? '' : JSON.stringify(result))
}

async function answerOnce(options: AnswerOptions, incoming: Incoming, caller: Caller, key: string): Promise<unknown> {
  const { route, reply, request } = incoming
  const { method, url: path } = request
  const { body } = bodyOf(route, request)
  let bytes: ByteAnswer | undefined
  const running = options.idempotency.run({ caller, key, method, path, body, keeping: keepingOf(route) }, async () => {
    const result = await work(options, incoming, key)
    if (result instanceof ByteAnswer) bytes = result
    else return result == null ? '' : JSON.stringify(result)
    return undefined
  })
  const { text, repeated } = await within(options, incoming, running)
  // While the keys are sealed, what was kept is too.
  if (repeated && text !== '') await options.context.application.identity()
  if (text !== undefined) return sendText(route, reply, text)
  if (bytes === undefined) throw new ConflictError('this is under way with the same Idempotency-Key')
  return sendBytes(options, incoming, bytes)
}

async function work(options: AnswerOptions, incoming: Incoming, key: string | undefined): Promise<unknown> {
  const { route, request, reply, caller } = incoming
  const { auth, context, closing } = options
  const { params, query } = request
  const idFor = (what: 'message' | 'operation', text: string): string => {
    if (caller === undefined) throw new TypeError('an open route has nobody to make ids for')
    return auth.idFor(caller, what, text)
  }
  const own = caller === undefined ? context.application : ownConsumers(context.application, caller)
  return route.answer(
    { ...context, application: own },
    {
      params,
      query,
      ...bodyOf(route, request),
      idempotencyKey: key,
      messageIdFor: (text) => idFor('message', text),
      operation: key === undefined || caller === undefined ? undefined : idFor('operation', `${request.url}\n${key}`),
      bearer: bearerOf(request.headers),
      lastEventId: lastEventIdOf(request),
      signal: signalOf(reply, closing),
      hangUp: () => {
        reply.raw.destroy()
      },
    },
  )
}

const keepingOf = ({ secret, group }: Route): Keeping => (secret ? 'secret' : group === 'message' ? 'again' : 'answer')

function keyOf(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key']
  return key === undefined ? undefined : schema.validate(schema.idempotencyKey, key)
}

function lastEventIdOf(request: FastifyRequest): number | undefined {
  const id = request.headers['last-event-id']
  return id === undefined || id === '' ? undefined : Number(schema.validate(lastEventId, id))
}

/** JSON on most routes, bytes on those that say so; a body of the other kind is 415. */
function bodyOf(route: Route, { body }: FastifyRequest): { body: unknown; upload: AsyncIterable<Uint8Array> } {
  const isStream = body instanceof Readable
  if (isStream !== (route.upload !== undefined))
    throw new RequestError(415, 'media-type', `send the body as ${route.upload ?? 'application/json'}`)
  return isStream ? { body: undefined, upload: bounded(body, route.bodyMaxBytes) } : { body, upload: nothing() }
}

async function* bounded(body: AsyncIterable<Uint8Array>, mostBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > mostBytes) throw new LimitError('the request body is too large')
    yield chunk
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Until the time is up or the caller has gone. What was begun goes on; who asks again with the same Idempotency-Key waits for it. */
async function within<T>({ clock }: AnswerOptions, { route, reply }: Incoming, running: Promise<T>): Promise<T> {
  if (route.deadlineMs > TIMER_MAX_MS) return running
  let end = (): void => {}
  const late = new Promise<never>((_resolve, reject) => {
    const refuse = (): void => {
      reject(
        new TimeoutError('this takes too long; it may be done all the same: ask again with the same Idempotency-Key'),
      )
    }
    const cancel = clock.after(route.deadlineMs, refuse)
    reply.raw.once('close', refuse)
    end = () => {
      cancel()
      reply.raw.off('close', refuse)
    }
  })
  try {
    return await Promise.race([running, late])
  } finally {
    end()
  }
}

function sendText(route: Route, reply: FastifyReply, text: string): FastifyReply {
  void reply.code(route.status)
  return text === '' ? reply.send() : reply.type('application/json; charset=utf-8').send(text)
}

/**
 * The status waits for the first chunk: what goes wrong before it is told as usual, what comes after breaks the connection. The
 * chunks are called off where the reader goes, or reads nothing for a minute.
 */
async function sendBytes(
  { clock }: AnswerOptions,
  { route, reply }: Incoming,
  bytes: ByteAnswer,
): Promise<FastifyReply> {
  const iterator = bytes.chunks[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (reply.raw.destroyed || reply.request.raw.socket.destroyed) {
    await iterator.return?.()
    return reply.hijack()
  }
  const all = async function* (): AsyncGenerator<Uint8Array> {
    let cancel = (): void => {}
    try {
      for (let next = first; next.done !== true; next = await iterator.next()) {
        cancel = clock.after(STALL_MS, () => {
          reply.raw.destroy()
        })
        yield next.value
        cancel()
      }
    } finally {
      cancel()
      await iterator.return?.()
    }
  }
  return reply
    .code(route.status)
    .type(bytes.type)
    .send(Readable.from(all(), { objectMode: false }))
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
