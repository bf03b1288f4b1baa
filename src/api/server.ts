/**
 * The local API: the same application on a unix socket (0600, in the home) and on loopback. Starts and stops as one part;
 * while it runs, `api.json` in the home tells clients where.
 */
import { chmod, lstat, mkdir, readFile, rm } from 'node:fs/promises'
import { createConnection } from 'node:net'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../lib/clock.ts'
import { ConflictError, NetworkError, StorageError, UsageError, nameOf } from '../lib/errors.ts'
import type { Startable } from '../lib/lifecycle.ts'
import type { Logger } from '../lib/log.ts'
import type { Rng } from '../lib/rng.ts'
import { SecurityLog } from '../lib/security-log.ts'
import type { AppOptions } from './app.ts'
import { UNAUTHORIZED_EVENT, buildApp } from './app.ts'
import type { Application } from './application/application.ts'
import { Auth } from './auth.ts'
import type { Listener } from './caller.ts'
import { SOCKET_LISTENER, allowList, isLoopback, requireTlsBeyondLoopback, tcpListener } from './caller.ts'
import { fromSystemError } from './errors.ts'
import type { StreamLimits } from './events.ts'
import { CLOSE, EventStreams, STREAM_LIMITS } from './events.ts'
import type { ApiAddress } from './files.ts'
import { removeAddress, writeAddress } from './files.ts'
import { Idempotency } from './idempotency.ts'
import type { ApiLimits } from './limits.ts'
import { ApiRateGate } from './limits.ts'
import { ApiMetrics } from './metrics.ts'
import { PAGE_ROOT } from './page.ts'
import type { RouteContext } from './route.ts'
import { limitStrangers } from './strangers.ts'

/** Connections of one listener, with a token or without: 64 event streams, and what a machine's programs ask at once. */
const CONNECTIONS_MAX = 256
/** Answers under way get this long when the server stops. */
const DRAIN_MS = 1_500

export interface ApiServerOptions {
  readonly application: Application
  /** Mode 0700, exists; the token and address files go there. */
  readonly home: string
  readonly socketPath: string
  /** A loopback address; anything else needs `tls`. */
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  /** PEM files. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
  /** Address ranges (CIDR) that may connect besides loopback; all where there are none. */
  readonly allow?: readonly string[] | undefined
  /** What else this machine is called in Host and Origin, besides loopback's names and `host`. */
  readonly names?: readonly string[] | undefined
  /** Where the built page lies; by default beside the program. */
  readonly pageRoot?: string | undefined
  /** How long nothing may move on a connection, where not as usual. */
  readonly idleMs?: number | undefined
  readonly limits: ApiLimits
  readonly streamLimits?: StreamLimits
  /** SHA-256 of the parts, for idempotent message ids. */
  readonly sha256: (...parts: readonly Uint8Array[]) => Uint8Array
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
}

interface Running {
  readonly auth: Auth
  readonly closing: AbortController
  readonly streams: EventStreams
  readonly apps: FastifyInstance[]
  stopWatching: () => void
  port: number
  /** Addresses that the port is ours on. */
  bound: readonly string[]
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
    const { socketPath } = this.#options
    return { pid: process.pid, host: this.#host(), port: this.#running.port, socketPath }
  }

