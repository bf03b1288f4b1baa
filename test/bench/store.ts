/** `store`: the sealed store beside bare LevelDB through the same library, in the same process on the same disk. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { nativeProvider } from '../../src/crypto/native.ts'
import { concat, u64be } from '../../src/lib/bytes.ts'
import { systemRng } from '../../src/lib/rng.ts'
import { Database } from '../../src/store/database.ts'
import { MESSAGE_STATUS, messageCodec } from '../../src/store/records.ts'
import type { Message } from '../../src/store/records.ts'
import { openStore } from '../../src/store/store.ts'
import type { Store } from '../../src/store/store.ts'
import { createVault } from '../../src/store/vault.ts'
import { encode } from '../../src/wire/codec.ts'
import { compared, interleave, percentile, timed } from './harness.ts'
import type { Bench, BenchOptions, Figure, Goal, Sample } from './harness.ts'

const NAME = 'store'
const PEER = 'level 10, unsealed'
const INSERTS = 4_000
const BATCH = 100
const CONTACTS = 20
const PAGE = 50
const PAGES = 100
const COMMITS = 60
/** 1 KiB on the disk: the text and about 110 bytes of what belongs to it. */
const TEXT_BYTES = 912
/** The least that Argon2id takes: opening the vault is not what is measured. */
const CHEAP = { memoryKiB: 8, passes: 1, length: 32 }

/** The same conversations on either side: messages by contact and order, and a second key to find one by its id. */
interface Side {
  /** Writes the messages as one batch. With `checked`, each is looked up first, as the daemon does. */
  insert(messages: readonly Message[], options: { sync: boolean; checked: boolean }): Promise<void>
  newest(contact: Uint8Array, limit: number): Promise<number>
  close(): Promise<void>
}

class Sealed implements Side {
  readonly #database: Database
  readonly #store: Store

  private constructor(database: Database, store: Store) {
    this.#database = database
    this.#store = store
  }

  static async open(path: string): Promise<Sealed> {
    const database = await Database.open(join(path, 'sealed'))
    const tools = { crypto: nativeProvider, rng: systemRng }
    const vault = await createVault(join(path, 'vault'), 'bench', tools, CHEAP)
    return new Sealed(database, await openStore(database, vault))
  }

  async insert(messages: readonly Message[], { sync, checked }: { sync: boolean; checked: boolean }): Promise<void> {
    const { messages: records } = this.#store
    const ops = []
    for (const message of messages) ops.push(...(checked ? await records.insert(message) : records.put(message)))
    await this.#store.batch(ops, { sync })
  }

  async newest(contact: Uint8Array, limit: number): Promise<number> {
    return (await this.#store.messages.page(contact, { limit })).length
  }

  async close(): Promise<void> {
    await this.#database.close()
  }
}

class Bare implements Side {
  readonly #level: Level<Uint8Array, Uint8Array>

  private constructor(level: Level<Uint8Array, Uint8Array>) {
    this.#level = level
  }

  static async open(path: string): Promise<Bare> {
    const level = new Level<Uint8Array, Uint8Array>(join(path, 'bare'), { keyEncoding: 'view', valueEncoding: 'view' })
    await level.open()
    return new Bare(level)
  }

  async insert(messages: readonly Message[], { sync, checked }: { sync: boolean; checked: boolean }): Promise<void> {
    const ops: { type: 'put'; key: Uint8Array; value: Uint8Array }[] = []
    for (const message of messages) {
      const [place, id] = [placeOf(message.contact, message.order), concat(Uint8Array.of(1), message.id)]
      if (checked)
        for (const key of [id, place]) if ((await this.#level.get(key)) !== undefined) throw new Error('taken')
      ops.push(
        { type: 'put', key: place, value: encode(messageCodec, message) },
        { type: 'put', key: id, value: place },
      )
    }
    await this.#level.batch(ops, { sync })
  }

  async newest(contact: Uint8Array, limit: number): Promise<number> {
    const range = { gte: placeOf(contact, 0), lt: placeOf(contact, 2 ** 48) }
    return (await this.#level.values({ ...range, reverse: true, limit }).all()).length
  }

  async close(): Promise<void> {
    await this.#level.close()
  }
}

function placeOf(contact: Uint8Array, order: number): Uint8Array {
  return concat(Uint8Array.of(0), contact.subarray(0, 16), u64be(order))
}

const CONTACT_IDS = Array.from({ length: CONTACTS }, () => new Uint8Array(randomBytes(32)))
const contactAt = (index: number): Uint8Array => CONTACT_IDS[index % CONTACTS] ?? new Uint8Array(32)

/** Makes messages of no two alike, in turn to every contact. */
class Author {
  #count = 0

  write(count: number): readonly Message[] {
    return Array.from({ length: count }, () => {
      const number = ++this.#count
      const times = { sentAt: 1_800_000_000_000 + number, committedAt: 1_800_000_000_000 + number, readAt: 0 }
      return {
        id: systemRng.bytes(16),
        contact: contactAt(number),
        order: number,
        outgoing: false,
        contentKind: 1,
        text: randomBytes(TEXT_BYTES / 2).toString('hex'),
        replyTo: undefined,
        status: MESSAGE_STATUS.delivered,
        path: 0 as const,
        receipts: 0,
        timerSeconds: 0,
        expiresAt: 0,
        gone: 0 as const,
        marked: false,
        ...times,
      }
    })
  }
}

async function turn(side: Side, author: Author): Promise<Sample> {
  const insert = async (checked: boolean): Promise<number> => {
    const batches = Array.from({ length: INSERTS / BATCH }, () => author.write(BATCH))
    const startMs = performance.now()
    for (const batch of batches) await side.insert(batch, { sync: false, checked })
    return (INSERTS * 1_000) / (performance.now() - startMs)
  }
  const [put, inserted] = [await insert(false), await insert(true)]
  const pages = await timed(PAGES, async (i) => {
    if ((await side.newest(contactAt(i), PAGE)) !== PAGE) throw new Error('messages are missing')
  })
  const singles = author.write(COMMITS)
  const commits = await timed(COMMITS, async (i) => side.insert(singles.slice(i, i + 1), { sync: true, checked: true }))
  return { put, inserted, page: percentile(pages, 50), commit: percentile(commits, 50) }
}

async function run({ runs, note }: BenchOptions): Promise<readonly Figure[]> {
  const path = await mkdtemp(join(tmpdir(), 'sotto-bench-store-'))
  const [sealed, bare, ours, theirs] = [await Sealed.open(path), await Bare.open(path), new Author(), new Author()]
  try {
    note('insert, read, commit')
    const turns = await interleave(
      runs,
      async () => turn(sealed, ours),
      async () => turn(bare, theirs),
    )
    const figure = (metric: string, key: string, unit: string, goal?: Goal): Figure =>
      compared(turns, { name: NAME, peer: PEER, metric, key, unit, ...(goal && { goal }) })
    return [
      figure('insert 1 KiB', 'put', '/s', { of: 'ratio', at: 'least', bound: 0.5 }),
      figure('insert 1 KiB, id and place looked up first', 'inserted', '/s'),
      figure('last 50 of a conversation, p50', 'page', 'ms', { of: 'ratio', at: 'most', bound: 2 }),
      figure('one message committed and synced, p50', 'commit', 'ms'),
    ]
  } finally {
    await Promise.all([sealed.close(), bare.close()])
    await rm(path, { recursive: true, force: true })
  }
}

export const store: Bench = { name: NAME, run }
