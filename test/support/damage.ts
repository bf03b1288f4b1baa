/** Disks that fail under a daemon: one that takes nothing more, and files that are not what was written. */
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, readSync, statSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Daemon } from './daemons.ts'

/** Files may grow by so much before the disk is full: the daemon's log is one of them, and has to have room. */
const ROOM_BYTES = 65_536

/** From now on no file of the daemon may grow beyond a size that its log has not reached, and its database soon has. */
export function fillDisk(daemon: Daemon): void {
  limitFiles(daemon, String(statSync(daemon.logFile).size + ROOM_BYTES))
}

/** There is room again. */
export function freeDisk(daemon: Daemon): void {
  limitFiles(daemon, 'unlimited')
}

/** The kernel's limit on the size of files: a write beyond it fails, as on a full disk, and needs no rights to set. */
function limitFiles({ pid, name }: Daemon, bytes: string): void {
  if (pid === undefined) throw new Error(`${name} does not run`)
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`])
}

export interface Damage {
  readonly flipped: number
  readonly torn: number
}

/** Flips one byte in every `stride` of the tables in a stopped daemon's database, and tears the end off its log. */
export function damage(directory: string, stride: number, below: (bound: number) => number): Damage {
  let flipped = 0
  let torn = 0
  for (const name of readdirSync(directory)) {
    const path = join(directory, name)
    const { size } = statSync(path)
    if (name.endsWith('.ldb')) flipped += flip(path, size, stride, below)
    if (!name.endsWith('.log') || size === 0) continue
    truncateSync(path, size - 1 - below(Math.min(size, stride)))
    torn++
  }
  return { flipped, torn }
}

function flip(path: string, size: number, stride: number, below: (bound: number) => number): number {
  const file = openSync(path, 'r+')
  try {
    let count = 0
    for (let at = below(stride); at < size; at += stride) {
      const byte = Buffer.alloc(1)
      readSync(file, byte, 0, 1, at)
      writeSync(file, Buffer.of((byte[0] ?? 0) ^ (1 + below(255))), 0, 1, at)
      count++
    }
    return count
  } finally {
    closeSync(file)
  }
}
