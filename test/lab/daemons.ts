/** Real daemons inside the lab: each with a home of its own that stays while the machine under it changes places. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '../../src/api/client.ts'
import type { ApiClient } from '../../src/api/client.ts'
import { WRITE_QUORUM } from '../../src/protocol/replicas.ts'
import { PASSPHRASE, pause, until } from '../support/daemons.ts'
import { Reaper } from '../support/reaper.ts'
import { publicAddress } from './rules.ts'
import type { PublicHost, SiteHost } from './rules.ts'
import { PUBLIC_HOSTS } from './world.ts'
import type { World } from './world.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')
export const PUBLIC_PORT = 4_001
const START_MS = 60_000
const READY_MS = 45_000
const STOP_MS = 10_000
const LOUD = 1_000_000

/** Like `main`, but young: what takes an hour there would take the lab an hour. */
const PROFILE = {
  name: 'lab',
  holderUptimeMs: 0,
  puzzleBits: 0,
  stampBits: 1,
  collectIntervalMs: 15_000,
  repairIntervalMs: 300_000,
  privateAddresses: false,
  inboundPerSecond: 1_000,
}
const CONFIG = {
  api: { limits: { readsPerMinute: LOUD, writesPerMinute: LOUD, messagesPerMinute: LOUD, publishesPerMinute: LOUD } },
}

/** What each public host is to the others; all of them keep mail, so that there are enough. */
const ROLES: Readonly<Record<PublicHost, string>> = {
  boot: 'bootstrap',
  relay1: 'relay',
  relay2: 'relay',
  pub1: 'peer',
  pub2: 'peer',
  pub3: 'peer',
}

export interface Start {
  readonly host: PublicHost | SiteHost
  readonly flags: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

export class LabDaemon {
  readonly name: string
  readonly home: string
  readonly #bed: LabBed
  readonly #logFile: string
  #child: ChildProcess | undefined
  #client: ApiClient | undefined

  constructor(bed: LabBed, name: string) {
    this.#bed = bed
    this.name = name
    this.home = join(bed.root, name)
    this.#logFile = join(bed.root, `${name}.log`)
    mkdirSync(this.home, { mode: 0o700 })
    writeFileSync(join(this.home, 'config.json'), JSON.stringify(CONFIG), { mode: 0o600 })
  }

  /** Its API; throws where it does not run. */
  get api(): ApiClient {
    if (this.#client === undefined) throw new Error(`${this.name} does not run`)
    return this.#client
  }

  async start({ host, flags, environment = {} }: Start): Promise<void> {
    const args = ['daemon', '--home', this.home, '--network', this.#bed.network, '--api-port', '0', ...flags]
    const child = this.#bed.launch(host, [MAIN, ...args], { logFile: this.#logFile, environment })
    this.#child = child
    this.#client = await this.#unlessItEnds(
      until(
        `${this.name} starts`,
        async () => {
          const client = await connect(this.home)
          await client.status()
          return client
        },
        START_MS,
      ),
    )
  }

  /** The keys are open, and so many peers are connected. */
  async ready(peersMin = 1): Promise<void> {
    await this.#unlessItEnds(
      until(
        `${this.name} has joined`,
        async () => {
          const { state, peers } = await this.api.status()
          return (state === 'ready' || state === 'empty') && peers >= peersMin
        },
        READY_MS,
      ),
    )
  }

  /** Ends it in good order, or at once where that takes too long. */
  async stop(): Promise<void> {
    const child = this.#child
    this.#client?.close()
    this.#client = undefined
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await gone
    clearTimeout(timer)
  }

  async #unlessItEnds<T>(work: Promise<T>): Promise<T> {
    const child = this.#child
    if (child === undefined) throw new Error(`${this.name} does not run`)
    const waiting = new AbortController()
    const ends = once(child, 'exit', { signal: waiting.signal }).then(() => {
      throw new Error(`${this.name} ended by itself: ${this.#tail()}`)
    })
    try {
      return await Promise.race([work, ends])
    } finally {
      waiting.abort()
      ends.catch(() => {})
      work.catch(() => {})
    }
  }

