/** Real daemons for tests and the demo: processes of their own, homes of their own, on loopback, and no one left behind. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StatusView } from '../../src/api/application/account.ts'
import type { ContactView } from '../../src/api/application/contacts.ts'
import { ApiDaemon, Fatal, PASSPHRASE, until } from './api-daemon.ts'
import { ApiFault, callApi, callSocket } from './local-api.ts'
import { Reaper } from './reaper.ts'

// Most tests want these together with the daemons.
export { PASSPHRASE, pause, until } from './api-daemon.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')
const START_MS = 60_000
/** A holder hands over what too few others have before it goes. */
const STOP_MS = 60_000
const CLI_MS = 60_000
/** A stranger's stamp may take a busy machine this long. */
const STRANGER_MS = 60_000

/** What a process printed and how it ended. */
export interface Outcome {
  /** The exit code; 128 + the number is not used: a signal leaves it null. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface DaemonOptions {
  /** Multiaddrs to join by. */
  readonly bootstrap?: readonly string[]
  /** More flags for `sotto daemon`. */
  readonly flags?: readonly string[]
  /** A command that runs the daemon elsewhere (`ip netns exec …`); its API is then reached through the socket in its home. */
  readonly inside?: readonly string[]
  /** Opens the identity at the start; PASSPHRASE unless it says otherwise, null for none. */
  readonly passphrase?: string | null
}

/** A home directory, and the daemon that runs on it, if one does. */
export class Daemon extends ApiDaemon {
  readonly name: string
  readonly home: string
  readonly logFile: string
  readonly options: DaemonOptions
  readonly #bed: Testbed
  #child: ChildProcess | undefined
  #port = 0
  #peerId = ''

  constructor(bed: Testbed, name: string, options: DaemonOptions) {
    super()
    this.#bed = bed
    this.name = name
    this.options = options
    this.home = join(bed.root, name)
    this.logFile = join(bed.root, 'logs', `${name}.log`)
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get peerId(): string {
    return this.#peerId
  }

  /** `/ip4/127.0.0.1/tcp/…/p2p/…` of the last start. */
  get address(): string {
    return `/ip4/127.0.0.1/tcp/${this.#port}/p2p/${this.#peerId}`
  }

  /** The loopback port of its API. */
  get apiPort(): number {
    return (JSON.parse(readFileSync(join(this.home, 'api.json'), 'utf8')) as { port: number }).port
  }

  get log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : ''
  }

  /** The flags that a daemon of this home is started with. It keeps its port, as a daemon in the world does. */
  get flags(): readonly string[] {
    const bootstrap = (this.options.bootstrap ?? this.#bed.bootstrap(this)).flatMap((address) => [
      '--bootstrap',
      address,
    ])
    const listen = ['--listen', `/ip4/127.0.0.1/tcp/${this.#port}`]
    return ['--network', this.#bed.network, ...listen, '--api-port', '0', ...bootstrap, ...(this.options.flags ?? [])]
  }

  async start(): Promise<StatusView> {
    if (this.running) throw new Error(`${this.name} runs already`)
    const child = this.#bed.launch(['daemon', ...this.#homeFlag(), ...this.flags], {
      logFile: this.logFile,
      env: this.#environment(),
      inside: this.options.inside,
    })
    this.#child = child
    const status = await until(
      `${this.name} starts`,
      async () => {
        if (!this.running)
          throw new Fatal(`${this.name} ended with ${child.exitCode ?? child.signalCode}: ${tail(this.log)}`)
        return this.status()
      },
      START_MS,
    )
    const tcp = status.addresses.map((address) => /\/ip4\/127\.0\.0\.1\/tcp\/(\d+)/.exec(address)?.[1]).find(Boolean)
    this.#port = Number(tcp ?? this.#port)
    this.#peerId = status.peerId
    return status
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async stop(): Promise<number | null> {
    return this.#end('SIGTERM')
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child
    if (child === undefined || !this.running) return child?.exitCode ?? null
    child.kill(signal)
    if (await exitsWithin(child, STOP_MS)) return child.exitCode
    child.kill('SIGKILL')
    await exitsWithin(child, STOP_MS)
    throw new Error(`${this.name} did not end within ${STOP_MS} ms of ${signal}: ${tail(this.log)}`)
  }

  /** A client verb: `sotto VERB … --home HOME --json`. */
  async cli(
    verb: readonly string[],
    input: { stdin?: string; env?: NodeJS.ProcessEnv; json?: boolean } = {},
  ): Promise<Outcome> {
    const flags = [...this.#homeFlag(), ...(input.json === false ? [] : ['--json'])]
    const env = { ...this.#environment(), ...input.env }
    return this.#bed.run([...verb, ...flags], {
      env,
      ...(input.stdin === undefined ? {} : { stdin: input.stdin }),
    })
  }

  /** A client verb that has to succeed, and what it printed as JSON. */
  async verb<T = unknown>(...verb: readonly string[]): Promise<T> {
    const outcome = await this.cli(verb)
    if (outcome.code !== 0) throw new Error(`sotto ${verb[0] ?? ''} exited ${outcome.code}: ${outcome.stderr.trim()}`)
    return JSON.parse(outcome.stdout) as T
  }

  async api<T>(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<T> {
    const call = this.options.inside === undefined ? callApi : callSocket
    return call<T>(this.home, method, path, body, headers)
  }

  /** As Linux tells it. */
  get memoryBytes(): number {
    const file = `/proc/${this.pid ?? 0}/status`
    if (!this.running || !existsSync(file)) return 0
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(file, 'utf8'))?.[1] ?? 0) * 1_024
  }

  async freeze(): Promise<void> {
    this.#child?.kill('SIGSTOP')
  }

  async thaw(): Promise<void> {
    this.#child?.kill('SIGCONT')
  }

  async readLog(): Promise<string> {
    return this.log
  }

  #homeFlag(): readonly string[] {
    return ['--home', this.home]
  }

  #environment(): NodeJS.ProcessEnv {
    const { passphrase = PASSPHRASE } = this.options
    return passphrase === null ? {} : { SOTTO_PASSPHRASE: passphrase }
  }
}

