/** Tables of LevelDB's own making, whole and with bytes that are not what was written. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { u32be } from '../../../src/lib/bytes.ts'
import { Database } from '../../../src/store/database.ts'
import { levelEngine, mendFiles, mendingEngine } from '../../../src/store/engine.ts'
import { damagedTables } from '../../../src/store/level-tables.ts'
import { markOpen } from '../../../src/store/open-mark.ts'
import { isDamage } from '../../../src/store/storage-error.ts'
import { bytes, temporary } from './fixtures.ts'

const ENTRIES = 400
/** Of the first entry: behind three lengths. */
const KEY_AT = 4
const EVERY = { gte: u32be(0), lt: u32be(0xffff_ffff) }
const root = mkdtempSync(join(tmpdir(), 'sotto-tables-'))
const original = join(root, 'db')
after(() => {
  rmSync(root, { recursive: true, force: true })
})

/** Values of noise and of zeros: blocks with compression and without. */
before(async () => {
  const db = await Database.over(levelEngine(original))
  for (let i = 0; i < ENTRIES; i++) {
    const value = i % 40 < 20 ? bytes(500) : new Uint8Array(500)
    await db.batch([{ type: 'put', key: u32be(i), value }], { sync: false })
  }
  await db.compact(EVERY)
  await db.close()
})

const tablesOf = (path: string): readonly string[] => readdirSync(path).filter((name) => name.endsWith('.ldb'))

function flip(path: string, at: number): void {
  const content = readFileSync(path)
  content[at] = (content[at] ?? 0) ^ 1
  writeFileSync(path, content)
}

test('TE-07 tables as LevelDB wrote them are whole; any byte of a block that changed is noticed', async (t) => {
  assert.deepEqual(await damagedTables(original), [])
  const path = join(temporary(t), 'db')
  cpSync(original, path, { recursive: true })
  const [name = assert.fail()] = tablesOf(path)
  const file = join(path, name)
  const { length } = readFileSync(file)
  // The footer's last 48 bytes are two handles, padding that nobody reads, and the magic number.
  for (let at = 0; at < length - 48; at += 499) {
    flip(file, at)
    assert.deepEqual(await damagedTables(path), [name], `byte ${at}`)
    flip(file, at)
  }
  for (const at of [length - 48, length - 46, length - 8, length - 1]) {
    flip(file, at)
    assert.deepEqual(await damagedTables(path), [name], `byte ${at}`)
    flip(file, at)
  }
  assert.deepEqual(await damagedTables(path), [])
  for (const left of [length - 1, 100, 47, 0]) {
    truncateSync(file, left)
    assert.deepEqual(await damagedTables(path), [name], `${left} bytes are left`)
  }
})

/** Opened and compacted in a process of its own: where LevelDB gives up, that process is what ends. */
const COMPACTS = `
  import { Level } from 'level'
  const db = new Level(process.argv[1], { keyEncoding: 'view', valueEncoding: 'view' })
  await db.open()
  await db.batch([0, 255].map((fill) => ({ type: 'put', key: Buffer.alloc(4, fill), value: Buffer.alloc(1) })))
  await db.compactRange(Buffer.alloc(4), Buffer.alloc(4, 255))
  await db.close()
`
function compacts(path: string): boolean {
  try {
    execFileSync(process.execPath, ['--input-type=module', '-e', COMPACTS, path], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

test('TE-07 MB-41 a table at which LevelDB would end the process is found after a crash, and mended', async (t) => {
  const path = join(temporary(t), 'db')
  let ended = false
  for (let at = KEY_AT; !ended; at++) {
    assert.ok(at < KEY_AT + 500, 'some damage ends it')
    cpSync(original, path, { recursive: true })
    const [name = assert.fail()] = tablesOf(path)
    flip(join(path, name), at)
    const hurt = `${path}-hurt`
    cpSync(path, hurt, { recursive: true })
    ended = !compacts(hurt)
    rmSync(hurt, { recursive: true })
    if (!ended) rmSync(path, { recursive: true })
  }
  await markOpen(path)
  const engine = mendingEngine(path)
  await assert.rejects(engine.open(), isDamage)
  await mendFiles(path)
  const mended = await Database.over(mendingEngine(path))
  await mended.compact(EVERY)
  await mended.close()
})

test('TE-07 a database that was closed is opened without a look at its tables, one in use belongs to LevelDB’s lock', async (t) => {
  const path = join(temporary(t), 'db')
  cpSync(original, path, { recursive: true })
  const [name = assert.fail()] = tablesOf(path)
  flip(join(path, name), 10)
  const engine = mendingEngine(path)
  await engine.open()
  assert.equal(readFileSync(join(path, 'OPEN'), 'utf8'), String(process.pid))
  await engine.close()
  assert.ok(!readdirSync(path).includes('OPEN'))
  writeFileSync(join(path, 'OPEN'), String(process.ppid))
  await engine.open()
  await engine.close()
})
