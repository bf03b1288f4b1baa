/** Copies of a closed LevelDB directory beside it. Tables never change, so they are linked where the file system can; the rest is copied. */
import { copyFile, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { syncDirectory } from './atomic-file.ts'
import { MARK_NAME } from './open-mark.ts'

const DIRECTORY_MODE = 0o700
/** Whoever finds one knows what it is a copy of. */
const placeOf = (path: string, name: string): string => `${path}.${name}`

/**
 * Copies the database in the directory `path` to `PATH.NAME`: whole and synced, or not at all. One that is there already is left:
 * it is of before whatever was cut short.
 */
export async function copyDatabase(path: string, name: string): Promise<void> {
  const place = placeOf(path, name)
  if ((await stat(place).catch(() => undefined)) !== undefined) return
  const part = `${place}.part`
  await rm(part, { recursive: true, force: true })
  try {
    await mkdir(part, { mode: DIRECTORY_MODE })
    for (const file of await readdir(path)) await copyInto(path, part, file)
    await syncDirectory(part)
    await rename(part, place)
    await syncDirectory(dirname(place))
  } catch (error) {
    await rm(part, { recursive: true, force: true }).catch(() => {})
    throw error
  }
}

/** Deletes copies of the database that are from before `before`, ms. */
export async function dropCopies(path: string, before: number): Promise<void> {
  const directory = dirname(path)
  for (const name of await readdir(directory)) {
    if (!name.startsWith(`${basename(path)}.before-`)) continue
    const copy = join(directory, name)
    if ((await stat(copy)).mtimeMs < before) await rm(copy, { recursive: true, force: true })
  }
}

async function copyInto(from: string, to: string, file: string): Promise<void> {
  // The lock belongs to who has it open, and so does the mark.
  if (file === 'LOCK' || file === MARK_NAME) return
  const [source, target] = [join(from, file), join(to, file)]
  if (/\.(ldb|sst)$/.test(file) && (await linked(source, target))) return
  await copyFile(source, target)
  const copy = await open(target, 'r')
  try {
    await copy.sync()
  } finally {
    await copy.close()
  }
}

/** Not every file system has links. */
async function linked(source: string, target: string): Promise<boolean> {
  try {
    await link(source, target)
    return true
  } catch {
    return false
  }
}
