/**
 * What the database stands on: an ordered map of bytes on some disk. LevelDB is the product's; the simulator has a disk of its
 * own, which loses, tears and refuses on command. Errors pass through {@link storageError} in the database.
 */
import { chmod, mkdir } from 'node:fs/promises'
import { Level } from 'level'
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
}

const DIRECTORY_MODE = 0o700

/** LevelDB in the directory `path`, which it makes (mode 0700) where there is none. */
export function levelEngine(path: string): Engine {
  const level = new Level<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' })
  return {
    open: async () => {
      await mkdir(path, { recursive: true, mode: DIRECTORY_MODE })
      await chmod(path, DIRECTORY_MODE)
      await level.open()
    },
    close: async () => level.close(),
    getMany: async (keys) => level.getMany([...keys]),
    batch: async (ops, options) => level.batch([...ops], options),
    iterator: (range) => level.iterator(range),
    compact: async (gte, lt) => (level as unknown as Compacting).compactRange(gte, lt),
    probe: async () => probeDirectory(path),
  }
}

/** The same, for what others have too: it may be mended out of what can be read. */
export function mendingEngine(path: string): Engine {
  return { ...levelEngine(path), mend: async () => mendFiles(path) }
}

/** Saves what can be read of the damaged files of a database that nobody has open. */
export async function mendFiles(path: string): Promise<void> {
  await (Level as unknown as Mending).repair(path)
}

/** In classic-level, which `level` is on Node, but not in the types that it shares with browsers. */
interface Compacting {
  compactRange(start: Uint8Array, end: Uint8Array): Promise<void>
}
interface Mending {
  repair(path: string): Promise<void>
}
