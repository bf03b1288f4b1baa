/** A holder's database after its disk failed: whatever was done to the files, it opens, and gives what is whole or nothing. */
import assert from 'node:assert/strict'
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { silentLogger } from '../../../src/lib/log.ts'
import { equal } from '../../../src/lib/bytes.ts'
import { commitmentOf, letterId } from '../../../src/protocol/mailbox-rules.ts'
import { Database } from '../../../src/store/database.ts'
import { openHeld } from '../../../src/store/held-open.ts'
import type { HeldStore } from '../../../src/store/held.ts'
import { isDamage, storageError } from '../../../src/store/storage-error.ts'
import type { Letter } from '../../../src/wire/letter.ts'
import { bytes, temporary, tools } from './fixtures.ts'

const { crypto } = tools
const NOW = 1_800_000_000_000
const LETTERS = 40
const PROOF = { kind: 2, body: { reserved: 0 } } as const
const address = bytes(32)
const letters = new Map<string, Letter>()
const held = { ...tools, log: silentLogger }
const root = mkdtempSync(join(tmpdir(), 'sotto-store-'))
let original = ''
after(() => {
  rmSync(root, { recursive: true, force: true })
})

function letter(): Letter {
  return {
    version: 1,
    kind: 1,
    address,
    lane: bytes(16),
    expiry: NOW / 3_600_000 + 48,
    sizeClass: 0,
    commitment: commitmentOf(crypto, bytes(16)),
    stamp: { bits: 0, nonce: bytes(16) },
    ciphertext: bytes(2_048),
  }
}

/** Half of the letters in a table, half of them in a log: as after a restart. */
before(async () => {
  original = join(root, 'held')
  for (let half = 0; half < 2; half++) {
    const { database, held: store } = await openHeld(original, held)
    for (let i = 0; i < LETTERS / 2; i++) {
      const each = letter()
      const id = letterId(crypto, each)
      letters.set(Buffer.from(id).toString('hex'), each)
      await store.putLetter(id, { letter: each, proof: PROOF, rung: 0 })
    }
    await database.close()
  }
})

async function isWholeOrNothing(store: HeldStore): Promise<number> {
  let found = 0
  for (const [id, each] of letters) {
    const deposit = await store.deposit(Buffer.from(id, 'hex'), NOW)
    if (deposit === undefined) continue
    assert.ok(equal(deposit.letter.ciphertext, each.ciphertext), 'never a damaged letter')
    found++
  }
  return found
}

const ending =
  (...endings: readonly string[]) =>
  (name: string): boolean =>
    endings.some((end) => name.endsWith(end) || name.startsWith(end))

function flip(path: string, stride: number, from: number): void {
  const content = readFileSync(path)
  for (let at = from; at < content.length; at += stride) content[at] = (content[at] ?? 0) ^ 0x5a
  writeFileSync(path, content)
}

interface Damage {
  readonly name: string
  readonly files: (name: string) => boolean
  readonly hurt: (path: string) => void
  /** Letters that are left at the least. */
  readonly leaves: number
}

const half = (path: string): void => truncateSync(path, Math.floor(statSync(path).size / 2))
const DAMAGES: readonly Damage[] = [
  { name: 'nothing', files: () => false, hurt: () => {}, leaves: LETTERS },
  {
    name: 'a flipped byte here and there in the tables',
    files: ending('.ldb'),
    hurt: (path) => flip(path, 9_000, 500),
    leaves: 1,
  },
  {
    name: 'a flipped byte here and there in the log',
    files: ending('.log'),
    hurt: (path) => flip(path, 9_000, 500),
    leaves: LETTERS / 2,
  },
  {
    name: 'tables full of flipped bytes',
    files: ending('.ldb'),
    hurt: (path) => flip(path, 40, 7),
    leaves: LETTERS / 4,
  },
  {
    name: 'everything full of flipped bytes',
    files: ending('.ldb', '.log', 'MANIFEST'),
    hurt: (path) => flip(path, 40, 7),
    leaves: 0,
  },
  { name: 'torn tables', files: ending('.ldb'), hurt: half, leaves: LETTERS / 4 },
  { name: 'a torn log', files: ending('.log'), hurt: half, leaves: LETTERS / 2 },
  {
    name: 'tables without an end',
    files: ending('.ldb'),
    hurt: (path) => flip(path, 1, statSync(path).size - 48),
    leaves: LETTERS / 4,
  },
  { name: 'tables that are gone', files: ending('.ldb'), hurt: (path) => rmSync(path), leaves: LETTERS / 4 },
  { name: 'a log that is gone', files: ending('.log'), hurt: (path) => rmSync(path), leaves: LETTERS / 2 },
  { name: 'a torn manifest', files: ending('MANIFEST'), hurt: half, leaves: LETTERS / 2 },
  { name: 'a flipped manifest', files: ending('MANIFEST'), hurt: (path) => flip(path, 20, 5), leaves: LETTERS / 2 },
  { name: 'an empty CURRENT', files: ending('CURRENT'), hurt: (path) => truncateSync(path, 0), leaves: LETTERS / 2 },
  {
    name: 'a foreign CURRENT',
    files: ending('CURRENT'),
    hurt: (path) => appendFileSync(path, 'x'),
    leaves: LETTERS / 2,
  },
]

