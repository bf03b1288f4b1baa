/**
 * What the database stands on: an ordered map of bytes on some disk. LevelDB is the product's; the simulator has a disk of its
 * own, which loses, tears and refuses on command. Errors pass through {@link storageError} in the database.
 */
import { chmod, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { copyDatabase, dropCopies } from './database-copy.ts'
import { damagedLogs } from './level-log.ts'
import { damagedTables } from './level-tables.ts'
import { lastClosing, markClosed, markOpen } from './open-mark.ts'
import type { Closing } from './open-mark.ts'
import { probeDirectory } from './probe.ts'

export type EngineOp =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array }

/** Bounds of a walk over a snapshot; `limit` -1 is none. Without `values` those are left out. */
export interface EngineRange {
  readonly gte?: Uint8Array
  readonly lt?: Uint8Array
  readonly reverse?: boolean
  readonly limit: number
  readonly values: boolean
}

export interface EngineWalk {
  next(): Promise<readonly [Uint8Array, Uint8Array | undefined] | undefined>
  close(): Promise<void>
}

export interface Engine {
  /** Opens it, the first time and again after {@link close}. */
  open(): Promise<void>
  close(): Promise<void>
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>
  /** All of the changes or none, in order after the batches before; with `sync` it resolves once they outlive a crash. */
  batch(ops: readonly EngineOp[], options: { readonly sync: boolean }): Promise<void>
  iterator(range: EngineRange): EngineWalk
  /** Rewrites the range, so that what was deleted or replaced leaves the disk. */
  compact(gte: Uint8Array, lt: Uint8Array): Promise<void>
  /** Rejects where the disk takes no data now. */
  probe(): Promise<void>
  /** Saves what can be read of damaged files, while it is closed. Only where losing the rest is no harm. */
  mend?(): Promise<void>
  /** Copies all of it to a place beside it, while it is closed. A copy of that name that is there already stays as it is. */
  backUp?(name: string): Promise<void>
  /** Deletes copies that were made before `before`, ms. */
  dropBackups?(before: number): Promise<void>
}

const DIRECTORY_MODE = 0o700
const LOOKED_BYTES_MAX = 64 * 1_024 * 1_024

/** LevelDB in the directory `path`, which it makes (mode 0700) where there is none. */
export function levelEngine(path: string): Engine {
  let opened: Level<Uint8Array, Uint8Array> | undefined
  // A Level opens itself as soon as it is there, whatever somebody may have to look at before.
  const level = (): Level<Uint8Array, Uint8Array> =>
    (opened ??= new Level(path, { keyEncoding: 'view', valueEncoding: 'view' }))
  return {
    open: async () => {
      await mkdir(path, { recursive: true, mode: DIRECTORY_MODE })
      await chmod(path, DIRECTORY_MODE)
      await level().open()
    },
    close: async () => opened?.close(),
    getMany: async (keys) => level().getMany([...keys]),
    batch: async (ops, options) => level().batch([...ops], options),
    iterator: (range) => level().iterator(range),
    compact: async (gte, lt) => (level() as unknown as Compacting).compactRange(gte, lt),
    probe: async () => probeDirectory(path),
  }
}

/**
 * The same, for what nobody else has: looked through before LevelDB has it, which would end the process at some damage and pass over
 * other in silence. Opening throws where anything is damaged, and changes nothing then. It can be copied while it is closed.
 */
export function guardedEngine(path: string): Engine {
  const level = levelEngine(path)
  return {
    ...level,
    open: async () => opening(path, level, async (last) => isHurt(path, last)),
    close: async () => {
      await level.close()
      await markClosed(path)
    },
    backUp: async (name) => copyDatabase(path, name),
    dropBackups: async (before) => dropCopies(path, before),
  }
}

/**
 * The same, for what others have too: it may be mended out of what can be read. After a crash, which damage may have caused, the
 * tables are looked through before LevelDB has them.
 */
export function mendingEngine(path: string): Engine {
  const level = levelEngine(path)
  return {
    ...level,
    open: async () => opening(path, level, async (last) => last === 'killed' && (await damagedTables(path)).length > 0),
    close: async () => {
      await level.close()
      await markClosed(path)
    },
    mend: async () => mendFiles(path),
  }
}

async function opening(path: string, level: Engine, isHurtNow: (last: Closing) => Promise<boolean>): Promise<void> {
  const last = await lastClosing(path)
  // Another process writes it: LevelDB's own lock says so better.
  if (last !== 'running' && (await isHurtNow(last))) throw new DamagedFiles()
  // Marked before, as LevelDB compacts as soon as it is open; but not where it may be open: its own lock decides that.
  if (last !== 'running') await markOpen(path)
  await level.open()
  await markOpen(path)
}

/** After a clean end, tables are looked through while that takes less than about a second. */
async function isHurt(path: string, last: Closing): Promise<boolean> {
  if ((await tableBytes(path)) === undefined) return false
  if ((await damagedLogs(path)).length > 0) return true
  const quick = ((await tableBytes(path)) ?? 0) <= LOOKED_BYTES_MAX
  return (last === 'killed' || quick) && (await damagedTables(path)).length > 0
}

/** Bytes of all tables; `undefined` where there is no database yet. */
async function tableBytes(path: string): Promise<number | undefined> {
  const names = await readdir(path).catch(() => undefined)
  if (names === undefined) return undefined
  const sizes = names
    .filter((name) => /\.(ldb|sst)$/.test(name))
    .map(async (name) => (await stat(join(path, name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

/** Saves what can be read of the damaged files of a database that nobody has open. A table with damage goes as a whole. */
export async function mendFiles(path: string): Promise<void> {
  for (const name of await damagedTables(path)) await rm(join(path, name))
  await (Level as unknown as Mending).repair(path)
}

/** As LevelDB says it where it notices by itself. */
class DamagedFiles extends Error {
  readonly code = 'LEVEL_CORRUPTION'
}

/** In classic-level, which `level` is on Node, but not in the types that it shares with browsers. */
interface Compacting {
  compactRange(start: Uint8Array, end: Uint8Array): Promise<void>
}
interface Mending {
  repair(path: string): Promise<void>
}
