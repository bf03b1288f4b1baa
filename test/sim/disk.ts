/**
 * A disk in memory under the product's own `Database`. What was synced outlives a crash; what was not is lost with all that
 * came after it; a write takes virtual time, and the process may end before, between and after. Entries rot on command.
 */
import { NotFoundError } from '../../src/lib/errors.ts'
import type { KeyFiles } from '../../src/store/atomic-file.ts'
import type { Engine, EngineOp, EngineRange, EngineWalk } from '../../src/store/engine.ts'
import type { Dice, Scheduler } from './scheduler.ts'

/** A key as a string of one character a byte: its order is that of the bytes. */
type Name = string

/** What lies on the platter. Values are never changed in place, so copies share them. */
export class Platter {
  readonly values: Map<Name, Uint8Array>
  /** Names in order; `undefined` where it has to be sorted anew. */
  #sorted: Name[]
  readonly files: Map<string, Uint8Array>

  constructor(from?: Platter) {
    this.values = new Map(from?.values)
    this.#sorted = [...(from?.sorted() ?? [])]
    this.files = new Map(from?.files)
  }

  sorted(): readonly Name[] {
    return this.#sorted
  }

  put(name: Name, value: Uint8Array): void {
    if (!this.values.has(name)) this.#sorted.splice(this.from(name), 0, name)
    this.values.set(name, value)
  }

  del(name: Name): void {
    if (this.values.delete(name)) this.#sorted.splice(this.from(name), 1)
  }

  /** Place of the first name that is not below `name`. */
  from(name: Name): number {
    let low = 0
    let high = this.#sorted.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#sorted[middle] as Name) < name) low = middle + 1
      else high = middle
    }
    return low
  }

  wipe(): void {
    this.values.clear()
    this.#sorted = []
  }
}

export interface DiskTimes {
  /** How long a synced write takes, ms. */
  sync(): number
}

/** What happens to a write: it goes well; the process dies before it, or after it was synced and before anybody heard. */
export type Fate = 'well' | 'before' | 'after'

export class Disk {
  readonly platter: Platter
  readonly #scheduler: Scheduler
  readonly #times: DiskTimes
  full = false
  /** Answers before it has synced: the mutation `ack-before-sync`. */
  lies = false
  /** How long a lying disk keeps in its cache what it said it had, ms. */
  laterMs = 30_000
  /** Every write that reached the disk, for whoever looks for canaries. */
  onWritten: ((ops: readonly EngineOp[]) => void) | undefined
  fate: (() => Fate) | undefined
  /** What of a write reaches the platter: for mutations. */
  filter: ((ops: readonly EngineOp[]) => readonly EngineOp[]) | undefined
  /** Ends the process that uses it. */
  onDeath: () => void = () => {}

  constructor(scheduler: Scheduler, times: DiskTimes, platter = new Platter()) {
    this.#scheduler = scheduler
    this.#times = times
    this.platter = platter
  }

  #engine: DiskEngine | undefined

  /** The view of one process, until it dies. */
  engine(process: { readonly dead: boolean }): Engine {
    this.#engine = new DiskEngine(this, process, this.#scheduler, this.#times)
    return this.#engine
  }

  /** Entries go without anybody having asked: for mutations. */
  forget(keys: readonly Uint8Array[]): void {
    for (const key of keys) this.platter.del(nameOf(key))
    this.onWritten?.(keys.map((key) => ({ type: 'del', key })))
  }

  /** The process that used it died without closing it. */
  crashed(): void {
    this.#engine?.lose()
    this.#engine = undefined
  }

  /** One value changes under the hands of everybody: cut short, or a bit of it flipped. */
  rot(dice: Dice, wanted: (name: string) => boolean): boolean {
    const names = this.platter.sorted().filter(wanted)
    if (names.length === 0) return false
    const name = dice.pick(names)
    const value = this.platter.values.get(name)
    if (value === undefined || value.length === 0) return false
    const rotten = dice.chance(0.5) ? value.slice(0, dice.below(value.length)) : value.slice()
    const at = dice.below(rotten.length)
    if (rotten.length === value.length) rotten[at] = (rotten[at] ?? 0) ^ (1 << dice.below(8))
    this.platter.values.set(name, rotten)
    return true
  }

  /** Small files, written in one piece. */
  files(process: { readonly dead: boolean }): KeyFiles {
    return {
      read: async (path) => {
        const found = this.platter.files.get(path)
        if (found === undefined) throw new NotFoundError('the file is not there')
        return found.slice()
      },
      write: async (path, content) => {
        if (!process.dead) this.platter.files.set(path, content.slice())
      },
    }
  }
}

