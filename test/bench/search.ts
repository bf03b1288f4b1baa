/** `search`: 100,000 messages in the sealed index, beside SQLite's FTS5 with the same texts in the clear, and beside opening every message. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { nativeProvider } from '../../src/crypto/native.ts'
import { systemRng } from '../../src/lib/rng.ts'
import { Database } from '../../src/store/database.ts'
import type { StoreOp } from '../../src/store/database.ts'
import type { Message } from '../../src/store/records.ts'
import { SearchIndex } from '../../src/store/search-index.ts'
import { queryWords, wordsOf } from '../../src/store/search-words.ts'
import { openStore } from '../../src/store/store.ts'
import type { Store } from '../../src/store/store.ts'
import { createVault } from '../../src/store/vault.ts'
import type { Vault } from '../../src/store/vault.ts'
import { Corpus } from './corpus.ts'
import { compared, interleave, percentile, timed } from './harness.ts'
import type { Bench, BenchOptions, Figure, Goal, Sample } from './harness.ts'

const NAME = 'search'
const FTS = 'SQLite FTS5, in the clear'
const SCAN = 'every text opened'
const WITHOUT = 'without the index'
const MESSAGES = 100_000
const BATCH = 100
const CONTACTS = 20
const PAGE = 50
const QUERIES = 100
const INSERTS = 4_000
const SCANS = 2
const CHEAP = { memoryKiB: 8, passes: 1, length: 32 }
const P95_MS = 50

interface Home {
  readonly database: Database
  readonly vault: Vault
  readonly store: Store
  readonly fts: DatabaseSync
  readonly contacts: readonly Uint8Array[]
  readonly corpus: Corpus
  order: number
}

async function open(path: string): Promise<Home> {
  const database = await Database.open(join(path, 'sealed'))
  const tools = { crypto: nativeProvider, rng: systemRng }
  const vault = await createVault(join(path, 'vault'), 'bench', tools, CHEAP)
  const fts = new DatabaseSync(join(path, 'fts.db'))
  fts.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
    CREATE VIRTUAL TABLE texts USING fts5(text, tokenize = "unicode61 remove_diacritics 2", prefix = "2 3")`)
  const contacts = Array.from({ length: CONTACTS }, () => systemRng.bytes(32))
  return { database, vault, store: await openStore(database, vault), fts, contacts, corpus: new Corpus(), order: 0 }
}

function write(home: Home, count: number): readonly Message[] {
  return Array.from({ length: count }, () => {
    const order = ++home.order
    const contact = home.contacts[order % CONTACTS] ?? new Uint8Array(32)
    const times = { sentAt: 1_800_000_000_000 + order, committedAt: 1_800_000_000_000 + order, readAt: 0 }
    return {
      ...times,
      id: systemRng.bytes(16),
      contact,
      order,
      outgoing: false,
      contentKind: 1,
      text: home.corpus.text(),
      replyTo: undefined,
      status: 3 as const,
      path: 1 as const,
      receipts: 0,
      timerSeconds: 0,
      expiresAt: 0,
      gone: 0 as const,
      marked: false,
    }
  })
}

/** As the daemon does it, a batch at a time; how many a second. */
async function insert({ store }: Home, messages: readonly Message[], indexed: boolean): Promise<number> {
  const startMs = performance.now()
  for (let at = 0; at < messages.length; at += BATCH) {
    const ops: StoreOp[] = []
    for (const message of messages.slice(at, at + BATCH)) {
      ops.push(...(await store.messages.insert(message)))
      if (indexed) ops.push(...(await store.search.indexOps(undefined, message)))
    }
    await store.batch(ops, { sync: false })
  }
  if (indexed) await store.search.idle()
  return (messages.length * 1_000) / (performance.now() - startMs)
}

async function fill(home: Home): Promise<void> {
  const row = home.fts.prepare('INSERT INTO texts (rowid, text) VALUES (?, ?)')
  for (let at = 0; at < MESSAGES; at += BATCH * 10) {
    const messages = write(home, BATCH * 10)
    await insert(home, messages, true)
    home.fts.exec('BEGIN')
    for (const { order, text } of messages) row.run(order, text)
    home.fts.exec('COMMIT')
  }
}

