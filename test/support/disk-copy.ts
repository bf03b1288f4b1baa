/** Looks into a LevelDB directory through a copy, so that a running daemon is not disturbed. */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Database } from '../../src/store/database.ts'
import { mendFiles, mendingEngine } from '../../src/store/engine.ts'
import { markOpen } from '../../src/store/open-mark.ts'
import { isDamage } from '../../src/store/storage-error.ts'

const TRIES_MAX = 10
const BETWEEN_MS = 50

/** LevelDB marks its directories with a file called CURRENT. */
export function databasesUnder(home: string): readonly string[] {
  if (!existsSync(home)) return []
  return readdirSync(home, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name === 'CURRENT')
    .map((entry) => entry.parentPath)
}

/** Calls `look` with an open copy of the database; where that is damaged, again with what can be read of it. */
export async function withCopy<T>(directory: string, look: (db: Database) => Promise<T>): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), 'sotto-copy-'))
  try {
    const copy = await copied(directory, root)
    try {
      return await lookInto(copy, look)
    } catch (error) {
      if (!isDamage(error)) throw error
      await mendFiles(copy)
      return await lookInto(copy, look)
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

async function lookInto<T>(copy: string, look: (db: Database) => Promise<T>): Promise<T> {
  const db = await Database.over(mendingEngine(copy))
  try {
    return await look(db)
  } finally {
    await db.close()
  }
}

/** A compaction takes files away under the copy; the next copy is whole. The last one is given as it is. */
async function copied(directory: string, root: string): Promise<string> {
  for (let tries = 1; ; tries++) {
    const copy = join(root, String(tries))
    try {
      cpSync(directory, copy, { recursive: true, filter: (path) => basename(path) !== 'LOCK' })
      // As after a kill, so that damage is looked for: LevelDB would end the process at some of it.
      await markOpen(copy)
      await lookInto(copy, async () => {})
      return copy
    } catch (error) {
      if (tries >= TRIES_MAX) {
        if (isDamage(error)) return copy
        throw error
      }
      await sleep(BETWEEN_MS)
    }
  }
}