/** What a key held before a write that may still be lost. */
type Before = readonly [Name, Uint8Array | undefined]

/** The view of one process. What it wrote unsynced, and whatever a lying disk did not sync in truth, goes when it dies. */
class DiskEngine implements Engine {
  readonly #disk: Disk
  readonly #process: { readonly dead: boolean }
  readonly #scheduler: Scheduler
  readonly #times: DiskTimes
  #free = 0
  readonly #unsynced: (readonly Before[])[] = []

  constructor(disk: Disk, process: { readonly dead: boolean }, scheduler: Scheduler, times: DiskTimes) {
    this.#disk = disk
    this.#process = process
    this.#scheduler = scheduler
    this.#times = times
  }

  async open(): Promise<void> {}
  async close(): Promise<void> {}
  async compact(): Promise<void> {}

  async probe(): Promise<void> {
    if (this.#disk.full) throw fullError()
  }

  /** The power is gone: what was not synced never was. */
  lose(): void {
    const { platter } = this.#disk
    for (const before of this.#unsynced.splice(0).reverse()) {
      for (const [name, value] of before.toReversed()) {
        if (value === undefined) platter.del(name)
        else platter.put(name, value)
      }
    }
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    if (this.#process.dead) return never()
    this.#scheduler.count(2)
    const { values } = this.#disk.platter
    return keys.map((key) => values.get(nameOf(key)))
  }

  async batch(ops: readonly EngineOp[], options: { readonly sync: boolean }): Promise<void> {
    if (this.#process.dead) return never()
    this.#scheduler.count(3)
    if (this.#disk.full) throw fullError()
    const wanted = this.#disk.filter?.(ops) ?? ops
    const kept = wanted.map((op): EngineOp => (op.type === 'put' ? { ...op, value: op.value.slice() } : op))
    if (this.#disk.lies) this.#lie(kept)
    else await this.#write(kept, options.sync)
    if (this.#process.dead) return never()
  }

  async #write(ops: readonly EngineOp[], sync: boolean): Promise<void> {
    const fate = this.#disk.fate?.() ?? 'well'
    this.#free = Math.max(this.#scheduler.now(), this.#free) + (sync ? this.#times.sync() : 0)
    await new Promise<void>((resolve) => {
      this.#scheduler.at(this.#free, () => {
        if (this.#process.dead) return
        this.#scheduler.count(4)
        if (fate === 'before') return this.#disk.onDeath()
        const before = this.#apply(ops)
        if (sync) this.#unsynced.length = 0
        else this.#unsynced.push(before)
        if (fate === 'after') return this.#disk.onDeath()
        resolve()
      })
    })
  }

  /** Says that it is done, and does it when it pleases. */
  #lie(ops: readonly EngineOp[]): void {
    const before = this.#apply(ops)
    this.#unsynced.push(before)
    this.#scheduler.after(this.#disk.laterMs, () => {
      if (!this.#process.dead) this.#unsynced.splice(0, this.#unsynced.indexOf(before) + 1)
    })
  }

  #apply(ops: readonly EngineOp[]): readonly Before[] {
    const { platter } = this.#disk
    const before: Before[] = []
    for (const op of ops) {
      const name = nameOf(op.key)
      before.push([name, platter.values.get(name)])
      if (op.type === 'put') platter.put(name, op.value)
      else platter.del(name)
    }
    this.#disk.onWritten?.(ops)
    return before
  }

  iterator(range: EngineRange): EngineWalk {
    this.#scheduler.count(2)
    const { platter } = this.#disk
    const names = platter.sorted()
    let low = range.gte === undefined ? 0 : platter.from(nameOf(range.gte))
    let high = range.lt === undefined ? names.length : platter.from(nameOf(range.lt))
    if (range.limit >= 0) {
      if (range.reverse === true) low = Math.max(low, high - range.limit)
      else high = Math.min(high, low + range.limit)
    }
    const found = names.slice(low, high)
    if (range.reverse === true) found.reverse()
    const entries = found.map((name) => [bytesOf(name), range.values ? platter.values.get(name) : undefined] as const)
    let next = 0
    return {
      next: async () => (this.#process.dead ? never() : entries[next++]),
      close: async () => {},
    }
  }
}

function fullError(): Error {
  return Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
}

const never = async (): Promise<never> =>
  new Promise<never>(() => {
    // The process that asked is gone.
  })

export function nameOf(key: Uint8Array): Name {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}

export function bytesOf(name: Name): Uint8Array {
  return new Uint8Array(Buffer.from(name, 'latin1'))
}
