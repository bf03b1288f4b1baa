import type { Command } from 'commander'
import type { ApiClient } from '../api/client.ts'
import { connect } from '../api/client.ts'
import { resolveHome } from '../api/paths.ts'
import { UsageError } from '../lib/errors.ts'
import { safeJson, table } from './render.ts'
import { wantsColour } from './colour.ts'
import { Interrupted } from './world.ts'
import type { World } from './world.ts'

/** What every verb has: the world, the options that all verbs share, a client when it asks for one. */
export class Context {
  readonly world: World
  /** The result is for a program: JSON, and nothing but errors on stderr. */
  readonly json: boolean
  /** One object per line, of lists too. */
  readonly jsonLines: boolean
  readonly quiet: boolean
  readonly colour: boolean
  /** As given, for settings; {@link home} is the resolved one. */
  readonly homeFlag: string | undefined
  readonly timeoutMs: number | undefined
  /** Of a verb that did its work and found something wrong. */
  exitCode = 0
  #client: ApiClient | undefined

  constructor(world: World, options: SharedOptions) {
    this.world = world
    this.jsonLines = options.jsonl === true
    this.json = options.json === true || this.jsonLines
    this.quiet = options.quiet === true
    this.colour = !this.json && wantsColour(world, options.color)
    this.homeFlag = options.home
    this.timeoutMs = options.timeout
  }

  get home(): string {
    return resolveHome(this.homeFlag, this.world.env)
  }

  /** The daemon on this home. Throws DaemonError where none runs. */
  async client(): Promise<ApiClient> {
    if (this.#client !== undefined) return this.#client
    const client = await connect(this.home, this.timeoutMs)
    this.#client = client
    // Somebody typed this: for auto-lock that is a sign of the owner, which a script is not.
    const { stdin, stdout } = this.world.terminal
    if (stdin && stdout) await client.noteUse().catch(() => {})
    return client
  }

  /** Forgets the client, so that the next one reads the address file again. */
  close(): void {
    this.#client?.close()
    this.#client = undefined
  }

  /** One result: an object with `--json`, else what `human` makes of it. `--jsonl` gives each of its `items` a line. */
  print<T extends object>(value: T, human: (value: T) => string): void {
    if (!this.json) {
      this.world.stdout(`${human(value)}\n`)
      return
    }
    const items: unknown = this.jsonLines ? (value as { items?: unknown }).items : undefined
    const objects = Array.isArray(items) ? (items as object[]) : [value]
    for (const object of objects) this.world.stdout(`${safeJson({ schemaVersion: 1, ...object })}\n`)
  }

  /** The same for what was only asked to happen: with `--quiet`, no news is good news. */
  done<T extends object>(value: T, human: (value: T) => string): void {
    if (this.json || !this.quiet) this.print(value, human)
  }

  /** Text that is a document of its own (a script, a page of the manual), in no frame. */
  write(text: string): void {
    this.world.stdout(text.endsWith('\n') ? text : `${text}\n`)
  }

  /** Something to know that is not the result. Nothing with `--json`: there stderr holds errors only. */
  say(line: string): void {
    if (!this.json && !this.quiet) this.world.stderr(`${line}\n`)
  }

  /** Columns that fit the terminal, where there is one. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): string {
    const { stdout, columns } = this.world.terminal
    return table(head, rows, { columns: stdout ? columns : undefined, colour: this.colour })
  }

  /**
   * Awaits `work`, and from the second second on says on a terminal that it goes on. `progress` adds what can be said of how
   * far it is.
   */
  async patiently<T>(what: string, work: Promise<T>, progress?: () => string): Promise<T> {
    if (this.json || this.quiet || !this.world.terminal.stderr) return work
    let seconds = 0
    const timer = setInterval(() => {
      seconds++
      const far = progress === undefined ? '' : `, ${progress()}`
      this.world.stderr(`\r\u001b[K${what} … ${seconds} s${far}`)
    }, 1_000)
    try {
      return await work
    } finally {
      clearInterval(timer)
      if (seconds > 0) this.world.stderr('\r\u001b[K')
    }
  }

  /** Awaits `work`; throws {@link Interrupted} at once when the user has had enough, so that the caller can clean up. */
  async interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const stop = new AbortController()
    const stopped = this.world.untilSignal().then((): never => {
      stop.abort()
      throw new Interrupted('stopped')
    })
    return Promise.race([work(stop.signal), stopped])
  }
}

export interface SharedOptions {
  readonly home?: string
  readonly json?: boolean
  readonly jsonl?: boolean
  readonly quiet?: boolean
  /** False with `--no-color`. */
  readonly color?: boolean
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

/** `on` or `off`. Throws UsageError. */
export function onOff(text: string): boolean {
  if (text !== 'on' && text !== 'off') throw new UsageError('say on or off')
  return text === 'on'
}
