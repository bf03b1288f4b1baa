/**
 * The program that the owner has run for every message that comes (`hooks.onMessage`). A named consumer, `hook`, so no message
 * is passed over while the daemon is down. The event and the message go to its standard input as one JSON object: every user of
 * the machine can read a process's arguments, so nothing of them is there, and the environment has ids only (PR-14).
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import type { Application } from './api/application/application.ts'
import type { EventView } from './api/application/events.ts'
import type { MessageView } from './api/application/messages.ts'
import { readLog, wantsOf } from './api/event-log.ts'
import { Bell } from './api/event-pump.ts'
import type { BackoffPolicy } from './lib/backoff.ts'
import { backoffMs } from './lib/backoff.ts'
import type { Clock } from './lib/clock.ts'
import { sleep } from './lib/clock.ts'
import { nameOf, NotFoundError } from './lib/errors.ts'
import type { Startable } from './lib/lifecycle.ts'
import type { Logger } from './lib/log.ts'
import type { Rng } from './lib/rng.ts'

const CONSUMER = 'hook'
const BATCH = 100
/** How often it looks without being told: after an unlocking, for one, nothing may have happened yet. */
const LOOK_MS = 30_000
/** Events of other kinds that may pass before they are acknowledged. */
const PASSED_MAX = 1_000
/** How long after its end the program's output is waited for: something that it started may hold the other end for ever. */
const OUTPUT_MS = 200
/** Who was killed and is still there after this time is waited for no more. */
const KILLED_MS = 1_000
/** Variables of the daemon that the program gets too. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'USER', 'LOGNAME', 'XDG_RUNTIME_DIR']

export interface HookLimits {
  /** The program is killed after this time, with whatever it has started. */
  readonly timeoutMs: number
  /** After so many tries a message is passed over, with a warning. */
  readonly attemptsMax: number
  readonly retry: BackoffPolicy
}
export const HOOK_LIMITS: HookLimits = {
  timeoutMs: 30_000,
  attemptsMax: 8,
  retry: { firstMs: 1_000, maxMs: 60_000, factor: 2 },
}

export interface HookOptions {
  readonly application: Pick<Application, 'eventsSince' | 'onEvent' | 'consumer' | 'acknowledge' | 'message'>
  /** A program and its arguments; no shell sees them. */
  readonly command: readonly string[]
  /** Its working directory. */
  readonly home: string
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Logger
  readonly limits?: HookLimits
}

export class MessageHook implements Startable {
  readonly #options: HookOptions
  readonly #limits: HookLimits
  readonly #stopping = new AbortController()
  readonly #bell = new Bell()
  #off = (): void => {}
  #loop: Promise<void> | undefined

  constructor(options: HookOptions) {
    this.#options = options
    this.#limits = options.limits ?? HOOK_LIMITS
  }

