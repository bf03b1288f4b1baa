/**
 * Time and disks of a world in one process. Time stands still while anything works (disk, thread pool) and then jumps to
 * the next timer: thirty days pass in a moment, and nothing runs out merely because the machine is busy. Disks are real
 * LevelDB; a disk can refuse writes, or stop in the middle as the power does, with what was not synced lost.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { toHex } from '../../src/lib/bytes.ts'
import type { Clock } from '../../src/lib/clock.ts'
import type { CryptoProvider } from '../../src/crypto/provider.ts'
import { Database } from '../../src/store/database.ts'

interface Timer {
  readonly at: number
  readonly order: number
  readonly action: () => void
}

/** Turns of the event loop without work under way that count as standing still. */
const QUIET_TURNS = 3

export class SimClock implements Clock {
  #now: number
  #order = 0
  #busy = 0
  #wake: (() => void)[] = []
  readonly #timers = new Set<Timer>()

  constructor(now = 1_800_000_000_000) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  after(delayMs: number, action: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delayMs), order: this.#order++, action }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  get timers(): number {
    return this.#timers.size
  }

  /** Counts real work as being under way until it settles. */
  async busyWith<T>(work: () => Promise<T>): Promise<T> {
    this.#busy++
    try {
      return await work()
    } finally {
      this.#busy--
      if (this.#busy === 0) for (const wake of this.#wake.splice(0)) wake()
    }
  }

  /** Resolves once nothing works: whatever goes on waits for time to pass. */
  async quiet(): Promise<void> {
    for (let turns = 0; turns < QUIET_TURNS; turns++) {
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
      if (this.#busy === 0) continue
      turns = -1
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve)
      })
    }
  }

  /** Lets `ms` pass. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms
    await this.quiet()
    while (await this.#step(end));
    this.#now = end
    await this.quiet()
  }

  /** The machine sleeps for `ms`: what was due meanwhile happens once, now. */
  async sleep(ms: number): Promise<void> {
    await this.quiet()
    this.#now += ms
    await this.pass(1_000)
  }

  /** Lets time pass until `done` says so, at most `limitMs`; false where it never did. */
  async until(done: () => boolean | Promise<boolean>, limitMs = 3 * 60_000): Promise<boolean> {
    const end = this.#now + limitMs
    await this.quiet()
    while (!(await done())) if (!(await this.#step(end))) return done()
    return true
  }

  /** Time passes until the work is done; its answer, or what it throws. */
  async during<T>(work: Promise<T>, limitMs = 15 * 60_000): Promise<T> {
    let settled = false
    const noted = work.finally(() => {
      settled = true
    })
    noted.catch(() => {})
    if (!(await this.until(() => settled, limitMs))) throw new Error('it does not end')
    return noted
  }

  async #step(end: number): Promise<boolean> {
    let due: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.at > end) continue
      if (due === undefined || timer.at < due.at || (timer.at === due.at && timer.order < due.order)) due = timer
    }
    if (due === undefined) return false
    this.#timers.delete(due)
    this.#now = Math.max(this.#now, due.at)
    due.action()
    await this.quiet()
    return true
  }
}

/** Signatures that were checked, with what came of it: every holder checks the same ones. */
const checked = new Map<string, boolean>()
const CHECKED_MAX = 20_000

/**
 * The primitives of a world: the real ones, their work off the event loop counted, Argon2id at its least, and the same
 * signature checked once.
 */
export function simCrypto(clock: SimClock, real: CryptoProvider): CryptoProvider {
  return {
    ...real,
    dsaVerify(...args) {
      const [set, publicKey, message, signature, context] = args
      const name = toHex(real.sha256(Uint8Array.of(set / 4), publicKey, real.sha256(message), signature, context))
      const known = checked.get(name) ?? real.dsaVerify(...args)
      if (checked.size < CHECKED_MAX) checked.set(name, known)
      return known
    },
    pbkdf2Sha512: async (...args) => clock.busyWith(async () => real.pbkdf2Sha512(...args)),
    dsaSign: async (...args) => clock.busyWith(async () => real.dsaSign(...args)),
    argon2id: async (password, salt, cost) =>
      clock.busyWith(async () => real.argon2id(password, salt, { ...cost, memoryKiB: 8, passes: 1 })),
  }
}

const never = async (): Promise<never> =>
  new Promise<never>(() => {
    // Its process is gone.
  })

