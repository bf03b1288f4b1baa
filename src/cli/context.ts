import type { Command } from 'commander'
import type { ApiClient } from '../api/client.ts'
import { connect } from '../api/client.ts'
import { resolveHome } from '../api/paths.ts'
import { UsageError } from '../lib/errors.ts'
import { safeJson } from './render.ts'
import type { World } from './world.ts'

/** What every verb has: the world, the options that all verbs share, a client when it asks for one. */
export class Context {
  readonly world: World
  readonly json: boolean
  /** As given, for settings; {@link home} is the resolved one. */
  readonly homeFlag: string | undefined
  readonly timeoutMs: number | undefined
  #client: ApiClient | undefined

  constructor(world: World, options: SharedOptions) {
    this.world = world
    this.json = options.json === true
    this.homeFlag = options.home
    this.timeoutMs = options.timeout
  }

  get home(): string {
    return resolveHome(this.homeFlag, this.world.env)
  }

  /** The daemon on this home. Throws DaemonError where none runs. */
  async client(): Promise<ApiClient> {
    this.#client ??= await connect(this.home, this.timeoutMs)
    return this.#client
  }

  /** Forgets the client, so that the next one reads the address file again. */
  close(): void {
    this.#client?.close()
    this.#client = undefined
  }

  /** One result: an object with `--json`, else what `human` makes of it. */
  print<T extends object>(value: T, human: (value: T) => string): void {
    this.world.stdout(`${this.json ? safeJson({ schemaVersion: 1, ...value }) : human(value)}\n`)
  }

  /** Something to know that is not the result. Nothing with `--json`: there stderr holds errors only. */
  say(line: string): void {
    if (!this.json) this.world.stderr(`${line}\n`)
  }

  /** Awaits `work`, and from the second second on says on a terminal that it goes on. */
  async patiently<T>(what: string, work: Promise<T>): Promise<T> {
    if (this.json || !this.world.terminal.stderr) return work
    let seconds = 0
    const timer = setInterval(() => {
      seconds++
      this.world.stderr(`\r${what} … ${seconds} s`)
    }, 1_000)
    try {
      return await work
    } finally {
      clearInterval(timer)
      if (seconds > 0) this.world.stderr('\r\u001b[K')
    }
  }
}

export interface SharedOptions {
  readonly home?: string
  readonly json?: boolean
  readonly timeout?: number
}

/** Registers verbs on the program. */
export type Register = (program: Command, open: (command: Command) => Context) => void

/** Seconds of an option as milliseconds. Throws UsageError. */
export function seconds(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0 || value > 86_400)
    throw new UsageError('a time is given in seconds, 1 to 86400')
  return Math.ceil(value * 1_000)
}

/** A positive whole number of an option. Throws UsageError. */
export function count(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new UsageError('a number must be whole and at least 1')
  return Number(text)
}