  start(): void {
    this.#off = this.#options.application.onEvent(() => {
      this.#bell.ring()
    })
    this.#loop = this.#run()
  }

  /** Kills a program that runs; its message is not acknowledged, and comes again. */
  async stop(): Promise<void> {
    this.#off()
    this.#stopping.abort()
    this.#bell.ring()
    await this.#loop
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#bell.reset()
      try {
        if (await this.#batch()) continue
      } catch (error) {
        // Without an account or with sealed keys there is nothing to do until there is.
        const early = nameOf(error) === 'LockedError' || error instanceof NotFoundError
        if (!early && !this.#stopped) this.#options.log.warn('the message hook was held up', { error: nameOf(error) })
      }
      if (!this.#stopped) await this.#rung()
    }
  }

  async #rung(): Promise<void> {
    const cancel = this.#options.clock.after(LOOK_MS, () => {
      this.#bell.ring()
    })
    await this.#bell.rung()
    cancel()
  }

  /** Whether there may be more. */
  async #batch(): Promise<boolean> {
    const { application } = this.#options
    const { acknowledged } = await application.consumer(CONSUMER)
    const page = await readLog(application, acknowledged, BATCH, wantsOf(['message:received']))
    for (const event of page.events) {
      await this.#handle(event)
      if (this.#stopped) return false
      await application.acknowledge(CONSUMER, event.number)
    }
    const done = page.events.at(-1)?.number ?? acknowledged
    const more = page.events.length === BATCH || page.next < page.last
    const passed = page.next - done
    if (passed >= PASSED_MAX || (more && passed > 0)) await application.acknowledge(CONSUMER, page.next)
    return more
  }

  async #handle(event: EventView): Promise<void> {
    const { log, clock, rng } = this.#options
    const { attemptsMax, retry } = this.#limits
    for (let attempt = 0; !this.#stopped; attempt++) {
      const fault = await this.#once(event)
      if (fault === undefined || this.#stopped) return
      if (attempt + 1 >= attemptsMax) {
        log.warn('the message hook failed; the message is passed over', { fault, attempts: attempt + 1 })
        return
      }
      log.debug('the message hook failed; it is tried again', { fault })
      await sleep(clock, backoffMs(retry, attempt, rng), this.#stopping.signal).catch(() => {})
    }
  }

  /** Runs the program once; what went wrong, if anything did. */
  async #once(event: EventView): Promise<string | undefined> {
    const { application, command, home, clock, log } = this.#options
    const { id = '', contact = '' } = event.data as { readonly id?: string; readonly contact?: string }
    const message = await messageOr(application, id)
    const [program = '', ...args] = command
    const child = spawn(program, args, {
      cwd: home,
      env: environment({ SOTTO_MESSAGE_ID: id, SOTTO_CONTACT: message?.contact ?? contact }),
      // A group of its own, so that whatever it started goes with it.
      detached: true,
      shell: false,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const output = outputOf(child)
    // Who does not read its input is free not to.
    child.stdin.on('error', () => {})
    child.stdin.end(`${JSON.stringify({ ...event, message: message ?? null })}\n`)
    const fault = await this.#end(child)
    const letGo = clock.after(OUTPUT_MS, () => {
      for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.destroy()
    })
    child.once('close', letGo)
    // Never what it printed: that may be the message.
    if (output() > 0) log.debug('the message hook printed', { bytes: output() })
    return fault
  }

  /** Resolves when the program has ended, or was killed: what went wrong, if anything did. */
  async #end(child: ChildProcess): Promise<string | undefined> {
    const { clock } = this.#options
    const { signal: stopping } = this.#stopping
    let cancel = (): void => {}
    let kill = (): void => {}
    const fault = await new Promise<string | undefined>((resolve) => {
      kill = () => {
        cancel()
        killGroup(child.pid)
        cancel = clock.after(KILLED_MS, () => {
          resolve('killed, and still there')
        })
      }
      cancel = clock.after(this.#limits.timeoutMs, kill)
      stopping.addEventListener('abort', kill, { once: true })
      child.once('error', (error: NodeJS.ErrnoException) => {
        resolve(`not started (${error.code ?? error.name})`)
      })
      // Not `close`: that waits for whoever has inherited its output.
      child.once('exit', (code, signal) => {
        resolve(code === 0 ? undefined : `ended with ${code ?? signal ?? 'nothing'}`)
      })
    })
    cancel()
    stopping.removeEventListener('abort', kill)
    return fault
  }
}

/** Undefined for one that was deleted meanwhile. */
async function messageOr(application: HookOptions['application'], id: string): Promise<MessageView | undefined> {
  try {
    return await application.message(id)
  } catch (error) {
    if (error instanceof NotFoundError) return undefined
    throw error
  }
}

/** Nothing of the daemon's own settings, its passphrase above all. */
function environment(ids: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))
  return { ...Object.fromEntries(inherited), ...ids } as NodeJS.ProcessEnv
}

/** How much came so far; it is read so that the program can go on writing. */
function outputOf(child: { readonly stdout: NodeJS.ReadableStream; readonly stderr: NodeJS.ReadableStream }) {
  let size = 0
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length
    })
  }
  return (): number => size
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has gone already.
  }
}
