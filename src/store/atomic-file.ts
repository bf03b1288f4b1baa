import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { NotFoundError } from '../lib/errors.ts'
import { storageError } from './storage-error.ts'

/** Where small files with keys lie: the file system, or a simulated one. */
export interface KeyFiles {
  /** See {@link writeFileAtomically}. */
  write(path: string, content: Uint8Array): Promise<void>
  /** See {@link readWholeFile}. */
  read(path: string): Promise<Uint8Array>
  /** Takes a file away, whether it is there or not. Without it an empty file stands for none. */
  remove?(path: string): Promise<void>
}

/** Files with keys belong to their owner alone. */
const FILE_MODE = 0o600

/**
 * Puts a file in place of whatever was there, mode 0600: after a crash the old content or the new one is there, and
 * when this resolves it is the new one. Throws StorageError.
 */
export async function writeFileAtomically(path: string, content: Uint8Array): Promise<void> {
  const temporary = `${path}.new`
  try {
    // What an interrupted write left behind may have other permissions: never write into it.
    await rm(temporary, { force: true })
    await writeSynced(temporary, content)
    await rename(temporary, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    throw storageError(error)
  }
}

/** Deletes a file, if it is there. Throws StorageError. */
export async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true })
    await syncDirectory(dirname(path))
  } catch (error) {
    throw storageError(error)
  }
}

/** The bytes of a file. Throws NotFoundError where there is none, StorageError where it cannot be read. */
export async function readWholeFile(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new NotFoundError('the file is not there')
    throw storageError(error)
  }
}

async function writeSynced(path: string, content: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', FILE_MODE)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** A rename is on the disk once its directory is. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

export const FILE_SYSTEM: KeyFiles = { write: writeFileAtomically, read: readWholeFile, remove: removeFile }