  /** Throws UsageError (beyond loopback without TLS), ConflictError (another daemon on this home), NetworkError (busy port), StorageError. */
  async start(): Promise<void> {
    const { home, host, log, clock, tls, allow = [] } = this.#options
    requireTlsBeyondLoopback(host, tls !== undefined)
    const allowed = allowList(allow)
    const pem = tls === undefined ? undefined : await readPem(tls)
    await this.#clearSocket()
    const security = new SecurityLog(log, clock)
    const running = await this.#open(security)
    this.#running = running
    try {
      await this.#listen(running, { ...this.#shared(running), security, allowed, tls: pem })
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
    running.stopWatching()
    running.streams.closeAll(CLOSE.goingAway)
    const cancel = this.#options.clock.after(DRAIN_MS, () => {
      for (const app of running.apps) app.server.closeAllConnections()
    })
    await Promise.allSettled(running.apps.map((app) => app.close()))
    cancel()
    await running.auth.close()
  }

  async #open(security: SecurityLog): Promise<Running> {
    const { application, clock, log, streamLimits = STREAM_LIMITS } = this.#options
    const auth = await Auth.open({
      ...this.#options,
      pageUrl: () => this.#pageUrl(),
      revoked: (id) => {
        streams.closeOf(id)
      },
      codeReused: () => {
        security.note('a code of the page was used twice; the session that it made was ended')
      },
    })
    const streams = new EventStreams({
      application,
      clock,
      log,
      limits: streamLimits,
      ownerOf: (text) => {
        const caller = auth.accepts(text)
        if (caller === undefined) security.note(UNAUTHORIZED_EVENT)
        return caller
      },
    })
    return { auth, closing: new AbortController(), streams, apps: [], stopWatching: () => {}, port: 0, bound: [] }
  }

  #shared(running: Running): Omit<AppOptions, 'listener' | 'security' | 'allowed'> {
    const { auth, streams, closing } = running
    const { application, clock, limits, log } = this.#options
    const idempotency = new Idempotency(this.#options)
    running.stopWatching =
      application.onLock?.(() => {
        idempotency.forgetAnswers()
      }) ?? running.stopWatching
    const context: RouteContext = {
      application: limitStrangers(application, limits.strangerMessagesPerMinute, clock),
      access: auth,
      streams,
      pause: (delayMs, signal) => pause(clock, delayMs, signal),
    }
    return {
      context,
      auth,
      idempotency,
      gate: new ApiRateGate(limits, clock),
      streams,
      metrics: new ApiMetrics({ application, streams: () => streams.size }),
      clock,
      log,
      closing: closing.signal,
      pageRoot: this.#options.pageRoot ?? PAGE_ROOT,
      idleMs: this.#options.idleMs,
    }
  }

  async #listen(running: Running, shared: Omit<AppOptions, 'listener'>): Promise<void> {
    const { host, port, socketPath, names = [] } = this.#options
    const local = await buildApp({ ...shared, tls: undefined, listener: () => SOCKET_LISTENER })
    local.server.maxConnections = CONNECTIONS_MAX
    running.apps.push(local)
    await listen(local, { path: socketPath }, 'the API socket')
    await chmod(socketPath, 0o600)
    let listener: Listener = { ...SOCKET_LISTENER, names: [] }
    const remote = await buildApp({ ...shared, listener: () => listener })
    remote.server.maxConnections = CONNECTIONS_MAX
    running.apps.push(remote)
    await listen(remote, { host, port }, `API port ${port}`)
    running.port = (remote.server.address() as AddressInfo).port
    running.bound = remote.addresses().map((own) => (typeof own === 'string' ? own : own.address))
    listener = tcpListener([host, ...names], running.port, shared.tls !== undefined, running.bound)
  }

  /** `localhost` can be two machines' worth of addresses, and the other one somebody else's: the one that is ours is told. */
  #host(): string {
    const { host } = this.#options
    return host === 'localhost' ? (this.#running?.bound[0] ?? '127.0.0.1') : host
  }

  #pageUrl(): string {
    const { host, names = [], tls } = this.#options
    const name = isLoopback(host) ? this.#host() : (names[0] ?? host)
    const plain = name.includes(':') ? `[${name}]` : name
    return `${tls === undefined ? 'http' : 'https'}://${plain}:${this.#running?.port ?? 0}/`
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

async function readPem(files: { readonly cert: string; readonly key: string }): Promise<{ cert: string; key: string }> {
  try {
    const [cert, key] = await Promise.all([readFile(files.cert, 'utf8'), readFile(files.key, 'utf8')])
    createSecureContext({ cert, key })
    return { cert, key }
  } catch (error) {
    throw new UsageError('api.tls.cert and api.tls.key must be readable PEM files that belong together', {
      cause: error,
    })
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
