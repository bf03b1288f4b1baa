/**
 * Looks whether LevelDB's log is what was written. LevelDB itself passes over a record that does not fit its checksum, and with it
 * the rest of its block, as if it had never been: right for the end of a log that a crash cut off, and silent loss anywhere else.
 * Since every batch is synced before the next is appended, a crash damages the last one only: where another begins behind what is
 * damaged, it was no crash. Format: leveldb/doc/log_format.md.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { maskedCrc } from './level-tables.ts'

const BLOCK_BYTES = 32_768
/** Checksum 4, length 2, type 1. */
const HEADER_BYTES = 7
/** Types of a record with a beginning: whole, or the first piece. */
const FULL = 1
const FIRST = 2
const LAST = 4

/** The names of logs in `directory` in which something that was synced is not what was written. */
export async function damagedLogs(directory: string): Promise<readonly string[]> {
  const damaged: string[] = []
  for (const name of await readdir(directory)) {
    if (name.endsWith('.log') && isBroken(await readFile(join(directory, name)))) damaged.push(name)
  }
  return damaged
}

/** Whether a record begins behind one that is damaged. */
function isBroken(log: Buffer): boolean {
  let broken = false
  for (let start = 0; start < log.length; start += BLOCK_BYTES) {
    const block = log.subarray(start, start + BLOCK_BYTES)
    let at = 0
    while (at + HEADER_BYTES <= block.length) {
      const type = typeOf(block, at)
      if (type === undefined) {
        if (!isBlank(block, at)) broken = true
        // Its length may be what changed: the next record may begin anywhere.
        at++
        continue
      }
      if (broken && (type === FULL || type === FIRST)) return true
      at += HEADER_BYTES + block.readUInt16LE(at + 4)
    }
  }
  return false
}

/** The type of the record at `at`; `undefined` where there is none that fits its checksum. */
function typeOf(block: Buffer, at: number): number | undefined {
  const type = block[at + 6] ?? 0
  const end = at + HEADER_BYTES + block.readUInt16LE(at + 4)
  if (type < FULL || type > LAST || end > block.length) return undefined
  return maskedCrc(block.subarray(at + 6, end)) === block.readUInt32LE(at) ? type : undefined
}

/** Room that was made and not written: LevelDB fills the end of a block with zeros, file systems the end of a file. */
function isBlank(block: Buffer, at: number): boolean {
  return block.subarray(at, at + HEADER_BYTES).every((byte) => byte === 0)
}
