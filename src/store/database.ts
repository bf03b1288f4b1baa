/**
 * A LevelDB (or another {@link Engine}) with atomic batches, group commit and reads that see what was written but is not on the disk yet.
 *
 * Batches that wait while one is being written go to disk together in the next write: each is still all or nothing, they
 * keep their order, and a promise resolves only when its batch is on the disk. Reads see a batch from the call of `batch`
 * on, so that the next change can be prepared while the disk syncs the last one.
 *
 * A write that failed fails every batch asked for so far, since later ones may have been prepared on what it would have
 * written, and raises {@link Database.generation}. What LevelDB's log then holds is unknown (a partial record makes the
 * rest of it unreadable): nothing more is appended, and the next write opens the database anew once the directory takes
 * data again.
 */
import { LimitError, StorageError } from '../lib/errors.ts'
import type { Entry, StoreOp, Tracker, WalkRange } from './changes.ts'
import { guardedEngine } from './engine.ts'
import type { Engine } from './engine.ts'
import { merge, Overlay } from './overlay.ts'
import { isDamage, storageError } from './storage-error.ts'

export type { Entry, StoreOp, Tracker, WalkRange } from './changes.ts'

export interface BatchOptions {
  /** Whether the promise waits for the disk (default), or only for the operating system. */
  readonly sync?: boolean
  /** The generation that the change was prepared on; where a write failed since, the batch is refused. */
  readonly generation?: number
}

interface Job {
  readonly ops: readonly StoreOp[]
  readonly sync: boolean
  resolve(): void
  reject(error: unknown): void
}

/** Batches that may wait for the disk; one more is refused. */
const WAITING_MAX = 10_000
/** Batches join one write until it has this many bytes: more would only add delay. */
const JOINED_BYTES_MAX = 4 * 1_024 * 1_024
/** Keys deleted by one step of `clear`. */
const CLEAR_OPS_MAX = 1_000

export class Database {
  readonly #engine: Engine
  readonly #overlay = new Overlay()
  readonly #reopened: ((mended: boolean) => Promise<void>)[] = []
  #waiting: Job[] = []
  #writer: Promise<void> | undefined
  #generation = 0
  #failed = false
  #damaged = false
  #closed = false

  private constructor(engine: Engine) {
    this.#engine = engine
  }

  /**
   * Opens or creates the database in the directory `path` (mode 0700). Throws ConflictError where another process, or
   * this one, has it open; StorageError where the directory cannot be used or the database is damaged.
   */
  static async open(path: string): Promise<Database> {
    return Database.over(guardedEngine(path))
  }

  /** The same over any engine, which is opened here. */
  static async over(engine: Engine): Promise<Database> {
    try {
      await engine.open()
      return new Database(engine)
    } catch (error) {
      throw storageError(error)
    }
  }

  /** Raised by every write that failed. What was read before that may never have reached the disk. */
  get generation(): number {
    return this.#generation
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return (await this.getMany([key]))[0]
  }

  /** The values in the order of the keys. */
  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const pending = keys.map((key) => this.#overlay.find(key))
    const missing = keys.filter((_, i) => pending[i] === undefined)
    try {
      const found = missing.length === 0 ? [] : await this.#engine.getMany(missing)
      return pending.map((change) => {
        const value = change === undefined ? found.shift() : change.value
        return value === undefined ? undefined : view(value)
      })
    } catch (error) {
      throw this.#noticed(error)
    }
  }

  /** Walks over a snapshot taken at the first step: later writes do not show. */
  async *iterate(range: WalkRange): AsyncGenerator<Entry> {
    yield* this.#walk(range, true)
  }

