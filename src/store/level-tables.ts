/**
 * Looks whether LevelDB's tables are what was written, block by block, by their own checksums. LevelDB itself does not look at
 * them when it reads for a compaction or a repair: a key that a bad disk changed there fails an assertion, which ends the
 * process. Format: leveldb/doc/table_format.md.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import crc32c from 'crc-32/crc32c.js'
import snappy from 'snappyjs'

/** Two handles of up to 20 bytes, padded to 40, and the magic number. */
const FOOTER_BYTES = 48
const HANDLES_BYTES = 40
const MAGIC = 0xdb47_7524_8b80_fb57n
const SNAPPY = 1
const MASK_DELTA = 0xa282_ead8
const ROTATED_BITS = 15
/** Of an index: LevelDB splits tables at 2 MiB, so it has some ten thousand entries at most. */
const INDEX_BYTES_MAX = 16 * 1_024 * 1_024

interface Handle {
  readonly offset: number
  readonly size: number
}

/** The names of tables in `directory` of which at least a byte that is read is not what was written. */
export async function damagedTables(directory: string): Promise<readonly string[]> {
  const damaged: string[] = []
  for (const name of await readdir(directory)) {
    if (!/\.(ldb|sst)$/.test(name)) continue
    if (!isWhole(await readFile(join(directory, name)))) damaged.push(name)
  }
  return damaged
}

/** Whether every block of a table is what was written. */
function isWhole(table: Buffer): boolean {
  try {
    for (const listing of footer(table)) {
      for (const handle of handles(block(table, listing))) block(table, handle)
    }
    return true
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

/** Where it lists its filter, and where its data. */
function footer(table: Buffer): readonly Handle[] {
  const start = table.length - FOOTER_BYTES
  if (start < 0 || table.readBigUInt64LE(start + HANDLES_BYTES) !== MAGIC) throw new RangeError('no table')
  const reader = new Reader(table.subarray(start, start + HANDLES_BYTES))
  return [reader.handle(), reader.handle()]
}

/** Throws RangeError where it does not fit its checksum. */
function block(table: Buffer, { offset, size }: Handle): Buffer {
  const end = offset + size
  const masked = table.readUInt32LE(end + 1)
  if (maskedCrc(table.subarray(offset, end + 1)) !== masked) throw new RangeError('a block is damaged')
  const content = table.subarray(offset, end)
  return table[end] === SNAPPY ? inflated(content) : content
}

/** Only of what has passed its checksum. */
function inflated(content: Buffer): Buffer {
  return Buffer.from(snappy.uncompress(new Uint8Array(content), INDEX_BYTES_MAX))
}

/** LevelDB's checksum of what it writes: CRC-32C, turned and moved, as CRCs of CRCs are weak. */
export function maskedCrc(bytes: Buffer): number {
  const bits = crc32c.buf(bytes) >>> 0
  return (((bits >>> ROTATED_BITS) | (bits << (32 - ROTATED_BITS))) + MASK_DELTA) >>> 0
}

/** The values of a block that lists others: entries of shared, own and value's length, the rest of the key, the value; then restarts. */
function* handles(index: Buffer): Generator<Handle> {
  const restarts = index.readUInt32LE(index.length - 4)
  const reader = new Reader(index.subarray(0, index.length - 4 * (restarts + 1)))
  while (!reader.done) {
    reader.varint()
    const own = reader.varint()
    reader.varint()
    reader.skip(own)
    yield reader.handle()
  }
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length
  }

  handle(): Handle {
    return { offset: this.varint(), size: this.varint() }
  }

  skip(bytes: number): void {
    this.#at += bytes
  }

  /** Throws RangeError at the end of the bytes. */
  varint(): number {
    for (let value = 0, unit = 1; ; unit *= 128) {
      const byte = this.#bytes.readUInt8(this.#at++)
      value += (byte & 0x7f) * unit
      if (byte < 0x80) return value
    }
  }
}
