/**
 * The local API: the same application on a unix socket (0600, in the home) and on loopback. Starts and stops as one part;
 * while it runs, `api.json` in the home tells clients where.
 */
import { chmod, lstat, mkdir, rm } from 'node:fs/promises'
import { createConnection } from 'node:net'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../lib/clock.ts'
import { ConflictError, NetworkError, StorageError, nameOf } from '../lib/errors.ts'
import type { Startable } from '../lib/lifecycle.ts'
import type { Logger } from '../lib/log.ts'
import type { Rng } from '../lib/rng.ts'
import { SecurityLog } from '../lib/security-log.ts'
import type { AppOptions } from './app.ts'
import { UNAUTHORIZED_EVENT, buildApp } from './app.ts'
import type { Application } from './application.ts'
import { ApiToken, requireLoopback } from './auth.ts'
import { fromSystemError } from './errors.ts'
import type { StreamLimits } from './events.ts'
import { CLOSE, EventStreams, STREAM_LIMITS } from './events.ts'
import type { ApiAddress } from './files.ts'
import { removeAddress, writeAddress } from './files.ts'
import type { ApiLimits } from './limits.ts'
import { ApiRateGate } from './limits.ts'
import type { RouteContext } from './route.ts'

/** Connections of one listener, with a token or without: 64 event streams, and what a machine's programs ask at once. */
const CONNECTIONS_MAX = 256
/** Answers under way get this long when the server stops. */
const DRAIN_MS = 1_500

export interface ApiServerOptions {
  readonly application: Application
  /** Mode 0700, exists; the token and address files go there. */
  readonly home: string
  readonly socketPath: string
  /** A loopback address; anything else is refused. */
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly limits: ApiLimits
  readonly streamLimits?: StreamLimits
  /** SHA-256 of the parts, for idempotent message ids. */
  readonly sha256: (...parts: readonly Uint8Array[]) => Uint8Array
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}

interface Running {
  readonly closing: AbortController
  readonly streams: EventStreams
  readonly apps: FastifyInstance[]
  port: number
}

export class ApiServer implements Startable {
  readonly #options: ApiServerOptions
  #running: Running | undefined

  constructor(options: ApiServerOptions) {
    this.#options = options
  }

  /** Where it listens; throws before the start. */
  get address(): ApiAddress {
    if (this.#running === undefined) throw new TypeError('the API server has not started')
    const { host, socketPath } = this.#options
    return { pid: process.pid, host, port: this.#running.port, socketPath }
  }

  /** Throws UsageError (not loopback), ConflictError (another daemon on this home), NetworkError (busy port), StorageError. */
  async start(): Promise<void> {
    const { application, clock, home, host, limits, log, rng, streamLimits = STREAM_LIMITS } = this.#options
    requireLoopback(host)
    await this.#clearSocket()
    const token = await ApiToken.open(home, rng)
    const security = new SecurityLog(log, clock)
    const streams = new EventStreams({
      application,
      clock,
      log,
      limits: streamLimits,
      accepts: (text) => {
        const accepted = token.accepts(text)
        if (!accepted) security.note(UNAUTHORIZED_EVENT)
        return accepted
      },
    })
    const running: Running = { closing: new AbortController(), streams, apps: [], port: 0 }
    this.#running = running
    const shared = {
      context: this.#context(token, streams),
      token,
      gate: new ApiRateGate(limits, clock),
      streams,
      log,
      security,
      closing: running.closing.signal,
    }
    try {
      await this.#listen(running, shared)
      await writeAddress(home, this.address)
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    await removeAddress(this.#options.home, process.pid)
    running.closing.abort()
    running.streams.closeAll(CLOSE.goingAway)
    const cancel = this.#options.clock.after(DRAIN_MS, () => {
      for (const app of running.apps) app.server.closeAllConnections()
    })
    await Promise.allSettled(running.apps.map((app) => app.close()))
    cancel()
  }

  async #listen(running: Running, shared: Omit<AppOptions, 'port'>): Promise<void> {
    const { host, port, socketPath } = this.#options
    const local = await buildApp({ ...shared, port: () => undefined })
    local.server.maxConnections = CONNECTIONS_MAX
    running.apps.push(local)
    await listen(local, { path: socketPath }, 'the API socket')
    await chmod(socketPath, 0o600)
    const loopback = await buildApp({ ...shared, port: () => running.port })
    loopback.server.maxConnections = CONNECTIONS_MAX
    running.apps.push(loopback)
    await listen(loopback, { host, port }, `API port ${port}`)
    running.port = (loopback.server.address() as AddressInfo).port
  }

  #context(token: ApiToken, streams: EventStreams): RouteContext {
    const { application, clock, sha256 } = this.#options
    return {
      application,
      messageIdFor: (key) => token.messageIdFor(key, sha256),
      pause: (delayMs, signal) => pause(clock, delayMs, signal),
      async rotateToken() {
        await token.rotate()
        streams.closeAll(CLOSE.unauthorised)
      },
    }
  }

  /** A socket file that a killed daemon left is removed; one that somebody listens on is not. */
  async #clearSocket(): Promise<void> {
    const { home, socketPath } = this.#options
    if (dirname(socketPath) !== home) await requirePrivate(dirname(socketPath))
    const stat = await lstat(socketPath).catch(() => undefined)
    if (stat === undefined) return
    if (!stat.isSocket()) throw new ConflictError('the path of the API socket is taken by another file; move it away')
    if (await answers(socketPath)) throw new ConflictError('a daemon already runs on this home; stop it first')
    this.#options.log.info('removed the socket of a daemon that is gone')
    await rm(socketPath, { force: true })
  }
}

async function listen(
  app: FastifyInstance,
  where: { path: string } | { host: string; port: number },
  what: string,
): Promise<void> {
  try {
    await app.listen(where)
  } catch (error) {
    const known = fromSystemError(error, what)
    throw known === error ? new NetworkError(`${what} cannot be opened (${nameOf(error)})`, { cause: error }) : known
  }
}

/** A socket outside the home lies in a directory of the same user that nobody else can enter. */
async function requirePrivate(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const stat = await lstat(directory)
  const ours = stat.isDirectory() && stat.uid === process.getuid?.() && (stat.mode & 0o077) === 0
  if (!ours) throw new StorageError('the directory of the API socket belongs to somebody else; use a shorter --home')
}

async function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}

async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(delayMs, done)
    signal.addEventListener('abort', done, { once: true })
  })
}
