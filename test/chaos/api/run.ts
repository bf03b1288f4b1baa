/**
 * A daemon that makes events, a reader of them, and both killed at random: none lost, none doubled. One change of the profile is one
 * event, with a number of its own in it, so what the daemon answered for can be held against what the reader has.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pause, until } from '../../support/daemons.ts'
import type { Daemon, Testbed } from '../../support/daemons.ts'
import { ApiFault } from '../../support/local-api.ts'
import { Dice } from '../dice.ts'

const CONSUMER = join(import.meta.dirname, 'consumer.ts')
const WAYS = ['websocket', 'sse', 'poll'] as const
const WRITERS = 4
const NO_LIMIT = 1_000_000

export interface ApiChaosOptions {
  readonly events: number
  readonly seed: number
  /** Events between two kills, on average. */
  readonly daemonKillEvery: number
  readonly readerKillEvery: number
  readonly say: (line: string) => void
}

export interface ApiChaosResult {
  readonly events: number
  /** Writes that the daemon answered for. */
  readonly answered: number
  /** Writes without an answer, since the daemon was killed or away; each happened wholly or not at all. */
  readonly unanswered: number
  readonly daemonKills: number
  readonly readerKills: number
  readonly lost: number
  readonly doubled: number
  /** Breaches that the reader saw: acknowledged events again, holes, gaps. */
  readonly breaches: readonly string[]
  readonly seconds: number
  readonly seed: number
}

export class ApiChaos {
  readonly #bed: Testbed
  readonly #options: ApiChaosOptions
  readonly #dice: Dice
  readonly #daemon: Daemon
  readonly #file: string
  readonly #answered = new Set<number>()
  #reader: ChildProcess | undefined
  #attempts = 0
  #daemonKills = 0
  #readerKills = 0
  #done = false

  constructor(bed: Testbed, options: ApiChaosOptions) {
    this.#bed = bed
    this.#options = options
    this.#dice = new Dice(options.seed)
    this.#daemon = bed.daemon('chaos', { bootstrap: [] })
    this.#file = join(bed.root, 'applied')
    const limits = { readsPerMinute: NO_LIMIT, writesPerMinute: NO_LIMIT }
    writeFileSync(join(this.#daemon.home, 'config.json'), JSON.stringify({ version: 1, api: { limits } }), {
      mode: 0o600,
    })
  }

  async run(): Promise<ApiChaosResult> {
    const beganMs = performance.now()
    const { say } = this.#options
    await this.#daemon.start()
    await this.#daemon.api('POST', '/identity', { passphrase: 'correct horse battery staple' })
    this.#startReader()
    const killers = [this.#killDaemon(), this.#killReader()]
    await Promise.all(Array.from({ length: WRITERS }, async () => this.#write()))
    this.#done = true
    await Promise.all(killers)
    say(
      `${this.#answered.size} writes answered, ${this.#daemonKills} and ${this.#readerKills} kills; the reader catches up`,
    )
    const last = (await this.#page(0)).last
    await until('the reader has read all', async () => (await this.#acknowledged()) >= last, 120_000)
    this.#reader?.kill('SIGKILL')
    return { ...(await this.#compare(last)), events: last, seconds: seconds(beganMs), ...this.#counts() }
  }

  #counts() {
    return {
      answered: this.#answered.size,
      unanswered: this.#attempts - this.#answered.size,
      daemonKills: this.#daemonKills,
      readerKills: this.#readerKills,
      seed: this.#options.seed,
    }
  }

  /** Changes the profile until there are events enough; a daemon that is away is waited for. */
  async #write(): Promise<void> {
    while (this.#answered.size < this.#options.events) {
      const name = `name ${this.#attempts++}`
      try {
        const { number } = await this.#daemon.api<{ number: number }>('PATCH', '/profile', { name })
        this.#answered.add(number)
      } catch (error) {
        if (error instanceof ApiFault && error.status < 500 && error.status !== 423) throw error
        await pause(100)
      }
    }
  }

  async #killDaemon(): Promise<void> {
    for (;;) {
      if (!(await this.#waited(this.#options.daemonKillEvery))) return
      await this.#daemon.kill()
      this.#daemonKills++
      await this.#daemon.start()
    }
  }

  async #killReader(): Promise<void> {
    for (;;) {
      if (!(await this.#waited(this.#options.readerKillEvery))) return
      this.#reader?.kill('SIGKILL')
      this.#readerKills++
      this.#startReader()
    }
  }

  /** False where it is over meanwhile. */
  async #waited(meanEvents: number): Promise<boolean> {
    const end = this.#answered.size + 1 + this.#dice.wait(meanEvents)
    while (this.#answered.size < end && !this.#done) await pause(5)
    // Not at the moment of an answer, but anywhere between two.
    await pause(this.#dice.below(50))
    return !this.#done
  }

  #startReader(): void {
    const way = WAYS[this.#readerKills % WAYS.length] ?? 'poll'
    const log = this.#bed.file('reader.log', '')
    const child = spawn(process.execPath, [CONSUMER, this.#daemon.home, this.#file, way], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child.stderr.on('data', (chunk: Buffer) => {
      writeFileSync(log, chunk, { flag: 'a' })
    })
    this.#reader = child
  }

  async #acknowledged(): Promise<number> {
    if (this.#reader?.exitCode !== null && this.#reader !== undefined)
      throw new Error(`the reader ended: ${this.#readerLog()}`)
    const { items } = await this.#daemon.api<{ items: { acknowledged: number }[] }>('GET', '/events/consumers')
    return items[0]?.acknowledged ?? 0
  }

  #readerLog(): string {
    return readFileSync(join(this.#bed.root, 'reader.log'), 'utf8').slice(-2_000)
  }

  async #page(since: number) {
    type Page = { events: { number: number; type: string; data: unknown }[]; last: number }
    return this.#daemon.api<Page>('GET', `/events?since=${since}&limit=1000`)
  }

  /** The reader's lines against the log, and the log against what was answered for. */
  async #compare(last: number): Promise<Pick<ApiChaosResult, 'lost' | 'doubled' | 'breaches'>> {
    const lines = existsSync(this.#file) ? readFileSync(this.#file, 'utf8').trimEnd().split('\n') : []
    const breaches = lines.filter((line) => !/^\d/.test(line))
    const applied = lines.filter((line) => /^\d/.test(line))
    const once = new Set(applied)
    const inLog = new Set<number>()
    let lost = 0
    for (let since = 0; since < last;) {
      const { events } = await this.#page(since)
      for (const { number, type, data } of events) {
        if (!once.has(`${number} ${type} ${JSON.stringify(data)}`)) lost++
        if (type === 'profile:changed') inLog.add((data as { number: number }).number)
      }
      since = events.at(-1)?.number ?? last
    }
    const unkept = [...this.#answered].filter((number) => !inLog.has(number)).length
    const numbers = new Set(applied.map((line) => line.split(' ', 1)[0]))
    return { lost: lost + unkept, doubled: applied.length - numbers.size, breaches }
  }
}

function seconds(sinceMs: number): number {
  return Math.round((performance.now() - sinceMs) / 100) / 10
}