  /** The keys of the same walk, without reading values from the disk. */
  async *keys(range: WalkRange): AsyncGenerator<Uint8Array> {
    for await (const [key] of this.#walk(range, false)) yield key
  }

  /**
   * Writes all of the changes or none, after every batch that was asked for earlier. Throws StorageError where the disk
   * refuses, LimitError where too many batches wait.
   */
  async batch(ops: readonly StoreOp[], options: BatchOptions = {}): Promise<void> {
    this.#check(options.generation)
    accept(ops)
    const done = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ ops, sync: options.sync ?? true, resolve, reject })
    })
    this.#overlay.add(ops)
    this.#writer ??= this.#run()
    await done
  }

  /** Deletes every key in the range, in several steps, and waits for the disk. */
  async clear(range: { readonly gte: Uint8Array; readonly lt: Uint8Array }): Promise<void> {
    for (;;) {
      const ops: StoreOp[] = []
      for await (const key of this.keys({ ...range, limit: CLEAR_OPS_MAX })) ops.push({ type: 'del', key })
      if (ops.length === 0) return
      await this.batch(ops)
    }
  }

  /** Rewrites the range, so that values that were deleted or replaced leave LevelDB's files. */
  async compact(range: { readonly gte: Uint8Array; readonly lt: Uint8Array }): Promise<void> {
    try {
      await this.#engine.compact(range.gte, range.lt)
    } catch (error) {
      throw storageError(error)
    }
  }

  /**
   * Copies the database as it is to `NAME` beside it, where its engine has files; to be called while nothing else is asked of it.
   * Throws StorageError where the disk refuses, and nothing is changed then.
   */
  async backUp(name: string): Promise<void> {
    await this.#writer
    if (this.#engine.backUp === undefined) return
    try {
      await this.#engine.close()
      try {
        await this.#engine.backUp(name)
      } finally {
        await this.#engine.open()
      }
    } catch (error) {
      throw storageError(error)
    }
  }

  /** Deletes copies that {@link backUp} made before `before`, ms. */
  async dropBackups(before: number): Promise<void> {
    await this.#engine.dropBackups?.(before)
  }

  /**
   * `listener` runs after the database was opened anew, for what memory counts of it to be counted again; `mended` where some
   * of it could not be read, and is gone.
   */
  onReopened(listener: (mended: boolean) => Promise<void>): void {
    this.#reopened.push(listener)
  }

  /** Waits for the batches under way, then closes. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#writer
    try {
      await this.#engine.close()
    } catch (error) {
      throw storageError(error)
    }
  }

  #check(generation: number | undefined): void {
    if (this.#closed) throw new StorageError('the database is closed')
    if (this.#waiting.length >= WAITING_MAX) throw new LimitError('too many batches wait for the disk')
    if (generation === undefined || generation === this.#generation) return
    throw new StorageError('a write failed while the change was prepared')
  }

  async *#walk(range: WalkRange, values: boolean): AsyncGenerator<Entry> {
    const pending = this.#overlay.within(range)
    // What is pending may delete or add keys: only without it does the disk's limit hold.
    const limit = pending.length === 0 ? (range.limit ?? -1) : -1
    const entries = this.#engine.iterator({ ...range, limit, values })
    const next = async (): Promise<Entry | undefined> => {
      const entry: readonly [Uint8Array, Uint8Array | undefined] | undefined = await entries.next()
      return entry && [view(entry[0]), view(entry[1] ?? NOTHING)]
    }
    try {
      yield* merge(pending, next, range)
    } catch (error) {
      throw this.#noticed(error)
    } finally {
      await entries.close()
    }
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) await this.#write(this.#take())
    this.#writer = undefined
  }

  /** The batches of the next write: at least one, and no more than fit. */
  #take(): readonly Job[] {
    let bytes = 0
    let count = 0
    for (const { ops } of this.#waiting) {
      for (const op of ops) bytes += op.key.length + (op.type === 'put' ? op.value.length : 0)
      if (count > 0 && bytes > JOINED_BYTES_MAX) break
      count++
    }
    const taken = this.#waiting.slice(0, count)
    this.#waiting = this.#waiting.slice(count)
    return taken
  }

  async #write(jobs: readonly Job[]): Promise<void> {
    const ops = jobs.flatMap((job) => job.ops)
    try {
      if (this.#failed) await this.#reopen()
      await this.#append(
        ops,
        jobs.some((job) => job.sync),
      )
    } catch (error) {
      this.#fail(jobs, this.#noticed(error))
      return
    }
    this.#overlay.remove(ops)
    for (const op of ops) op.track?.committed()
    for (const job of jobs) job.resolve()
  }

  async #append(ops: readonly StoreOp[], sync: boolean): Promise<void> {
    if (ops.length === 0) return
    const plain = ops.map((op) =>
      op.type === 'put' ? { type: op.type, key: op.key, value: op.value } : { type: op.type, key: op.key },
    )
    await this.#engine.batch(plain, { sync })
  }

  #fail(jobs: readonly Job[], error: Error): void {
    const all = [...jobs, ...this.#waiting]
    this.#waiting = []
    this.#overlay.clear()
    this.#failed = true
    this.#generation++
    for (const job of all) {
      for (const op of job.ops) op.track?.failed()
      job.reject(error)
    }
  }

  /** Damage of what may be mended is mended before the next write. */
  #noticed(error: unknown): Error {
    if (this.#engine.mend !== undefined && isDamage(error)) this.#failed = this.#damaged = true
    return storageError(error)
  }

  /** Reads stay possible until the directory takes data again: only then is the database closed and opened. */
  async #reopen(): Promise<void> {
    await this.#engine.probe()
    await this.#engine.close()
    const mended = this.#damaged
    if (mended) await this.#engine.mend?.()
    await this.#engine.open()
    this.#failed = this.#damaged = false
    // Not awaited: they may write, and the writer is here. One that fails is called again after the next opening.
    for (const listener of this.#reopened) {
      listener(mended).catch(() => {
        this.#failed = true
      })
    }
  }
}

/** All or nothing, as the batch itself. */
function accept(ops: readonly StoreOp[]): void {
  const accepted: Tracker[] = []
  try {
    for (const { track } of ops) {
      track?.accepted()
      if (track !== undefined) accepted.push(track)
    }
  } catch (error) {
    for (const track of accepted.reverse()) track.failed()
    throw error
  }
}

const NOTHING = new Uint8Array(0)

/** A plain array over LevelDB's Buffer, whose `slice` would not copy. */
function view(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
