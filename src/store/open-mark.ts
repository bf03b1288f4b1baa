/**
 * A file in a database's directory that says which process has it open: one that is still there was never closed. It is no lock:
 * numbers of processes come again, in containers at once. LevelDB has one, and a home's account is opened, and so locked, first.
 */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export const MARK_NAME = 'OPEN'
const MODE = 0o600

export type Closing = 'closed' | 'killed' | 'running'

/** How the last use of the database ended; `running` where another process of that number lives. */
export async function lastClosing(directory: string): Promise<Closing> {
  try {
    const pid = Number.parseInt(await readFile(join(directory, MARK_NAME), 'utf8'), 10)
    return pid !== process.pid && isAlive(pid) ? 'running' : 'killed'
  } catch {
    // No such file, or a directory that cannot be read: opening the database says that better.
    return 'closed'
  }
}

/** On a full disk nothing is marked, and that is no reason not to open. */
export async function markOpen(directory: string): Promise<void> {
  await writeFile(join(directory, MARK_NAME), String(process.pid), { mode: MODE }).catch(() => {})
}

export async function markClosed(directory: string): Promise<void> {
  await rm(join(directory, MARK_NAME), { force: true }).catch(() => {})
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