/** One LevelDB directory, and what can happen to it. Made anew for each time it is opened. */
export class Disk {
  readonly path: string
  readonly #clock: SimClock
  readonly #level: Level<Uint8Array, Uint8Array>
  readonly #gone = Promise.withResolvers<void>()
  /** Every write is refused, as a full disk does. */
  full = false
  /** Runs before each write; what it says is what happens to it. */
  onWrite: ((count: number) => 'write' | 'lose' | 'last') | undefined
  writes = 0
  dead = false
  readonly database: Database

  private constructor(clock: SimClock, path: string, level: Level<Uint8Array, Uint8Array>, database: Database) {
    this.#clock = clock
    this.path = path
    this.#level = level
    this.database = database
    this.#intercept()
  }

  static async open(clock: SimClock, path: string): Promise<Disk> {
    const { database, level } = await clock.busyWith(async () => opened(path))
    return new Disk(clock, path, level, database)
  }

  /** The process ends here: nothing of what it still does reaches the disk, and nothing is told to it. */
  die(): void {
    this.dead = true
    this.#gone.resolve()
  }

  /** Releases the directory of a process that died. */
  async release(): Promise<void> {
    this.die()
    await this.#level.close()
  }

  async #work<T>(work: () => Promise<T>): Promise<T> {
    if (this.dead) return never()
    const result = await this.#clock.busyWith(async () => Promise.race([work(), this.#gone.promise]))
    return this.dead ? never() : (result as T)
  }

  #intercept(): void {
    const { database } = this
    const real = {
      getMany: database.getMany.bind(database),
      batch: database.batch.bind(database),
      compact: database.compact.bind(database),
      iterate: database.iterate.bind(database),
      keys: database.keys.bind(database),
    }
    database.getMany = async (...args) => this.#work(async () => real.getMany(...args))
    database.batch = async (...args) => this.#work(async () => real.batch(...args))
    database.compact = async (...args) => this.#work(async () => real.compact(...args))
    database.iterate = (...args) => this.#steps(real.iterate(...args))
    database.keys = (...args) => this.#steps(real.keys(...args))
    const level = this.#level
    const write = level.batch.bind(level) as unknown as (...args: unknown[]) => Promise<void>
    const intercepted = async (...args: unknown[]): Promise<void> => {
      if (this.dead) return never()
      const fate = this.full ? 'refuse' : (this.onWrite?.(++this.writes) ?? 'write')
      if (fate === 'refuse') {
        await new Promise<void>((resolve) => {
          setImmediate(resolve)
        })
        throw Object.assign(new Error('no space'), { code: 'LEVEL_IO_ERROR' })
      }
      if (fate === 'lose') this.die()
      if (this.dead) return never()
      await write(...args)
      if (fate === 'last') this.die()
      if (this.dead) return never()
    }
    ;(level as unknown as { batch: unknown }).batch = intercepted
  }

  async *#steps<T>(walk: AsyncGenerator<T>): AsyncGenerator<T> {
    try {
      for (;;) {
        const next = await this.#work(async () => walk.next())
        if (next.done === true) return
        yield next.value
      }
    } finally {
      if (!this.dead) await walk.return(undefined)
    }
  }
}

/** Opens a database and catches the LevelDB under it, which it keeps to itself. */
async function opened(path: string): Promise<{ database: Database; level: Level<Uint8Array, Uint8Array> }> {
  const own = Object.getOwnPropertyDescriptor(Level.prototype, 'open')
  const caught: Level<Uint8Array, Uint8Array>[] = []
  const { open } = Object.getPrototypeOf(Level.prototype) as { open: (...args: unknown[]) => Promise<void> }
  const noting = async function (this: Level<Uint8Array, Uint8Array>, ...args: unknown[]): Promise<void> {
    if ((this as unknown as { location: string }).location === path) caught.push(this)
    await open.apply(this, args)
  }
  Object.defineProperty(Level.prototype, 'open', { configurable: true, writable: true, value: noting })
  try {
    const database = await Database.open(path)
    const [level] = caught
    if (level === undefined) throw new Error('no LevelDB was opened')
    return { database, level }
  } finally {
    if (own === undefined) Reflect.deleteProperty(Level.prototype, 'open')
    else Object.defineProperty(Level.prototype, 'open', own)
  }
}

/** A directory in memory where the machine has one: syncing costs nothing there. */
export function temporaryDirectory(): { readonly path: string; remove(): void } {
  const at = (() => {
    try {
      return mkdtempSync('/dev/shm/sotto-')
    } catch {
      return mkdtempSync(join(tmpdir(), 'sotto-'))
    }
  })()
  return {
    path: at,
    remove: () => {
      rmSync(at, { recursive: true, force: true })
    },
  }
}