const queriesOf = ({ corpus }: Home): Record<string, readonly string[]> => ({
  one: Array.from({ length: QUERIES }, () => corpus.word()),
  two: Array.from({ length: QUERIES }, () => corpus.beginnings(2).join(' ')),
  three: Array.from({ length: QUERIES }, () => corpus.beginnings(3).join(' ')),
})

async function asked(
  queries: Record<string, readonly string[]>,
  ask: (query: string) => Promise<unknown>,
): Promise<Sample> {
  const sample: Record<string, number> = {}
  for (const [name, list] of Object.entries(queries)) {
    const times = await timed(list.length, async (i) => void (await ask(list[i] ?? '')))
    sample[`${name}50`] = percentile(times, 50)
    sample[`${name}95`] = percentile(times, 95)
  }
  return sample
}

async function ours({ store }: Home, queries: Record<string, readonly string[]>): Promise<Sample> {
  return asked(queries, async (query) => store.search.find(query, { limit: PAGE }))
}

async function theirs({ fts }: Home, queries: Record<string, readonly string[]>): Promise<Sample> {
  const found = fts.prepare('SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rowid DESC LIMIT ?')
  const match = (query: string): string =>
    queryWords(query)
      .map((word) => `"${word}"*`)
      .join(' AND ')
  return asked(queries, async (query) => Promise.resolve(found.all(match(query), PAGE)))
}

/** A word that nobody said: both have to look everywhere. The first query after unlocking reads what later ones have in memory. */
async function absent({ store, contacts, database, vault }: Home): Promise<{ index: Sample; scan: Sample }> {
  const nobody = 'zzqqxy'
  const index = await timed(QUERIES, async () => void (await store.search.find(nobody, { limit: PAGE })))
  const fresh = await SearchIndex.open(database, vault)
  const first = await timed(1, async () => void (await fresh.find('ba', { limit: PAGE })))
  const scan = await timed(SCANS, async () => {
    for (const contact of contacts)
      for await (const { text } of store.messages.all(contact))
        if (wordsOf(text).includes(nobody)) throw new Error('somebody said it')
  })
  return {
    index: { absent: percentile(index, 50), first: percentile(first, 50) },
    scan: { absent: percentile(scan, 50), first: percentile(scan, 50) },
  }
}

async function run({ runs, note }: BenchOptions): Promise<readonly Figure[]> {
  const path = await mkdtemp(join(tmpdir(), 'sotto-bench-search-'))
  const home = await open(path)
  try {
    note(`${MESSAGES} messages`)
    await fill(home)
    note('queries')
    const queries = queriesOf(home)
    const beside = await interleave(
      runs,
      async () => ours(home, queries),
      async () => theirs(home, queries),
      1,
    )
    const nobody = await absent(home)
    note('insert')
    const speed = async (indexed: boolean): Promise<Sample> => ({
      insert: await insert(home, write(home, INSERTS), indexed),
    })
    const inserts = await interleave(
      runs,
      async () => speed(true),
      async () => speed(false),
      1,
    )
    const scanned = { sotto: [nobody.index], peer: [nobody.scan] }
    const query = (metric: string, key: string, goal?: Goal): Figure =>
      compared(beside, { name: NAME, peer: FTS, metric, key, unit: 'ms', ...(goal && { goal }) })
    const goal = { of: 'value', at: 'most', bound: P95_MS } as const
    return [
      query('one word, newest 50, p50', 'one50'),
      query('one word, newest 50, p95', 'one95', goal),
      query('two beginnings, p50', 'two50'),
      query('two beginnings, p95', 'two95', goal),
      query('three beginnings, p50', 'three50'),
      query('three beginnings, p95', 'three95', goal),
      compared(scanned, { name: NAME, peer: SCAN, metric: 'a word nobody said, p50', key: 'absent', unit: 'ms' }),
      compared(scanned, {
        name: NAME,
        peer: SCAN,
        metric: 'the first query after unlocking',
        key: 'first',
        unit: 'ms',
      }),
      compared(inserts, {
        name: NAME,
        peer: WITHOUT,
        metric: 'messages written and indexed',
        key: 'insert',
        unit: '/s',
      }),
    ]
  } finally {
    await home.store.search.idle()
    home.fts.close()
    await home.database.close()
    await rm(path, { recursive: true, force: true })
  }
}

export const search: Bench = { name: NAME, run }