  #tail(): string {
    return readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-5).join('\n')
  }
}

/** Homes, logs, and the processes on them; none is left behind. */
export class LabBed {
  readonly root = mkdtempSync(join(tmpdir(), 'sotto-lab-'))
  readonly network = join(this.root, 'lab.json')
  readonly #world: World
  readonly #reaper = new Reaper(this.root)

  /** @param keep leaves homes and logs behind. */
  constructor(world: World, keep: boolean) {
    this.#world = world
    if (keep) this.#reaper.keepDirectory()
    writeFileSync(this.network, JSON.stringify(PROFILE), { mode: 0o600 })
  }

  /** Runs a script of ours with node inside a host. */
  launch(
    host: PublicHost | SiteHost,
    args: readonly string[],
    { logFile, environment }: { logFile: string; environment: Readonly<Record<string, string>> },
  ): ChildProcess {
    const [command, ...inside] = this.#world.inside(host)
    const log = openSync(logFile, 'a', 0o600)
    const inherited = Object.entries(process.env).filter(([name]) => !/^(SOTTO|XDG)_/.test(name))
    const env = { ...Object.fromEntries(inherited), SOTTO_PASSPHRASE: PASSPHRASE, ...environment }
    try {
      const child = spawn(command, [...inside, process.execPath, ...args], { env, stdio: ['pipe', log, log] })
      this.watch(child)
      return child
    } finally {
      closeSync(log)
    }
  }

  /** Takes charge of a process. */
  watch(child: ChildProcess): void {
    this.#reaper.watch(child)
  }

  async close(): Promise<void> {
    await this.#reaper.close()
  }
}

/** The public part of the lab's internet, and the addresses to join it by. */
export async function startPublic(bed: LabBed): Promise<readonly string[]> {
  const bootstrap: string[] = []
  for (const host of PUBLIC_HOSTS) {
    const daemon = new LabDaemon(bed, host)
    const { ip4, ip6 } = publicAddress(host)
    const announced = [`/ip4/${ip4}/tcp/${PUBLIC_PORT}`, `/ip6/${ip6}/tcp/${PUBLIC_PORT}`]
    const listen = [`/ip4/0.0.0.0/tcp/${PUBLIC_PORT}`, `/ip6/::/tcp/${PUBLIC_PORT}`]
    const flags = [...listenFlags(listen), ...repeated('--announce', announced), '--role', ROLES[host]]
    const environment = { SOTTO_HOLDER: 'true' }
    await daemon.start({ host, flags: [...flags, ...repeated('--bootstrap', bootstrap)], environment })
    if (bootstrap.length < 6) {
      const { peerId } = await daemon.api.status()
      bootstrap.push(...announced.map((address) => `${address}/p2p/${peerId}`))
    }
    if (host !== 'boot') await daemon.ready()
  }
  return bootstrap
}

export const listenFlags = (addresses: readonly string[]): readonly string[] => repeated('--listen', addresses)
export const repeated = (flag: string, values: readonly string[]): readonly string[] =>
  values.flatMap((value) => [flag, value])

/** Two accounts that are contacts by an invite. Both daemons run. Gives their ids. */
export async function befriend(a: LabDaemon, b: LabDaemon): Promise<readonly [string, string]> {
  const ids: string[] = []
  for (const { name, api } of [a, b]) {
    ids.push((await api.createIdentity({ passphrase: PASSPHRASE })).identity.accountId)
    await until(`${name} is published`, async () => (await api.publishIdentity()).receipts >= WRITE_QUORUM, READY_MS)
  }
  const [idA = '', idB = ''] = ids
  const { link } = await b.api.invite({ token: true })
  await a.api.addContact({ target: link, name: 'b' })
  await until('the request arrives', async () => (await b.api.contact(idA)).state === 'incoming', READY_MS)
  await b.api.acceptContact(idA, { name: 'a' })
  await until('the answer arrives', async () => (await a.api.contact(idB)).state === 'accepted', READY_MS)
  await pause(500)
  return [idA, idB]
}
