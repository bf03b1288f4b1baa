/** A daemon in a container, reached through the socket in its home. */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { StatusView } from '../../src/api/application/account.ts'
import type { Cuttable } from '../chaos/faults.ts'
import { ApiDaemon, Fatal, until } from '../support/api-daemon.ts'
import { callSocket } from '../support/local-api.ts'
import { containerOf, docker, inspect, networkOf } from './engine.ts'
import type { Compose } from './engine.ts'
import type { Plan } from './plan.ts'

const START_MS = 300_000
const STOP_SECONDS = 60
const KILLED = 137
const LOOK_MS = 3_000

export interface ContainerInit {
  readonly plan: Plan
  /** Outside of the container. */
  readonly home: string
  readonly logFile: string
  readonly compose: Compose
}

export class ContainerDaemon extends ApiDaemon implements Cuttable {
  readonly name: string
  readonly home: string
  readonly plan: Plan
  override readonly patienceMs = 180_000
  /** What was done to it, for the report. */
  faults = 0
  readonly #container: string
  readonly #logFile: string
  readonly #compose: Compose
  #running = false
  #paused = false
  #initPid = 0
  #peerId = ''
  #lookedAt = 0

  constructor({ plan, home, logFile, compose }: ContainerInit) {
    super()
    this.name = plan.name
    this.plan = plan
    this.home = home
    this.#logFile = logFile
    this.#compose = compose
    this.#container = containerOf(plan.name)
  }

  get running(): boolean {
    return this.#running
  }

  get peerId(): string {
    return this.#peerId
  }

  get memoryBytes(): number {
    try {
      const status = readFileSync(`/proc/${this.#pid()}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1_024
    } catch {
      // It does not run.
      return 0
    }
  }

  /** Of the daemon, which is the first child of the container's init. Throws Error where it does not run. */
  #pid(): number {
    const children = readFileSync(`/proc/${this.#initPid}/task/${this.#initPid}/children`, 'utf8')
    const pid = Number(children.split(' ')[0])
    if (pid > 0) return pid
    throw new Error(`${this.name} does not run`)
  }

  async start(): Promise<StatusView> {
    await docker('start', this.#container)
    return this.answers()
  }

  /** It was started by Compose: resolves when its API answers. */
  async answers(): Promise<StatusView> {
    this.#running = true
    this.#lookedAt = Date.now()
    const status = await until(`${this.name} starts`, async () => this.#ask(), START_MS)
    this.#peerId = status.peerId
    this.#initPid = (await inspect([this.#container]))[0]?.State.Pid ?? 0
    return status
  }

  async #ask(): Promise<StatusView> {
    try {
      return await this.status()
    } catch (error) {
      if (Date.now() - this.#lookedAt > LOOK_MS) await this.#mustRun(error)
      throw error
    }
  }

  /** A look costs as much as a tenth of a start, so it is taken seldom. */
  async #mustRun(cause: unknown): Promise<void> {
    this.#lookedAt = Date.now()
    const [found] = await inspect([this.#container])
    if (found?.State.Running !== false) return
    this.#running = false
    throw new Fatal(`${this.name} ended with ${found.State.ExitCode}`, { cause })
  }

  async kill(): Promise<void> {
    this.faults++
    this.#running = false
    await docker('kill', this.#container)
  }

  async stop(): Promise<number | null> {
    this.faults++
    this.#running = false
    await docker('stop', '-t', String(STOP_SECONDS), this.#container)
    const [found] = await inspect([this.#container])
    const code = found?.State.ExitCode ?? null
    if (code === KILLED) throw new Error(`${this.name} did not end within ${STOP_SECONDS} s`)
    return code
  }

  /** By the engine; where that cannot (old ones fail on a busy machine) by a signal, which is as good. */
  async freeze(): Promise<void> {
    this.faults++
    try {
      await docker('pause', this.#container)
      this.#paused = true
    } catch {
      process.kill(this.#pid(), 'SIGSTOP')
    }
  }

  async thaw(): Promise<void> {
    if (this.#paused) await docker('unpause', this.#container)
    else process.kill(this.#pid(), 'SIGCONT')
    this.#paused = false
  }

  async cut(): Promise<void> {
    this.faults++
    await docker('network', 'disconnect', networkOf(this.plan.network), this.#container)
  }

  async mend(): Promise<void> {
    const { network, address } = this.plan
    await docker('network', 'connect', '--ip', address, networkOf(network), this.#container)
  }

  /** Another container over the same home, as the files of the run have it by now. */
  async replace(): Promise<StatusView> {
    await this.stop()
    this.#keepLog(await docker('logs', this.#container))
    await this.#compose.up([this.name])
    return this.answers()
  }

  async readLog(): Promise<string> {
    const now = await docker('logs', this.#container)
    writeFileSync(`${this.#logFile}.last`, now)
    return (existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : '') + now
  }

  #keepLog(text: string): void {
    appendFileSync(this.#logFile, text)
  }

  async api<T>(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<T> {
    return callSocket<T>(this.home, method, path, body, headers)
  }
}