for (const { name, files, hurt, leaves } of DAMAGES) {
  test(`TE-07 MB-41 after ${name} a holder opens, serves no damaged letter, and takes new ones`, async (t) => {
    const path = join(temporary(t), 'held')
    cpSync(original, path, { recursive: true })
    for (const file of readdirSync(path).filter(files)) hurt(join(path, file))
    const { database, held: store } = await openHeld(path, held)
    try {
      const found = await isWholeOrNothing(store)
      t.diagnostic(`${found} of ${LETTERS} letters are left`)
      assert.ok(found >= leaves, `${found} of ${LETTERS} letters are left`)
      const fresh = letter()
      assert.equal(await store.putLetter(letterId(crypto, fresh), { letter: fresh, proof: PROOF, rung: 0 }), 'stored')
    } finally {
      await database.close()
    }
  })
}

test('TE-07 MB-41 damage that shows only when a letter is read is mended before the next write, and the letter listed no more', async (t) => {
  const path = join(temporary(t), 'held')
  cpSync(original, path, { recursive: true })
  const table = readdirSync(path).find(ending('.ldb')) ?? assert.fail()
  flipAll(join(path, table), 4_200, 8_400)
  const { database, held: store } = await openHeld(path, held)
  try {
    const before = await listed(store)
    assert.equal(before, LETTERS, 'the index can be read')
    await assert.rejects(isWholeOrNothing(store), /damaged/)
    const fresh = letter()
    await store.putLetter(letterId(crypto, fresh), { letter: fresh, proof: PROOF, rung: 0 })
    const found = await isWholeOrNothing(store)
    assert.ok(found >= LETTERS / 2 && found < LETTERS, `${found} letters are left`)
    for (let i = 0; (await listed(store)) !== found + 1; i++) {
      assert.ok(i < 1_000, 'what is gone is listed no more')
      await setImmediate()
    }
  } finally {
    await database.close()
  }
})

const listed = async (store: HeldStore): Promise<number> => (await store.list(address, 0, 1_000, NOW)).live.length

function flipAll(path: string, from: number, to: number): void {
  const content = readFileSync(path)
  for (let at = from; at < to; at++) content[at] = (content[at] ?? 0) ^ 0x5a
  writeFileSync(path, content)
}

test('TE-07 a database that cannot be mended says what to do', async (t) => {
  const path = join(temporary(t), 'held')
  cpSync(original, path, { recursive: true })
  truncateSync(join(path, 'CURRENT'), 0)
  // Something is in the way of what LevelDB would write anew.
  mkdirSync(join(path, 'MANIFEST-000001', 'x'), { recursive: true })
  writeFileSync(join(path, 'lost'), '')
  await assert.rejects(openHeld(path, held), /move the directory held away/)
})

test('a home that another daemon uses is no damage', async (t) => {
  const path = join(temporary(t), 'held')
  const { database } = await openHeld(path, held)
  try {
    await assert.rejects(openHeld(path, held), /another daemon/)
  } finally {
    await database.close()
  }
  assert.equal(isDamage(storageError(Object.assign(new Error('x'), { code: 'ENOSPC' }))), false)
  const file = join(path, 'CURRENT')
  await assert.rejects(Database.open(join(file, 'held')), (error) => !isDamage(error))
})
