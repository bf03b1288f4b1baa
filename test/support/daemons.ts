/** Real daemons for tests and the demo: processes of their own, homes of their own, on loopback, and no one left behind. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {
  ContactView,
  IdentityView,
  KeyView,
  MessageView,
  Page,
  PeerView,
  StatusView,
  WhyView,
} from '../../src/api/application.ts'
import { WRITE_QUORUM } from '../../src/protocol/replicas.ts'
import { callApi } from './local-api.ts'
import { Reaper } from './reaper.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')
export const PASSPHRASE = 'correct horse battery staple'
const START_MS = 60_000
/** A holder hands over what too few others have before it goes. */
const STOP_MS = 60_000
const CLI_MS = 60_000
const POLL_MS = 50
/** A stranger's stamp may take a busy machine this long. */
const STRANGER_MS = 60_000

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

/** Asks again until there is an answer. Throws with what was last seen when the time is over. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  timeoutMs = 30_000,
): Promise<T> {
  const end = Date.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== false) return answer
      last = answer
    } catch (error) {
      if (error instanceof Fatal) throw error
      last = error
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: last })
    await pause(POLL_MS)
  }
}

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
  /** Opens the identity at the start; PASSPHRASE unless it says otherwise, null for none. */
  readonly passphrase?: string | null
}

/** A home directory, and the daemon that runs on it, if one does. */
export class Daemon {
  readonly name: string
  readonly home: string
  readonly logFile: string
  readonly options: DaemonOptions
  readonly #bed: Testbed
  #child: ChildProcess | undefined
  #port = 0
  #peerId = ''

  constructor(bed: Testbed, name: string, options: DaemonOptions) {
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

  /** Known once it has started; the same after every restart. */
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

  /** Starts the process and waits until its API answers. */
  async start(): Promise<StatusView> {
    if (this.running) throw new Error(`${this.name} runs already`)
    const child = this.#bed.launch(['daemon', ...this.#homeFlag(), ...this.flags], {
      logFile: this.logFile,
      env: this.#environment(),
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

  /** SIGKILL: no good-bye, nothing flushed. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** SIGTERM, and the exit that follows. Throws where it does not end by itself. */
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
    return callApi<T>(this.home, method, path, body, headers)
  }

  async status(): Promise<StatusView> {
    return this.api('GET', '/status')
  }

  /** Makes the account of this home and waits until others can find it: until `holders` have signed for its cards. */
  async createIdentity(holders = WRITE_QUORUM): Promise<IdentityView> {
    const made = await this.api<{ identity: IdentityView }>('POST', '/identity', { passphrase: PASSPHRASE })
    await this.ready()
    await until(`${this.name} is published`, async () => {
      return (await this.api<{ receipts: number }>('POST', '/identity/publish')).receipts >= holders
    })
    return made.identity
  }

  /** The keys are open and the network is there. */
  async ready(timeoutMs = 30_000): Promise<StatusView> {
    return until(
      `${this.name} is ready`,
      async () => {
        const status = await this.status()
        return status.state === 'ready' && status.peers > 0 ? status : undefined
      },
      timeoutMs,
    )
  }

  async accountId(): Promise<string> {
    return (await this.api<IdentityView>('GET', '/identity')).accountId
  }

  async lookup(accountId: string): Promise<KeyView> {
    return this.api('GET', `/keys/${accountId}`)
  }

  async peers(): Promise<readonly PeerView[]> {
    return (await this.api<{ items: readonly PeerView[] }>('GET', '/peers')).items
  }

  async contact(accountId: string): Promise<ContactView> {
    return this.api('GET', `/contacts/${accountId}`)
  }

  async send(to: string, text: string): Promise<MessageView> {
    return this.api('POST', '/messages', { to, text })
  }

  async message(id: string): Promise<MessageView> {
    return this.api('GET', `/messages/${id}`)
  }

  async why(id: string): Promise<WhyView> {
    return this.api('GET', `/messages/${id}/why`)
  }

  /** All of a conversation, oldest first. */
  async messages(accountId: string): Promise<readonly MessageView[]> {
    const all: MessageView[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const query: string = cursor === '' ? '?limit=200' : `?limit=200&cursor=${encodeURIComponent(cursor)}`
      const page: Page<MessageView> = await this.api('GET', `/conversations/${accountId}/messages${query}`)
      all.push(...page.items)
      cursor = page.next
    }
    return all.reverse()
  }

  /** The incoming message with that text. */
  async receives(accountId: string, text: string, timeoutMs = 30_000): Promise<MessageView> {
    return until(
      `${this.name} receives a message`,
      async () => (await this.messages(accountId)).find((message) => !message.outgoing && message.text === text),
      timeoutMs,
    )
  }

  /** Waits until the message has come so far (`read` counts as `delivered`). */
  async reaches(id: string, status: 'stored' | 'delivered' | 'read', timeoutMs = 30_000): Promise<MessageView> {
    const order = ['queued', 'stored', 'delivered', 'read']
    return until(
      `${this.name}'s message is ${status}`,
      async () => {
        const message = await this.message(id)
        return order.indexOf(message.status) >= order.indexOf(status) ? message : undefined
      },
      timeoutMs,
    )
  }

  #homeFlag(): readonly string[] {
    return ['--home', this.home]
  }

  #environment(): NodeJS.ProcessEnv {
    const { passphrase = PASSPHRASE } = this.options
    return passphrase === null ? {} : { SOTTO_PASSPHRASE: passphrase }
  }
}

/** Not worth asking again. */
class Fatal extends Error {}

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
    const child = spawn(process.execPath, [MAIN, ...args], {
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
  launch(args: readonly string[], { logFile, env }: { logFile: string; env?: NodeJS.ProcessEnv }): ChildProcess {
    const log = openSync(logFile, 'a', 0o600)
    try {
      const child = spawn(process.execPath, [MAIN, ...args], { env: environment(env), stdio: ['ignore', log, log] })
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
export async function startAll(daemons: readonly Daemon[], atOnce = 3): Promise<void> {
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
  asker: Daemon,
  asked: Daemon,
  by: 'invite' | 'account' = 'invite',
): Promise<ContactView> {
  const [from, to] = [await asker.accountId(), await asked.accountId()]
  const target = by === 'account' ? to : (await asked.api<{ link: string }>('GET', '/invite?token=true')).link
  await asker.api('POST', '/contacts', { target, name: asked.name, note: `${asker.name} here` })
  const request = await until(
    `${asked.name} is asked`,
    async () => {
      const contact = await asked.contact(from)
      return contact.state === 'incoming' ? contact : undefined
    },
    STRANGER_MS,
  )
  await asked.api('POST', `/contacts/${from}/accept`, { name: asker.name })
  await until(`${asker.name} is accepted`, async () => (await asker.contact(to)).state === 'accepted')
  return request
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
export async function knowEnough(bed: Testbed, peersMin: number): Promise<void> {
  for (const daemon of bed.daemons.filter(({ running }) => running)) {
    await until(`${daemon.name} knows enough peers`, async () => (await daemon.status()).peers >= peersMin)
  }
}