function tail(log: string): string {
  return log.trimEnd().split('\n').slice(-5).join('\n')
}

/** Whether the child has exited by then. Leaves no timer behind: it would keep the caller's process up. */
async function exitsWithin(child: ChildProcess, ms: number): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null) return true
  return new Promise((resolve) => {
    const onExit = (): void => {
      clearTimeout(timer)
      resolve(true)
    }
    const timer = setTimeout(() => {
      child.removeListener('exit', onExit)
      resolve(false)
    }, ms)
    child.once('exit', onExit)
  })
}

/** A temporary directory with the homes of any number of daemons, and the processes on them. */
export class Testbed {
  readonly root: string
  readonly daemons: Daemon[] = []
  /** Profile of every daemon: `local`, or the path of a profile file. */
  network = 'local'
  /** The program of every daemon and verb. */
  main = MAIN
  readonly #reaper: Reaper
  readonly #keep: boolean
  readonly #onExit = (): void => {
    this.#reaper.killNow()
    if (!this.#keep) rmSync(this.root, { recursive: true, force: true })
  }

  /** @param keep leaves the homes and logs behind, for a look at them. */
  constructor(keep = process.env['SOTTO_TEST_KEEP'] === '1') {
    this.root = mkdtempSync(join(tmpdir(), 'sotto-'))
    mkdirSync(join(this.root, 'logs'))
    this.#keep = keep
    this.#reaper = new Reaper(this.root)
    if (keep) this.#reaper.keepDirectory()
    process.once('exit', this.#onExit)
  }

  /** A home that is not started yet. */
  daemon(name: string, options: DaemonOptions = {}): Daemon {
    const daemon = new Daemon(this, name, options)
    mkdirSync(daemon.home, { mode: 0o700 })
    this.daemons.push(daemon)
    return daemon
  }

  /** The first daemon is everybody's bootstrap, unless a daemon's own options say otherwise. */
  bootstrap(daemon: Daemon): readonly string[] {
    const [first] = this.daemons
    return first === undefined || first === daemon || first.peerId === '' ? [] : [first.address]
  }

  /** Runs `sotto` with the arguments to its end. */
  async run(
    args: readonly string[],
    input: { env?: NodeJS.ProcessEnv; stdin?: string; timeoutMs?: number } = {},
  ): Promise<Outcome> {
    const child = spawn(process.execPath, [this.main, ...args], {
      env: environment(input.env),
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#reaper.watch(child)
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.stdin.on('error', () => {})
    child.stdin.end(input.stdin ?? '')
    const timer = setTimeout(() => child.kill('SIGKILL'), input.timeoutMs ?? CLI_MS)
    await new Promise<void>((resolve) => {
      child.once('close', () => {
        resolve()
      })
    })
    clearTimeout(timer)
    const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString('utf8')
    return { code: child.exitCode, signal: child.signalCode, stdout: text(out), stderr: text(err) }
  }

  /** Starts `sotto` with the arguments; what it prints goes to the end of a file. */
  launch(
    args: readonly string[],
    { logFile, env, inside = [] }: { logFile: string; env?: NodeJS.ProcessEnv; inside?: readonly string[] | undefined },
  ): ChildProcess {
    const log = openSync(logFile, 'a', 0o600)
    try {
      const [command = '', ...rest] = [...inside, process.execPath, this.main, ...args]
      const child = spawn(command, rest, { env: environment(env), stdio: ['ignore', log, log] })
      this.#reaper.watch(child)
      return child
    } finally {
      closeSync(log)
    }
  }

  /** A file in the testbed, 0600: passphrases, profiles. */
  file(name: string, text: string): string {
    const path = join(this.root, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }

  /** Ends every process, and removes every home. What a test may call twice. */
  async close(): Promise<void> {
    process.removeListener('exit', this.#onExit)
    await this.#reaper.close()
  }

  /** Ends every daemon in good order, side by side; throws for those that had to be killed. */
  async stopAll(): Promise<void> {
    const results = await Promise.allSettled(
      this.daemons.filter((daemon) => daemon.running).map((daemon) => daemon.stop()),
    )
    const failures = results.filter((result) => result.status === 'rejected').map((result) => result.reason as Error)
    if (failures.length > 0) throw new AggregateError(failures, failures.map(({ message }) => message).join('; '))
  }
}

/** Nothing of the caller's own homes and settings reaches a test. */
function environment(own: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('SOTTO_') && !name.startsWith('XDG_'),
  )
  return { ...Object.fromEntries(inherited), ...own }
}

/** Starts daemons side by side, so many at a time: each wants a core for a second. */
export async function startAll(daemons: readonly ApiDaemon[], atOnce = 3): Promise<void> {
  const waiting = [...daemons]
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next.start()
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

/**
 * One asks, the other accepts; resolves when both know. Gives the request as the other saw it.
 * @param by `invite`: with a link whose token spares the asker the stamp; `account`: as a stranger who has only the id.
 */
export async function befriend(
  asker: ApiDaemon,
  asked: ApiDaemon,
  by: 'invite' | 'account' = 'invite',
): Promise<ContactView> {
  const [from, to] = [await asker.accountId(), await asked.accountId()]
  const target = by === 'account' ? to : (await asked.api<{ link: string }>('GET', '/invite?token=true')).link
  await until(`${asker.name} finds ${asked.name}`, async () => asks(asker, target, asked.name), asker.patienceMs)
  const request = await until(
    `${asked.name} is asked`,
    async () => {
      const contact = await asked.contact(from)
      return contact.state === 'incoming' ? contact : undefined
    },
    Math.max(STRANGER_MS, asked.patienceMs),
  )
  await asked.api('POST', `/contacts/${from}/accept`, { name: asker.name })
  const accepted = async (): Promise<boolean> => (await asker.contact(to)).state === 'accepted'
  await until(`${asker.name} is accepted`, accepted, asker.patienceMs)
  return request
}

/** False where the cards are not found yet: in a network of a minute not everybody knows who has them. */
async function asks(asker: ApiDaemon, target: string, name: string): Promise<boolean> {
  try {
    await asker.api('POST', '/contacts', { target, name, note: `${asker.name} here` })
    return true
  } catch (error) {
    if (error instanceof ApiFault && error.status === 404) return false
    throw new Fatal(`${asker.name} asks ${name}`, { cause: error })
  }
}

/** A bootstrap that holds, more holders, and people with accounts. All of them know one another when it resolves. */
export async function startNetwork(
  bed: Testbed,
  holders: number,
  people: readonly string[],
  peopleFlags: readonly string[] = [],
): Promise<readonly Daemon[]> {
  const first = bed.daemon('bootstrap', { passphrase: null })
  await first.start()
  const more = Array.from({ length: holders - 1 }, (_, i) => bed.daemon(`holder${i + 1}`, { passphrase: null }))
  const persons = people.map((name) => bed.daemon(name, { flags: peopleFlags }))
  await startAll([...more, ...persons])
  await knowEnough(bed, Math.min(5, bed.daemons.length - 1))
  await Promise.all(persons.map((person) => person.createIdentity()))
  return persons
}

/** Resolves when every running daemon has so many peers. One after another: eleven that are asked at once have other work. */
export async function knowEnough(bed: { readonly daemons: readonly ApiDaemon[] }, peersMin: number): Promise<void> {
  for (const daemon of bed.daemons.filter(({ running }) => running)) {
    const enough = async (): Promise<boolean> => (await daemon.status()).peers >= peersMin
    await until(`${daemon.name} knows enough peers`, enough, daemon.patienceMs)
  }
}
